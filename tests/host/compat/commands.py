"""Commands as text: core modules for WASI 0.1, and a component that exports ``wasi:cli/run``."""

__all__ = ["HEAD", "command", "component_command"]

HEAD = b"content-type: text/plain\n\n"

_IMPORTS = {
    "fd_write": "i32 i32 i32 i32",
    "fd_read": "i32 i32 i32 i32",
    "args_sizes_get": "i32 i32",
    "args_get": "i32 i32",
    "environ_sizes_get": "i32 i32",
    "environ_get": "i32 i32",
    "fd_prestat_get": "i32 i32",
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    "poll_oneoff": "i32 i32 i32 i32",
}


def _literal(text: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in text)


def command(body: str, text: bytes = HEAD, *, export: str = "_start", extra: str = "") -> str:
    """Return a core module whose ``_start`` is ``body``.

    In the body: ``(call $text)`` prints ``text``, ``(call $print at length)`` what is in
    memory, ``(call $complain)`` prints ``text`` to stderr, ``(call $digit n)`` a letter, A
    for 0. ``$n`` and ``$m`` are numbers. ``text`` lies at 1024; 4096 and up are free.
    """
    imports = "\n".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {types}) (result i32)))'
        for name, types in _IMPORTS.items()
    )
    return f"""(module
  {imports}
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  {extra}
  (memory (export "memory") 2)
  (data (i32.const 1024) "{_literal(text)}")
  (func $write (param $fd i32) (param $at i32) (param $length i32)
    (block $done (loop $again
      (br_if $done (i32.eqz (local.get $length)))
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $length))
      (br_if $done (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
      (local.set $length (i32.sub (local.get $length) (i32.load (i32.const 8))))
      (br $again))))
  (func $print (param i32 i32) (call $write (i32.const 1) (local.get 0) (local.get 1)))
  (func $text (call $print (i32.const 1024) (i32.const {len(text)})))
  (func $complain (call $write (i32.const 2) (i32.const 1024) (i32.const {len(text)})))
  (func $digit (param i32)
    (i32.store8 (i32.const 16) (i32.add (local.get 0) (i32.const 65)))
    (call $print (i32.const 16) (i32.const 1)))
  (func (export "{export}") (local $n i32) (local $m i32) {body}))"""


ECHO = """(call $text)
  (block $end (loop $more
    (i32.store (i32.const 0) (i32.const 8192))
    (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $n (i32.load (i32.const 8)))
    (br_if $end (i32.eqz (local.get $n)))
    (call $print (i32.const 8192) (local.get $n))
    (br $more)))"""

ARGUMENTS = """(call $text)
  (drop (call $args_sizes_get (i32.const 32) (i32.const 36)))
  (drop (call $args_get (i32.const 4096) (i32.const 8192)))
  (call $print (i32.const 8192) (i32.load (i32.const 36)))"""

ENVIRONMENT = """(call $text)
  (drop (call $environ_sizes_get (i32.const 32) (i32.const 36)))
  (drop (call $environ_get (i32.const 4096) (i32.const 8192)))
  (call $print (i32.const 8192) (i32.load (i32.const 36)))"""

ENDLESS = "(loop $on (br $on))"

GREEDY = """(loop $on (br_if $on (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0))))
  (unreachable)"""

SLEEP_AN_HOUR = """(loop $on
    (i32.store (i32.const 4112) (i32.const 1))
    (i64.store (i32.const 4120) (i64.const 3600000000000))
    (drop (call $poll_oneoff
      (i32.const 4096) (i32.const 8192) (i32.const 1) (i32.const 36)))
    (br $on))"""


def opening(path: bytes, flags: int = 0, rights: int = 2) -> str:
    """Open a file below the first directory; print the error code as a letter, A for none."""
    letters = "".join(
        f"(i32.store8 (i32.const {4096 + index}) (i32.const {byte}))"
        for index, byte in enumerate(path)
    )
    return f"""(call $text) {letters}
      (call $digit (call $path_open (i32.const 3) (i32.const 1) (i32.const 4096)
        (i32.const {len(path)}) (i32.const {flags}) (i64.const {rights}) (i64.const 0)
        (i32.const 0) (i32.const 36)))"""


def component_command(text: bytes, ending: str = "(i32.const 0)") -> str:
    """Return a component that prints ``text``, then its input, as ``wasi:cli/run``.

    Args:
        text: What it prints first.
        ending: Core code for the result of ``run``: 0 is ok, 1 is an error.
    """
    return f"""(component $C
  (import "wasi:io/error@0.2.3" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.3" (instance $streams
    (alias outer $C $error (type $e0))
    (export "error" (type $e (eq $e0)))
    (export "input-stream" (type $in (sub resource)))
    (export "output-stream" (type $out (sub resource)))
    (type $se0 (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $se0)))
    (export "[method]output-stream.blocking-splice"
      (func (param "self" (borrow $out)) (param "src" (borrow $in)) (param "len" u64)
        (result (result u64 (error $se)))))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8))
        (result (result (error $se)))))))
  (alias export $streams "input-stream" (type $input))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.3" (instance $stdout
    (alias outer $C $output (type $o0)) (export "output-stream" (type $o (eq $o0)))
    (export "get-stdout" (func (result (own $o))))))
  (import "wasi:cli/stdin@0.2.3" (instance $stdin
    (alias outer $C $input (type $i0)) (export "input-stream" (type $i (eq $i0)))
    (export "get-stdin" (func (result (own $i))))))
  (import "wasi:cli/exit@0.2.3" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (core module $memory-module
    (memory (export "memory") 1)
    (data (i32.const 1024) "{_literal(text)}")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 32768)))
  (core instance $memory-instance (instantiate $memory-module))
  (alias core export $memory-instance "memory" (core memory $memory))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $memory)))
  (core func $splice (canon lower
    (func $streams "[method]output-stream.blocking-splice") (memory $memory)))
  (core func $out (canon lower (func $stdout "get-stdout")))
  (core func $in (canon lower (func $stdin "get-stdin")))
  (core func $leave (canon lower (func $exit "exit")))
  (core module $main-module
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "splice" (func $splice (param i32 i32 i64 i32)))
    (import "host" "out" (func $out (result i32)))
    (import "host" "in" (func $in (result i32)))
    (import "host" "leave" (func $leave (param i32)))
    (import "host" "memory" (memory 1))
    (func (export "run") (result i32) (local $o i32) (local $i i32)
      (local.set $o (call $out))
      (local.set $i (call $in))
      (call $write (local.get $o) (i32.const 1024) (i32.const {len(text)}) (i32.const 64))
      (loop $more
        (call $splice (local.get $o) (local.get $i) (i64.const 4096) (i32.const 64))
        (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
      {ending}))
  (core instance $main (instantiate $main-module (with "host" (instance
    (export "write" (func $write)) (export "splice" (func $splice))
    (export "out" (func $out)) (export "in" (func $in)) (export "leave" (func $leave))
    (export "memory" (memory $memory))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.3" (instance $exported)))
"""
