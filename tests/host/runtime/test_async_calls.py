"""Asynchronous calls: of exports by the host, of the host by a guest, and both ways of streams."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edgezero_spin.host.errors import GuestTrapped, InstanceError, Trap, ValueMismatchError
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.host_ends import StreamReader
from edgezero_spin.host.runtime.scheduler import Completion
from tests.host.runtime.components import component, instance_of

_CALLBACK = 'async (callback (core func $i "cb"))'


def _lift(name: str, type_: str = "", options: str = "") -> str:
    return f"""(func (export "{name}") async {type_}
      (canon lift (core func $i "{name}") {_CALLBACK} {options}))"""


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield an event loop that runs on another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()


# `run` calls `work(n)` of the host, waits for it if need be and returns its result + 1. The
# address of the result and the set are kept per task in context slots.
_CALLER = """
  (func $finish (param $at i32) (result i32)
    (call $task.return-u32 (i32.add (i32.load (local.get $at)) (i32.const 1)))
    (i32.const 0))
  (global $next (mut i32) (i32.const 256))
  (func (export "run") (param $n i32) (result i32)
    (local $at i32) (local $status i32) (local $set i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (global.get $next) (i32.const 8)))
    (local.set $status (call $work (local.get $n) (local.get $at)))
    (if (i32.eq (i32.and (local.get $status) (i32.const 15)) (i32.const 2))
      (then (return (call $finish (local.get $at)))))
    (call $context.set (local.get $at))
    (local.set $set (call $set.new))
    (i32.store offset=4 (local.get $at) (local.get $set))
    (call $join (i32.shr_u (local.get $status) (i32.const 4)) (local.get $set))
    (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
  (func (export "cb") (param $code i32) (param $index i32) (param $state i32) (result i32)
    (local $at i32)
    (if (i32.ne (local.get $code) (i32.const 1)) (then unreachable))
    (if (i32.ne (local.get $state) (i32.const 2)) (then unreachable))
    (local.set $at (call $context.get))
    (call $subtask.drop (local.get $index))
    (call $set.drop (i32.load offset=4 (local.get $at)))
    (call $finish (local.get $at)))
"""
_WORK = """(import "work" (func $host-work async (param "n" u32) (result u32)))"""
_LOWER_WORK = {
    "work": (
        '(canon lower (func $host-work) async (memory (core memory $m "mem")) (core func $work))',
        "(param i32 i32) (result i32)",
    )
}
CALLER = component(
    _CALLER,
    _lift("run", '(param "n" u32) (result u32)'),
    imports=_WORK,
    lowers=_LOWER_WORK,
)


def test_a_host_function_that_answers_at_once(engine: Engine) -> None:
    """A plain function costs no subtask: the guest sees RETURNED.  # CA-4"""
    with instance_of(engine, CALLER, {"work": lambda state, n: n * 2}) as instance:
        assert instance.call(None, "run", 20) == 41
        assert instance.tasks is not None and instance.tasks.idle


def test_a_host_coroutine_completes_a_subtask(engine: Engine) -> None:
    """A coroutine runs on the host's loop, and the guest's task waits for it.  # CA-3, CA-26"""

    async def work(state: Any, n: int) -> int:
        await asyncio.sleep(0)
        return n * 2

    with _loop() as loop, instance_of(engine, CALLER, {"work": work}) as instance:
        assert instance.tasks is not None
        instance.tasks.loop = loop
        assert instance.call(None, "run", 20) == 41
        assert instance.components[0].entries == {}


def test_calls_of_one_instance_wait_together(engine: Engine) -> None:
    """Several calls are in one instance at once; each gets its own result.  # CA-30"""

    async def main() -> list[int]:
        opened = asyncio.Event()
        arrived = 0

        async def work(state: Any, n: int) -> int:
            nonlocal arrived
            arrived += 1
            if arrived == 3:
                opened.set()
            await opened.wait()
            return n

        with instance_of(engine, CALLER, {"work": work}) as instance:
            tasks = instance.tasks
            assert tasks is not None
            tasks.loop = asyncio.get_running_loop()
            woken = asyncio.Event()
            tasks.on_wake = woken.set
            calls = [instance.start(None, "run", n) for n in (10, 20, 30)]
            assert len(tasks.live) == 3
            while not all(call.done for call in calls):
                await woken.wait()
                woken.clear()
                tasks.pump()
            assert tasks.idle
            return [call.result() for call in calls]

    assert asyncio.run(main()) == [11, 21, 31]


def test_a_failure_of_a_host_coroutine_reaches_every_caller(engine: Engine) -> None:
    """What a coroutine raises ends the instance, and each call with that error.  # TR-31"""

    async def work(state: Any, n: int) -> int:
        raise OSError("the disk is gone")

    with _loop() as loop, instance_of(engine, CALLER, {"work": work}) as instance:
        assert instance.tasks is not None
        instance.tasks.loop = loop
        with pytest.raises(OSError, match="the disk is gone"):
            instance.call(None, "run", 1)
        assert instance.trapped


def test_a_coroutine_without_a_loop_is_refused(engine: Engine) -> None:
    """The error says that there is no event loop to run it on."""

    async def work(state: Any, n: int) -> int:
        return n

    with (
        instance_of(engine, CALLER, {"work": work}) as instance,
        pytest.raises(InstanceError, match="no event loop"),
    ):
        instance.call(None, "run", 1)


SYNC_CALLER = component(
    """(func (export "run") (param $n i32) (result i32) (call $work (local.get $n)))""",
    """(func (export "run") async (param "n" u32) (result u32)
         (canon lift (core func $i "run")))""",
    imports=_WORK,
    lowers={
        "work": (
            "(canon lower (func $host-work) (core func $work))",
            "(param i32) (result i32)",
        )
    },
)


def test_a_synchronous_lower_blocks_until_the_host_is_done(engine: Engine) -> None:
    """The guest's thread waits; the result is the coroutine's.  # SK-43"""

    async def work(state: Any, n: int) -> int:
        await asyncio.sleep(0)
        return n + 5

    with _loop() as loop, instance_of(engine, SYNC_CALLER, {"work": work}) as instance:
        assert instance.tasks is not None
        instance.tasks.loop = loop
        assert instance.call(None, "run", 1) == 6


def test_blocking_the_loop_that_would_wake_it_is_refused(engine: Engine) -> None:
    """A guest that blocks on the loop's own thread gets an error, and nothing hangs."""

    async def work(state: Any, n: int) -> int:
        return n

    async def main() -> None:
        with instance_of(engine, SYNC_CALLER, {"work": work}) as instance:
            assert instance.tasks is not None
            instance.tasks.loop = asyncio.get_running_loop()
            with pytest.raises(InstanceError, match="blocks the event loop"):
                instance.call(None, "run", 1)

    asyncio.run(main())


# `echo` reads a stream once, 4 bytes at most, and returns how the read came out.
_READER = """
  (func $done (param $packed i32) (result i32)
    (call $task.return-u32 (local.get $packed))
    (i32.const 0))
  (func (export "read") (param $r i32) (result i32)
    (local $packed i32) (local $set i32)
    (local.set $packed (call $stream.read (local.get $r) (i32.const 16) (i32.const 4)))
    (if (i32.ne (local.get $packed) (i32.const -1))
      (then (return (call $done (local.get $packed)))))
    (local.set $set (call $set.new))
    (call $join (local.get $r) (local.get $set))
    (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
  (func (export "first") (result i32)
    (call $task.return-u32 (i32.load (i32.const 16)))
    (i32.const 0))
  (func (export "cb") (param $code i32) (param $index i32) (param $packed i32) (result i32)
    (call $done (local.get $packed)))
"""
READER = component(
    _READER,
    _lift("read", '(param "body" (stream u8)) (result u32)') + _lift("first", "(result u32)"),
)


@pytest.mark.parametrize(
    ("content", "packed"),
    [
        pytest.param(b"abcdef", 4 << 4, id="more than there is room for"),
        pytest.param(b"ab", 2 << 4, id="less"),
        pytest.param(b"", 1, id="nothing: dropped"),
    ],
)
def test_a_guest_reads_what_the_host_has(engine: Engine, content: bytes, packed: int) -> None:
    """Bytes of the host reach the guest's buffer, as many as fit.  # CA-5, CA-50"""
    with instance_of(engine, READER) as instance:
        assert instance.call(None, "read", content) == packed
        if len(content) >= 4:
            assert instance.call(None, "first") == int.from_bytes(content[:4], "little")


@pytest.mark.parametrize("items", [(-1, 2), ["x"], (256,), [None]])
def test_items_of_the_host_that_do_not_fit(engine: Engine, items: object) -> None:
    """The error says which, and the guest does not go on."""
    with instance_of(engine, READER) as instance:
        with pytest.raises(ValueMismatchError, match=r"item 0: expected u8"):
            instance.call(None, "read", items)
        with pytest.raises(InstanceError):
            instance.call(None, "first")


def test_a_source_is_pulled_when_the_guest_reads(engine: Engine) -> None:
    """A source that answers later wakes the guest; it is asked for no more than is read."""
    asked = []

    class Source:
        closed = False

        async def _later(self) -> bytes:
            await asyncio.sleep(0)
            return b"xyz"

        def read(self, most: int) -> Any:
            asked.append(most)
            return self._later()

    with _loop() as loop, instance_of(engine, READER) as instance:
        assert instance.tasks is not None
        instance.tasks.loop = loop
        assert instance.call(None, "read", Source()) == 3 << 4
    assert asked == [4]


# `write` makes a stream, returns its readable end and writes 6 bytes; it exits when they are read
# or the reader is gone, and keeps the packed result at address 100.
_WRITER = """
  (global $set (mut i32) (i32.const 0))
  (func (export "write") (result i32)
    (local $p i64) (local $w i32)
    (local.set $p (call $stream.new))
    (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $p) (i64.const 32))))
    (i64.store (i32.const 32) (i64.const 0x464544434241))
    (call $return-stream (i32.wrap_i64 (local.get $p)))
    (drop (call $stream.write (local.get $w) (i32.const 32) (i32.const 6)))
    (global.set $set (call $set.new))
    (call $join (local.get $w) (global.get $set))
    (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
  (func (export "cb") (param $code i32) (param $index i32) (param $packed i32) (result i32)
    (i32.store (i32.const 100) (local.get $packed))
    (call $stream.drop-writable (local.get $index))
    (i32.const 0))
  (func (export "outcome") (result i32)
    (call $task.return-u32 (i32.load (i32.const 100)))
    (i32.const 0))
"""
WRITER = component(
    _WRITER,
    _lift("write", "(result (stream u8))") + _lift("outcome", "(result u32)"),
    lowers={
        "return-stream": (
            "(canon task.return (result (stream u8)) (core func $return-stream))",
            "(param i32)",
        )
    },
)


def test_the_host_reads_what_a_guest_writes(engine: Engine) -> None:
    """A task goes on after it returned: it writes as fast as the host reads.  # CA-35, IL-25"""
    with instance_of(engine, WRITER) as instance:
        tasks = instance.tasks
        assert tasks is not None
        call = instance.start(None, "write")
        reader = call.result()
        assert isinstance(reader, StreamReader)
        got: list[Any] = []
        reader.read_now(4, got.append)
        # The guest's write goes on until its event is delivered.
        reader.read_now(4, got.append)
        assert got == [b"ABCD", b"EF"]
        assert not tasks.idle
        tasks.pump()
        assert tasks.idle
        reader.read_now(4, got.append)
        assert got[2] is None
        assert instance.call(None, "outcome") == 6 << 4


def test_a_reader_that_leaves_ends_the_write(engine: Engine) -> None:
    """The guest's write then says DROPPED, with what was read before.  # CA-53, IL-28"""
    with instance_of(engine, WRITER) as instance:
        assert instance.tasks is not None
        reader = instance.call(None, "write")
        reader.read_now(2, lambda items: None)
        reader.close()
        reader.close()
        instance.tasks.pump()
        assert instance.call(None, "outcome") == 2 << 4 | 1


def test_the_host_reads_from_its_own_loop(engine: Engine) -> None:
    """``await reader.read`` gets the bytes while the instance is pumped.  # CA-50"""

    async def main() -> list[Any]:
        with instance_of(engine, WRITER) as instance:
            tasks = instance.tasks
            assert tasks is not None
            loop = asyncio.get_running_loop()
            pump = tasks.pump

            def wake() -> None:
                loop.call_soon(pump)

            tasks.on_wake = wake
            reader = instance.start(None, "write").result()
            return [await reader.read(5), await reader.read(5), await reader.read(5)]

    assert asyncio.run(main()) == [b"ABCDE", None, None]


def test_a_stream_of_the_host_can_be_passed_on(engine: Engine) -> None:
    """A reader that the host got from a guest goes to a guest again, once."""
    with instance_of(engine, WRITER) as writer:
        reader = writer.call(None, "write")
        with instance_of(engine, READER) as instance:
            assert instance.call(None, "read", reader) == 4 << 4
            with pytest.raises(ValueMismatchError, match="argument 0: expected a stream"):
                instance.call(None, "read", reader)


def test_backpressure_holds_calls_back(engine: Engine) -> None:
    """Calls do not start while the counter is above 0, and start in order after.  # CA-13"""
    code = """
      (func (export "hold") (result i32)
        (call $backpressure.inc) (call $task.return) (i32.const 0))
      (func (export "free") (call $backpressure.dec))
      (func (export "run") (result i32) (call $task.return) (i32.const 0))
      (func (export "cb") (param i32 i32 i32) (result i32) unreachable)"""
    lifts = (
        _lift("hold") + _lift("run") + '(func (export "free") (canon lift (core func $i "free")))'
    )
    with instance_of(engine, component(code, lifts)) as instance:
        tasks = instance.tasks
        assert tasks is not None
        instance.call(None, "hold")
        first, second = instance.start(None, "run"), instance.start(None, "run")
        tasks.pump()
        assert not first.done and not second.done
        instance.call(None, "free")
        tasks.pump()
        assert first.done and second.done


def test_yield_lets_others_run(engine: Engine) -> None:
    """A task that yields goes on with the event NONE.  # CA-34"""
    code = """
      (func (export "run") (result i32) (i32.const 1))
      (func (export "cb") (param $code i32) (param i32 i32) (result i32)
        (if (local.get $code) (then unreachable))
        (call $task.return-u32 (i32.const 7))
        (i32.const 0))"""
    with instance_of(engine, component(code, _lift("run", "(result u32)"))) as instance:
        call = instance.start(None, "run")
        assert not call.done
        assert instance.tasks is not None
        instance.tasks.pump()
        assert call.result() == 7


def test_an_argument_that_does_not_fit_harms_nobody(engine: Engine) -> None:
    """The error names it, and the instance goes on."""
    with instance_of(engine, CALLER, {"work": lambda state, n: n}) as instance:
        with pytest.raises(ValueMismatchError, match="argument 0"):
            instance.call(None, "run", "x")
        assert instance.call(None, "run", 1) == 2


def test_closing_ends_calls_in_progress(engine: Engine) -> None:
    """Whoever waits for a call of an instance that is closed gets an error."""

    async def work(state: Any, n: int) -> int:
        await asyncio.Event().wait()
        return n

    with _loop() as loop:
        with instance_of(engine, CALLER, {"work": work}) as instance:
            assert instance.tasks is not None
            instance.tasks.loop = loop
            call = instance.start(None, "run", 1)
        with pytest.raises(InstanceError, match="closed"):
            call.result()


BLOCKING_WRITER = component(
    """
  (func (export "write") (result i32)
    (local $p i64)
    (local.set $p (call $stream.new))
    (i64.store (i32.const 32) (i64.const 0x464544434241))
    (call $return-stream (i32.wrap_i64 (local.get $p)))
    (drop (call $stream.write-sync
      (i32.wrap_i64 (i64.shr_u (local.get $p) (i64.const 32))) (i32.const 32) (i32.const 6)))
    (i32.const 0))
  (func (export "cb") (param i32 i32 i32) (result i32) unreachable)""",
    _lift("write", "(result (stream u8))"),
    lowers={
        "return-stream": (
            "(canon task.return (result (stream u8)) (core func $return-stream))",
            "(param i32)",
        )
    },
)


def test_a_write_that_blocks_waits_for_the_reader(engine: Engine) -> None:
    """A guest that writes synchronously goes on when the host has read.  # SK-43, CA-50"""
    with _loop() as loop, instance_of(engine, BLOCKING_WRITER) as instance:
        tasks = instance.tasks
        assert tasks is not None
        tasks.loop = loop
        got = []

        def read(call: Completion) -> None:
            got.append(asyncio.run_coroutine_threadsafe(call.result().read(9), loop))

        call = instance.start(None, "write", when_done=read)
        assert call.done and tasks.idle
        assert got[0].result() == b"ABCDEF"


def test_a_write_that_nobody_can_read_is_a_deadlock(engine: Engine) -> None:
    """Nothing hangs where no other thread could ever read.  # CA-33"""
    with (
        instance_of(engine, BLOCKING_WRITER) as instance,
        pytest.raises(GuestTrapped, match="deadlock detected"),
    ):
        instance.start(None, "write")


def test_the_host_can_end_a_guest_that_blocks(engine: Engine) -> None:
    """What is posted and raises ends the wait and the instance."""

    async def work(state: Any, n: int) -> int:
        tasks.post(stop)
        await asyncio.Event().wait()
        return n

    def stop() -> None:
        raise Trap("the time is up")

    with _loop() as loop, instance_of(engine, SYNC_CALLER, {"work": work}) as instance:
        assert instance.tasks is not None
        tasks = instance.tasks
        tasks.loop = loop
        with pytest.raises(GuestTrapped, match="the time is up"):
            instance.call(None, "run", 1)
        assert instance.trapped
