"""The traps of the asynchronous ABI, each made by a component written as text."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from edgezero_spin.host.errors import GuestTrapped
from edgezero_spin.host.runtime.engine import Engine
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


_HOST = """
  (import "thing" (type $thing (sub resource)))
  (import "work" (func $host-work async))
  (import "take" (func $host-take (param "body" (stream u8))))
  (import "give" (func $host-give (param "value" (future u8))))"""
_LOWERS = {
    "work": ("(canon lower (func $host-work) async (core func $work))", "(result i32)"),
    "take": ("(canon lower (func $host-take) (core func $take))", "(param i32)"),
    "give": ("(canon lower (func $host-give) (core func $give))", "(param i32)"),
    "drop": ("(canon resource.drop $thing (core func $drop))", "(param i32)"),
}
_START = "(local.set $r (i32.shr_u (call $work) (i32.const 4)))"

HOST_TRAPS = [
    pytest.param(
        f"{_START} (call $subtask.drop (local.get $r))",
        "cannot drop a subtask which has not yet resolved",
        id="TR-15",
    ),
    pytest.param(
        f"""{_START} (drop (call $subtask.cancel (local.get $r)))
        (drop (call $subtask.cancel (local.get $r)))""",
        "`subtask.cancel` called after terminal status delivered",
        id="TR-16",
    ),
    pytest.param(
        f"{_STREAM} (call $stream.drop-writable (local.get $w)) (drop {_READ}) "
        "(call $take (local.get $r))",
        "cannot lift stream after being notified that the writable end dropped",
        id="TR-22 done stream",
    ),
    pytest.param(
        f"""{_FUTURE} (drop (call $future.write (local.get $w) (i32.const 0)))
        (drop (call $future.read (local.get $r) (i32.const 8)))
        (call $give (local.get $r))""",
        "cannot lift future after previous read succeeded",
        id="TR-22 done future",
    ),
    pytest.param(
        f"{_STREAM} (call $join (local.get $r) (call $set.new)) (call $take (local.get $r))",
        "cannot lift stream while it's in a waitable set",
        id="TR-22 in a set",
    ),
    pytest.param(
        f"{_STREAM} (drop {_READ}) (call $take (local.get $r))",
        "cannot lift stream while an operation on it is in progress",
        id="TR-23",
    ),
    pytest.param(
        f"{_STREAM} (call $take (local.get $w))",
        "passed write end to",
        id="CA-55 the writable end stays",
    ),
]


async def _never(state: object) -> None:
    await asyncio.Event().wait()


def _take(state: object, value: object) -> None:
    pass


@pytest.mark.parametrize(("body", "text"), HOST_TRAPS)
def test_misuse_towards_the_host_traps(engine: Engine, body: str, text: str) -> None:
    """So does what is wrong with a call of the host, or with what is passed to it."""
    lowers = {name: how for name, how in _LOWERS.items() if re.search(rf"\${name}[ )]", body)}
    functions: dict[str, Callable[..., Any]] = {"work": _never, "take": _take, "give": _take}

    async def main() -> None:
        wat = component(_code(body), _LIFT, imports=_HOST, lowers=lowers)
        with instance_of(engine, wat, functions) as instance:
            assert instance.tasks is not None
            instance.tasks.loop = asyncio.get_running_loop()
            with pytest.raises(GuestTrapped) as caught:
                instance.start(None, "run")
            assert text in str(caught.value)

    asyncio.run(main())


def test_a_borrowed_handle_must_be_dropped_before_the_return(engine: Engine) -> None:
    """A task that returns while it holds what it borrowed traps.  # TR-6, CA-41"""
    code = """
    (func (export "keep") (param i32) (result i32) (call $task.return) (i32.const 0))
    (func (export "give-back") (param i32) (result i32)
      (call $drop (local.get 0)) (call $task.return) (i32.const 0))
    (func (export "cb") (param i32 i32 i32) (result i32) unreachable)"""
    lifts = '(export $t "t" (type $thing))' + "".join(
        f"""(func (export "{name}") async (param "t" (borrow $t))
          (canon lift (core func $i "{name}") async (callback (core func $i "cb"))))"""
        for name in ("keep", "give-back")
    )
    wat = component(code, lifts, imports=_HOST, lowers={"drop": _LOWERS["drop"]})
    with instance_of(engine, wat) as instance:
        instance.call(None, "give-back", object())
        with pytest.raises(GuestTrapped, match="borrow handles still remain"):
            instance.call(None, "keep", object())


def test_a_set_that_a_task_waits_on_stays(engine: Engine) -> None:
    """Dropping it traps.  # TR-13"""
    code = """
    (global $set (mut i32) (i32.const 0))
    (func (export "wait") (result i32)
      (global.set $set (call $set.new))
      (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
    (func (export "run") (result i32) (call $set.drop (global.get $set)) (i32.const 0))
    (func (export "cb") (param i32 i32 i32) (result i32) unreachable)"""
    lifts = "".join(
        f"""(func (export "{name}") async
          (canon lift (core func $i "{name}") async (callback (core func $i "cb"))))"""
        for name in ("wait", "run")
    )
    with instance_of(engine, component(code, lifts)) as instance:
        instance.start(None, "wait")
        with pytest.raises(GuestTrapped, match="cannot drop waitable set with waiters"):
            instance.call(None, "run")
