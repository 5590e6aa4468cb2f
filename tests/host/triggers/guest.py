"""A guest that takes events, written as text, whose behaviour is chosen by the first letter.

It prints the payload and a line end, and then:

    e   returns an error
    t   traps
    s   sleeps for a second
    l   sleeps for an hour
    c   computes for ever
    n   prints how many events its instance took, a digit

An event of cron has the letter in the timestamp: 1000 more than the code of the letter.
"""

__all__ = ["CRON", "CRON_2", "MQTT", "MQTT_OLD", "REDIS", "REDIS_3", "guest"]

REDIS = "fermyon:spin/inbound-redis"
REDIS_3 = "spin:redis/inbound-redis@3.0.0"
CRON = "spin:cron@3.0.0"
CRON_2 = "fermyon:spin-cron@2.0.0"
MQTT = "spin:mqtt-trigger@3.0.0"
MQTT_OLD = "spin:mqtt-trigger"

_ASYNC = {REDIS_3, CRON, MQTT}
_OTHER = '(variant (case "other" string))'
_REDIS_3_ERROR = """(variant (case "invalid-address") (case "too-many-connections")
    (case "type-error") (case "other" string))"""
_OPTIONS = '(memory (core memory $m "mem")) (realloc (core func $m "realloc"))'

_IMPORTS = """
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/error@0.2.0" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer $C $error (type $e0))
    (export "error" (type $e (eq $e0)))
    (export "output-stream" (type $out (sub resource)))
    (type $se0 (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $se0)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8))
        (result (result (error $se)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer $C $pollable (type $p0))
    (export "pollable" (type $p (eq $p0)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer $C $output-stream (type $o0))
    (export "output-stream" (type $o (eq $o0)))
    (export "get-stdout" (func (result (own $o))))))
  (core module $libc
    (memory (export "mem") 64)
    (global $next (mut i32) (i32.const 4096))
    (func (export "reset") (global.set $next (i32.const 4096)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      ;; One more, for a line end.
      (global.set $next (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 1)))
      (local.get $at)))
  (core instance $m (instantiate $libc))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop-pollable (canon resource.drop $pollable))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $drop-stream (canon resource.drop $output-stream))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $m "mem")) (realloc (core func $m "realloc"))))
"""

_WORK = """
    (import "host" "block" (func $block (param i32)))
    (import "host" "drop-pollable" (func $drop-pollable (param i32)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "host" "drop-stream" (func $drop-stream (param i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "libc" "mem" (memory 64))
    (import "libc" "reset" (func $reset))
    (global $taken (mut i32) (i32.const 0))
    (data (i32.const 64) "failed on purpose")
    (data (i32.const 128) "0\\n")
    (func $say (param $at i32) (param $length i32)
      (local $out i32)
      (local.set $out (call $get-stdout))
      (call $write (local.get $out) (local.get $at) (local.get $length) (i32.const 256))
      (call $drop-stream (local.get $out)))
    (func $sleep (param $ns i64)
      (local $timer i32)
      (local.set $timer (call $subscribe (local.get $ns)))
      (call $block (local.get $timer))
      (call $drop-pollable (local.get $timer)))
    ;; Returns 1 for an error.
    (func $take (param $letter i32) (result i32)
      (global.set $taken (i32.add (global.get $taken) (i32.const 1)))
      (if (i32.eq (local.get $letter) (i32.const 116)) (then unreachable))
      (if (i32.eq (local.get $letter) (i32.const 115)) (then (call $sleep (i64.const 1000000000))))
      (if (i32.eq (local.get $letter) (i32.const 108))
        (then (call $sleep (i64.const 3600000000000))))
      (if (i32.eq (local.get $letter) (i32.const 99)) (then (loop $ever (br $ever))))
      (if (i32.eq (local.get $letter) (i32.const 110)) (then
        (i32.store8 (i32.const 128) (i32.add (global.get $taken) (i32.const 48)))
        (call $say (i32.const 128) (i32.const 2))))
      (call $reset)
      (i32.eq (local.get $letter) (i32.const 101)))
    (func $message (param $at i32) (param $length i32) (result i32)
      (i32.store8 (i32.add (local.get $at) (local.get $length)) (i32.const 10))
      (call $say (local.get $at) (i32.add (local.get $length) (i32.const 1)))
      (call $take (i32.load8_u (local.get $at))))
    (func $moment (param $timestamp i64) (result i32)
      (i64.store (i32.const 136) (i64.const 0x0a6b636974)) ;; "tick" and a line end
      (call $say (i32.const 136) (i32.const 5))
      (call $take (i32.wrap_i64 (i64.sub (local.get $timestamp) (i64.const 1000)))))
    ;; The area of a result, where one is returned by its address.
    (func $area (param $failed i32) (param $case i32) (result i32)
      (i32.store8 (i32.const 512) (local.get $failed))
      (i32.store8 (i32.const 513) (i32.const 1)) ;; of the enum of Redis
      (i32.store8 (i32.const 516) (local.get $case))
      (i32.store (i32.const 520) (i32.const 64))
      (i32.store (i32.const 524) (i32.const 17))
      (i32.const 512))
"""


def guest(*kinds: str) -> str:
    """The text of a component that takes events of these kinds."""
    types = [_types(number, kind) for number, kind in enumerate(kinds)]
    returns = [number for number, kind in enumerate(kinds) if kind in _ASYNC]
    defined = [
        f"""  (core func $return{n} (canon task.return (result (result (error $error{n})))
    (memory (core memory $m "mem")) string-encoding=utf8))"""
        for n in returns
    ]
    imported = [
        f"""
    (import "host" "return{n}" (func $return{n} (param i32 i32 i32 i32)))"""
        for n in returns
    ]
    given = "".join(f' (export "return{n}" (func $return{n}))' for n in returns)
    functions = [_function(number, kind) for number, kind in enumerate(kinds)]
    instance = f"""  (core instance $i (instantiate $work
    (with "libc" (instance $m))
    (with "host" (instance
      (export "block" (func $block)) (export "drop-pollable" (func $drop-pollable))
      (export "subscribe" (func $subscribe)) (export "get-stdout" (func $get-stdout))
      (export "drop-stream" (func $drop-stream)) (export "write" (func $write)){given}))))"""
    return "\n".join(
        [
            "(component $C",
            _IMPORTS,
            *types,
            *defined,
            f"  (core module $work {''.join(imported)}{_WORK}{''.join(functions)})",
            instance,
            *(_export(number, kind) for number, kind in enumerate(kinds)),
            ")",
        ]
    )


def _function(number: int, kind: str) -> str:
    """The core function of a kind; an asynchronous one hands its result over before it returns."""
    parameters, called = "i32 i32 i32 i32", "(call $message (local.get 0) (local.get 1))"
    if "redis" in kind:
        parameters = "i32 i32"
    elif "cron" in kind:
        parameters, called = "i64", "(call $moment (local.get 0))"
    case = f"(i32.const {3 if kind == REDIS_3 else 0})"
    body = f"(call $area {called} {case})"
    if kind in _ASYNC:
        body = f"(call $return{number} {called} {case} (i32.const 64) (i32.const 17)) (i32.const 0)"
    return f"""
    (func (export "take{number}") (param {parameters}) (result i32) {body})
    (func (export "callback{number}") (param i32 i32 i32) (result i32) unreachable)"""


def _types(number: int, kind: str) -> str:
    """The types of a kind's interface, imported, as bindings do."""
    if "redis" in kind:
        error = '(enum "success" "error")' if kind == REDIS else _REDIS_3_ERROR
        where = "fermyon:spin/redis-types" if kind == REDIS else "spin:redis/redis@3.0.0"
        return f"""  (import "{where}" (instance $types{number}
    (type $v {error})
    (export "error" (type $error (eq $v)))))
  (alias export $types{number} "error" (type $error{number}))
  (type $payload{number} (list u8))"""
    package, at, version = kind.partition("@")
    name = "cron-types" if "cron" in kind else "spin-mqtt-types"
    field = '"timestamp" u64' if "cron" in kind else '"topic" string'
    return f"""  (import "{package}/{name}{at}{version}" (instance $types{number}
    (type $r (record (field {field})))
    (export "metadata" (type $metadata (eq $r)))
    (type $v {_OTHER})
    (export "error" (type $error (eq $v)))))
  (alias export $types{number} "metadata" (type $metadata{number}))
  (alias export $types{number} "error" (type $error{number}))"""


def _export(number: int, kind: str) -> str:
    is_async = kind in _ASYNC
    name = "handle-cron-event" if "cron" in kind else "handle-message"
    how = f'async (callback (core func $i "callback{number}"))' if is_async else ""
    word = "async " if is_async else ""
    metadata = f'(param "metadata" $metadata{number})'
    parameters = {
        "redis": f'(param "message" $payload{number})',
        "cron": metadata,
        "mqtt": f'(param "message" (list u8)) {metadata}',
    }[next(word for word in ("redis", "cron", "mqtt") if word in kind)]
    type_ = f"{word}{parameters} (result (result (error $error{number})))"
    lift = f'(canon lift (core func $i "take{number}") {how} {_OPTIONS})'
    if "redis" not in kind:
        return f'  (func (export "{name}") {type_} {lift})'
    return f"""  (func $f{number} {type_} {lift})
  (instance $x{number} (export "{name}" (func $f{number})))
  (export "{kind}" (instance $x{number}))"""
