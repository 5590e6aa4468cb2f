"""Components as text that depend on one another: providers and users of ``test:host/api``."""

from tests.host.runtime.wat import HOST, MEMORY
from tests.host.support import SCRIPT

__all__ = [
    "CURIOUS_THING",
    "THING",
    "asking_script",
    "counting_provider",
    "counting_user",
    "environment_provider",
    "identity_provider",
    "stream_provider",
    "stream_user",
]


THING = """(component
  (core module $m (func (export "ask")))
  (core instance $i (instantiate $m))
  (func $ask (canon lift (core func $i "ask")))
  (instance $thing (export "ask" (func $ask)))
  (export "example:nowhere/thing@1.0.0" (instance $thing)))"""
"""What the script guest imports, and nobody gives it otherwise."""


CURIOUS_THING = f"""(component
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))))
  {MEMORY}
  (core func $get (canon lower (func $environment "get-environment")
    (memory $memory) (realloc $realloc)))
  (core module $m
    (import "host" "get" (func $get (param i32)))
    (func (export "ask") (call $get (i32.const 16))))
  (core instance $i (instantiate $m
    (with "host" (instance (export "get" (func $get))))))
  (func $ask (canon lift (core func $i "ask")))
  (instance $thing (export "ask" (func $ask)))
  (export "example:nowhere/thing@1.0.0" (instance $thing)))"""
"""The same, which looks at its environment when it is asked."""


def asking_script() -> str:
    """The script guest, which answers ``/i`` once it has asked its ``THING``."""
    asking = "(then (call $ask)))"
    answering = "(then (call $ask) (call $answer (i32.const 200) (i32.const 0)) (return)))"
    text = SCRIPT.read_text()
    assert asking in text
    return text.replace(asking, answering)


def identity_provider(type_: str, flat: str, export: str = HOST, body: str | None = None) -> str:
    """A component that exports ``echo``: it returns what it is given.

    Args:
        type_: The type; its flat form is its memory layout, or one value.
        flat: Its core types.
        export: What it exports.
        body: Core code in the place of the identity.
    """
    count = len(flat.split())
    if count == 1:
        result, code = flat, "(local.get 0)"
    else:
        stores = "".join(
            f"(i32.store offset={4 * index} (i32.const 16) (local.get {index}))"
            for index in range(count)
        )
        result, code = "i32", f"{stores} (i32.const 16)"
    return f"""(component {MEMORY}
  (core module $main-module
    (import "memory" "memory" (memory 1))
    (func (export "echo") (param {flat}) (result {result}) {body or code}))
  (core instance $main (instantiate $main-module (with "memory" (instance $memory-instance))))
  (func $echo (param "value" {type_}) (result {type_})
    (canon lift (core func $main "echo") (memory $memory) (realloc $realloc)))
  (type $echoed {type_})
  (instance $api (export "echoed" (type $echoed)) (export "echo" (func $echo)))
  (export "{export}" (instance $api)))"""


def environment_provider() -> str:
    """One whose ``echo`` adds the number of environment variables that it sees."""
    return f"""(component
  (import "wasi:cli/environment@0.2.3" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))))
  {MEMORY}
  (core func $get (canon lower (func $environment "get-environment")
    (memory $memory) (realloc $realloc)))
  (core module $main-module
    (import "memory" "memory" (memory 1))
    (import "host" "get" (func $get (param i32)))
    (func (export "echo") (param i32) (result i32)
      (call $get (i32.const 16))
      (i32.add (local.get 0) (i32.load (i32.const 20)))))
  (core instance $main (instantiate $main-module
    (with "memory" (instance $memory-instance))
    (with "host" (instance (export "get" (func $get))))))
  (func $echo (param "value" u32) (result u32) (canon lift (core func $main "echo")))
  (type $echoed u32)
  (instance $api (export "echoed" (type $echoed)) (export "echo" (func $echo)))
  (export "{HOST}" (instance $api)))"""


_FUNCTIONS = {
    # Name, parameters, result, core parameters; all results are one i32.
    "[constructor]counter": ('(param "start" u32)', "(own $c)", "i32"),
    "[method]counter.next": ('(param "self" (borrow $c))', "u32", "i32"),
    "[static]counter.join": (
        '(param "one" (own $c)) (param "other" (own $c))',
        "(own $c)",
        "i32 i32",
    ),
    "sum": ('(param "all" (list (borrow $c)))', "u32", "i32 i32"),
    "split": ('(param "one" (own $c))', "(list (own $c))", "i32"),
    "perhaps": ('(param "one" (option (own $c)))', "(result (own $c) (error u32))", "i32 i32"),
    "dropped": ("", "u32", ""),
}


def counting_provider() -> str:
    """One that defines a resource: ``counter``, with every position that a handle can have.

    ``next`` counts up, ``join`` adds two and ends them, ``split`` gives two with half of it
    each, ``perhaps`` gives back what it got or the error 7, ``dropped`` says how many were
    dropped.
    """
    lifted = "\n".join(
        f"(func $f{number} {parameters} (result {result.replace('$c', '$counter')}) ".replace(
            "$c)", "$counter)"
        )
        + f'(canon lift (core func $main "{name}") (memory $memory) (realloc $realloc)))'
        for number, (name, (parameters, result, _)) in enumerate(_FUNCTIONS.items())
    )
    imports = "\n".join(
        f'(import "f{number}" (func $f{number} {parameters} (result {result})))'
        for number, (parameters, result, _) in enumerate(_FUNCTIONS.values())
    )
    exports = "\n".join(
        f'(export "{name}" (func $f{number}) (func {parameters} (result {result})))'.replace(
            "$c)", "$e)"
        )
        for number, (name, (parameters, result, _)) in enumerate(_FUNCTIONS.items())
    )
    arguments = " ".join(f'(with "f{number}" (func $f{number}))' for number in range(7))
    return f"""(component {MEMORY}
  (core module $drops-module
    (global $dropped (mut i32) (i32.const 0))
    (func (export "dtor") (param i32)
      (global.set $dropped (i32.add (global.get $dropped) (i32.const 1))))
    (func (export "dropped") (result i32) (global.get $dropped)))
  (core instance $drops (instantiate $drops-module))
  (alias core export $drops "dtor" (core func $dtor))
  (type $counter (resource (rep i32) (dtor (core func $dtor))))
  (core func $new (canon resource.new $counter))
  (core func $rep (canon resource.rep $counter))
  (core func $drop (canon resource.drop $counter))
  (core module $main-module
    (import "memory" "memory" (memory 1))
    (import "memory" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "h" "new" (func $new (param i32) (result i32)))
    (import "h" "rep" (func $rep (param i32) (result i32)))
    (import "h" "drop" (func $drop (param i32)))
    (func (export "dropped") (import "h" "dropped") (result i32))
    ;; A counter is an address; its number lies there.
    (func $make (param $start i32) (result i32) (local $at i32)
      (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 4)))
      (i32.store (local.get $at) (local.get $start))
      (call $new (local.get $at)))
    (func $end (param $handle i32) (result i32) (local $at i32)
      (local.set $at (call $rep (local.get $handle)))
      (call $drop (local.get $handle))
      (i32.load (local.get $at)))
    (func (export "[constructor]counter") (param i32) (result i32) (call $make (local.get 0)))
    (func (export "[method]counter.next") (param $at i32) (result i32)
      (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
      (i32.load (local.get $at)))
    (func (export "[static]counter.join") (param i32 i32) (result i32)
      (call $make (i32.add (call $end (local.get 0)) (call $end (local.get 1)))))
    (func (export "sum") (param $at i32) (param $count i32) (result i32) (local $sum i32)
      (block $done (loop $more
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $sum (i32.add (local.get $sum) (i32.load (i32.load (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $more)))
      (local.get $sum))
    (func (export "split") (param i32) (result i32) (local $half i32)
      (local.set $half (i32.div_u (call $end (local.get 0)) (i32.const 2)))
      (i32.store (i32.const 64) (call $make (local.get $half)))
      (i32.store (i32.const 68) (call $make (local.get $half)))
      (i32.store (i32.const 16) (i32.const 64))
      (i32.store (i32.const 20) (i32.const 2))
      (i32.const 16))
    (func (export "perhaps") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (i32.eqz (local.get 0)))
      (i32.store (i32.const 20)
        (if (result i32) (local.get 0) (then (local.get 1)) (else (i32.const 7))))
      (i32.const 16)))
  (core instance $main (instantiate $main-module
    (with "memory" (instance $memory-instance))
    (with "h" (instance (export "new" (func $new)) (export "rep" (func $rep))
      (export "drop" (func $drop)) (export "dropped" (func $drops "dropped"))))))
  {lifted}
  (component $shim
    (import "counter" (type $c (sub resource)))
    {imports}
    (export $e "counter" (type $c))
    {exports})
  (instance $api (instantiate $shim (with "counter" (type $counter)) {arguments}))
  (export "{HOST}" (instance $api)))"""


def counting_user(body: str) -> str:
    """A component whose ``run`` is this core code over a provider's counters.

    In the body: ``$new``, ``$next``, ``$join``, ``$sum``, ``$split``, ``$perhaps``, ``$dropped``
    and ``$drop`` as imported; ``$a``, ``$b``, ``$c`` and ``$n`` are numbers.
    """
    declared = "\n".join(
        f'(export "{name}" (func {parameters} (result {result})))'
        for name, (parameters, result, _) in _FUNCTIONS.items()
    )
    lowered, imported, given = [], [], []
    for name, (_, _, flat) in _FUNCTIONS.items():
        short = {"[constructor]counter": "new"}.get(name, name.rpartition(".")[2])
        lowered.append(
            f'(core func ${short} (canon lower (func $api "{name}") (memory $memory) '
            "(realloc $realloc)))"
        )
        through_memory = name in ("split", "perhaps")
        parameters = f"(param {flat}{' i32' if through_memory else ''})"
        imported.append(
            f'(import "h" "{short}" (func ${short} {parameters}'
            f"{'' if through_memory else ' (result i32)'}))"
        )
        given.append(f'(export "{short}" (func ${short}))')
    lines = "\n".join
    return f"""(component
  (import "{HOST}" (instance $api
    (export "counter" (type $c (sub resource)))
    {declared}))
  (alias export $api "counter" (type $counter))
  {MEMORY}
  {lines(lowered)}
  (core func $drop (canon resource.drop $counter))
  (core module $main-module
    (import "memory" "memory" (memory 1))
    {lines(imported)}
    (import "h" "drop" (func $drop (param i32)))
    (func (export "run") (result i32) (local $a i32) (local $b i32) (local $c i32) (local $n i32)
      {body}))
  (core instance $main (instantiate $main-module
    (with "memory" (instance $memory-instance))
    (with "h" (instance {lines(given)} (export "drop" (func $drop))))))
  (func (export "run") (result u32) (canon lift (core func $main "run"))))"""


_STREAMS = """
  (import "wasi:io/error@0.2.3" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.3" (instance $streams
    (alias outer $C $error (type $e0))
    (export "error" (type $e (eq $e0)))
    (export "output-stream" (type $out (sub resource)))
    (type $se0 (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $se0)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8))
        (result (result (error $se)))))))
  (alias export $streams "output-stream" (type $output))
"""


def stream_provider(owned: bool) -> str:
    """One whose ``say`` writes to a stream of the host that it is lent or given."""
    kind = "own" if owned else "borrow"
    text = "said by the dependency"
    return f"""(component $C {_STREAMS} {MEMORY}
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $memory)))
  (core func $drop (canon resource.drop $output))
  (core module $main-module
    (import "memory" "memory" (memory 1))
    (import "h" "write" (func $write (param i32 i32 i32 i32)))
    (import "h" "drop" (func $drop (param i32)))
    (data (i32.const 512) "{text}")
    (func (export "say") (param i32)
      (call $write (local.get 0) (i32.const 512) (i32.const {len(text)}) (i32.const 64))
      (call $drop (local.get 0))))
  (core instance $main (instantiate $main-module (with "memory" (instance $memory-instance))
    (with "h" (instance (export "write" (func $write)) (export "drop" (func $drop))))))
  (func $say (param "to" ({kind} $output)) (canon lift (core func $main "say")))
  (component $shim
    (import "stream" (type $s (sub resource)))
    (import "say" (func $say (param "to" ({kind} $s))))
    (export $e "output-stream" (type $s))
    (export "say" (func $say) (func (param "to" ({kind} $e)))))
  (instance $api (instantiate $shim (with "stream" (type $output)) (with "say" (func $say))))
  (export "{HOST}" (instance $api)))"""


def stream_user(owned: bool) -> str:
    """A component whose ``run`` has its stdout written by a provider."""
    kind = "own" if owned else "borrow"
    return f"""(component $C {_STREAMS}
  (import "wasi:cli/stdout@0.2.3" (instance $stdout
    (alias outer $C $output (type $o0)) (export "output-stream" (type $o (eq $o0)))
    (export "get-stdout" (func (result (own $o))))))
  (import "{HOST}" (instance $api
    (alias outer $C $output (type $o0)) (export "output-stream" (type $o (eq $o0)))
    (export "say" (func (param "to" ({kind} $o))))))
  (core func $get (canon lower (func $stdout "get-stdout")))
  (core func $say (canon lower (func $api "say")))
  (core module $main-module
    (import "h" "get" (func $get (result i32)))
    (import "h" "say" (func $say (param i32)))
    (func (export "run") (call $say (call $get))))
  (core instance $main (instantiate $main-module
    (with "h" (instance (export "get" (func $get)) (export "say" (func $say))))))
  (func (export "run") (canon lift (core func $main "run"))))"""
