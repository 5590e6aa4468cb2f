"""The traps of the asynchronous ABI, each made by a component written as text."""

import pytest

from edgezero_spin.host.engine import Engine
from edgezero_spin.host.errors import GuestTrapped
from tests.host.runtime.components import component, instance_of

_LIFT = """(func (export "run") async
  (canon lift (core func $i "run") async (callback (core func $i "cb"))))"""
_SYNC_LIFT = '(func (export "run") (canon lift (core func $i "run")))'

# What `run` does before it returns 0 (EXIT); a stream's handles are $r and $w.
_STREAM = """(local.set $p (call $stream.new))
  (local.set $r (i32.wrap_i64 (local.get $p)))
  (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $p) (i64.const 32))))"""
_FUTURE = _STREAM.replace("stream.new", "future.new")
_READ = "(call $stream.read (local.get $r) (i32.const 0) (i32.const 4))"
_WRITE = "(call $stream.write (local.get $w) (i32.const 0) (i32.const 4))"
_RETURN = "(call $task.return)"

TRAPS = [
    pytest.param("(return (i32.const 3))", "unsupported callback code", id="TR-1"),
    pytest.param("", "failed to produce a result", id="TR-2"),
    pytest.param(_RETURN * 2, "called more than once", id="TR-3"),
    pytest.param("(call $task.return-u32 (i32.const 1))", "invalid `task.return`", id="TR-4"),
    pytest.param("(call $task.cancel)", "has not been cancelled", id="TR-5"),
    pytest.param(
        "(loop $l (call $backpressure.inc) (br $l))",
        "backpressure counter overflow",
        id="TR-10 above",
    ),
    pytest.param("(call $backpressure.dec)", "backpressure counter overflow", id="TR-10 below"),
    pytest.param("(call $set.drop (i32.const 0))", "unknown handle index 0", id="TR-11 zero"),
    pytest.param("(call $set.drop (i32.const 7))", "unknown handle index 7", id="TR-11"),
    pytest.param("(return (i32.const 0x12))", "unknown handle index 1", id="TR-11 wait"),
    pytest.param(
        "(call $subtask.drop (call $set.new))",
        "handle index 1 used with the wrong type",
        id="TR-12",
    ),
    pytest.param(
        f"{_STREAM} (call $join (local.get $r) (call $set.new)) (call $set.drop (i32.const 3))",
        "resource has children",
        id="TR-14",
    ),
    pytest.param(
        f"{_STREAM} (call $join (local.get $r) (call $set.new)) "
        "(drop (call $stream.read-sync (local.get $r) (i32.const 0) (i32.const 4)))",
        "cannot be used synchronously while added to a waitable set",
        id="TR-17",
    ),
    pytest.param(
        f"{_STREAM} (drop {_READ}) (drop {_READ})",
        "cannot have concurrent operations active",
        id="TR-18",
    ),
    pytest.param(
        f"{_STREAM} (drop {_READ}) (call $stream.drop-readable (local.get $r))",
        "cannot remove busy stream",
        id="TR-19 readable",
    ),
    pytest.param(
        f"{_STREAM} (drop {_WRITE}) (call $stream.drop-writable (local.get $w))",
        "cannot drop busy stream",
        id="TR-19 writable",
    ),
    pytest.param(
        f"{_FUTURE} (call $future.drop-writable (local.get $w))",
        "cannot drop future write end without first writing a value",
        id="TR-20",
    ),
    pytest.param(
        f"{_STREAM} (call $stream.drop-writable (local.get $w)) (drop {_READ}) (drop {_READ})",
        "cannot read from stream after being notified that the writable end dropped",
        id="TR-21 stream read",
    ),
    pytest.param(
        f"{_STREAM} (call $stream.drop-readable (local.get $r)) (drop {_WRITE}) (drop {_WRITE})",
        "cannot write to stream after being notified that the readable end dropped",
        id="TR-21 stream write",
    ),
    pytest.param(
        f"""{_FUTURE} (call $future.drop-readable (local.get $r))
        (drop (call $future.write (local.get $w) (i32.const 0)))
        (drop (call $future.write (local.get $w) (i32.const 0)))""",
        "cannot write to future after previous write succeeded or readable end dropped",
        id="TR-21 future write",
    ),
    pytest.param(
        f"""{_FUTURE} (drop (call $future.write (local.get $w) (i32.const 0)))
        (drop (call $future.read (local.get $r) (i32.const 8)))
        (drop (call $future.read (local.get $r) (i32.const 8)))""",
        "cannot read from future after previous read succeeded",
        id="TR-21 future read",
    ),
    pytest.param(
        f"{_STREAM} (drop (call $stream.cancel-read (local.get $r)))",
        "cancelled when no read is pending",
        id="TR-24 idle",
    ),
    pytest.param(
        f"{_STREAM} (drop (call $stream.cancel-read (local.get $w)))",
        "passed write end to",
        id="TR-24 wrong end",
    ),
    pytest.param(
        _STREAM.replace("stream.new", "texts.new")
        + """(drop (call $texts.read (local.get $r) (i32.const 0) (i32.const 1)))
        (drop (call $texts.write (local.get $w) (i32.const 0) (i32.const 1)))""",
        "cannot read from and write to intra-component stream with non-numeric payload",
        id="TR-25",
    ),
    pytest.param(
        _STREAM.replace("stream.new", "words.new")
        + "(drop (call $words.read (local.get $r) (i32.const 2) (i32.const 1)))",
        "pointer not aligned",
        id="TR-26 alignment",
    ),
    pytest.param(
        f"{_STREAM} (drop (call $stream.read (local.get $r) (i32.const 65533) (i32.const 4)))",
        "out of bounds",
        id="TR-26 bounds",
    ),
    pytest.param(
        f"{_STREAM} (drop (call $stream.read (local.get $r) (i32.const 0) (i32.const 0x10000000)))",
        "stream read/write count too large",
        id="TR-26 count",
    ),
]


def _code(body: str) -> str:
    return f"""
    (func (export "run") (result i32) (local $p i64) (local $r i32) (local $w i32)
      {body}
      (i32.const 0))
    (func (export "cb") (param i32 i32 i32) (result i32) unreachable)"""


@pytest.mark.parametrize(("body", "text"), TRAPS)
def test_misuse_traps(engine: Engine, body: str, text: str) -> None:
    """A component that breaks a rule stops with the text that wasmtime has for it."""
    with (
        instance_of(engine, component(_code(body), _LIFT)) as instance,
        pytest.raises(GuestTrapped) as caught,
    ):
        instance.call(None, "run")
    assert text in str(caught.value)


SYNCHRONOUS = [
    pytest.param("(drop (call $set.wait (call $set.new) (i32.const 0)))", id="wait"),
    pytest.param(
        "(drop (call $stream.read-sync (i32.wrap_i64 (call $stream.new)) (i32.const 0) "
        "(i32.const 1)))",
        id="read",
    ),
]


@pytest.mark.parametrize("body", SYNCHRONOUS)
def test_a_synchronous_function_must_not_block(engine: Engine, body: str) -> None:
    """What would block in a function of synchronous type traps at once.  # TR-7"""
    text = component(f'(func (export "run") {body})', _SYNC_LIFT)
    with (
        instance_of(engine, text) as instance,
        pytest.raises(GuestTrapped, match="cannot block a synchronous task before returning"),
    ):
        instance.call(None, "run")


def test_nothing_is_called_from_realloc(engine: Engine) -> None:
    """A built-in that is called while the host allocates traps.  # TR-9, CA-37"""
    text = component(
        """(func (export "realloc2") (param i32 i32 i32 i32) (result i32)
             (call $set.new))
           (func (export "run") (param i32 i32) (result i32) (i32.const 0))
           (func (export "cb") (param i32 i32 i32) (result i32) unreachable)""",
        """(func (export "run") async (param "text" string)
             (canon lift (core func $i "run") async (callback (core func $i "cb"))
               (memory (core memory $m "mem")) (realloc (core func $i "realloc2"))))""",
    )
    with (
        instance_of(engine, text) as instance,
        pytest.raises(GuestTrapped, match="cannot leave component instance"),
    ):
        instance.call(None, "run", "hello")


def test_an_instance_that_trapped_is_not_entered_again(engine: Engine) -> None:
    """One trap ends every call in progress and the instance.  # TR-8, IL-20"""
    code = """
    (func (export "wait") (result i32)
      (i32.or (i32.const 2) (i32.shl (call $set.new) (i32.const 4))))
    (func (export "run") (result i32) unreachable)
    (func (export "cb") (param i32 i32 i32) (result i32) unreachable)"""
    lifts = "".join(
        f"""(func (export "{name}") async
          (canon lift (core func $i "{name}") async (callback (core func $i "cb"))))"""
        for name in ("wait", "run")
    )
    with instance_of(engine, component(code, lifts)) as instance:
        waiting = instance.start(None, "wait")
        assert not waiting.done
        with pytest.raises(GuestTrapped):
            instance.start(None, "run")
        with pytest.raises(GuestTrapped):
            waiting.result()
        assert instance.trapped


def test_waiting_for_nothing_is_a_deadlock(engine: Engine) -> None:
    """A call that nothing can wake says so, and does not hang.  # CA-33"""
    code = """
    (func (export "run") (result i32)
      (i32.or (i32.const 2) (i32.shl (call $set.new) (i32.const 4))))
    (func (export "cb") (param i32 i32 i32) (result i32) unreachable)"""
    with (
        instance_of(engine, component(code, _LIFT)) as instance,
        pytest.raises(GuestTrapped, match="deadlock detected"),
    ):
        instance.call(None, "run")
