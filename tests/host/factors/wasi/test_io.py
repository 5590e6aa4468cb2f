"""Streams and pollables: what blocks, what traps, what is told."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from edgezero_spin.host.errors import DeadlineExceeded, Trap
from edgezero_spin.host.exchange.channel import BODY_BUDGET, PIECE, ByteChannel
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http.bodies import BodyInput, IncomingBody, OutgoingBody
from edgezero_spin.host.factors.wasi.io import READ_PIECE, EmptyInput, IoError, Pollable
from tests.host.support import call, error_of, instance_state

IN = "wasi:io/streams [method]input-stream."
OUT = "wasi:io/streams [method]output-stream."
CLOSED = ("closed", None)


@pytest.fixture
def state() -> InstanceState:
    """The state of an instance."""
    return instance_state()


def source(state: InstanceState, content: bytes = b"", *, ended: bool = True) -> BodyInput:
    """An input stream over some bytes."""
    channel = ByteChannel()
    channel.put(content)
    if ended:
        channel.end()
    return IncomingBody(state, channel).stream()


def channel_of(stream: BodyInput) -> ByteChannel:
    """The channel below an input stream."""
    channel = stream._body.channel
    assert channel is not None
    return channel


def later(action: Callable[[], object]) -> threading.Thread:
    """Do something on another thread."""
    thread = threading.Thread(target=action)
    thread.start()
    return thread


@pytest.mark.parametrize("read", ["read", "blocking-read"])
def test_reading_gives_the_bytes_and_then_the_end(state: InstanceState, read: str) -> None:
    """Bytes come in the sizes asked for; behind them the stream is closed (HTTP-20)."""
    stream = source(state, b"abcdef")
    assert bytes(call(state, IN + read, stream, 4)) == b"abcd"
    assert bytes(call(state, IN + read, stream, 100)) == b"ef"
    assert error_of(state, IN + read, stream, 1) == CLOSED
    assert error_of(state, IN + read, stream, 0) == CLOSED


def test_reading_nothing_blocks_nothing(state: InstanceState) -> None:
    """A read of length 0 returns at once, though nothing is there."""
    stream = source(state, ended=False)
    assert call(state, IN + "blocking-read", stream, 0) == b""
    assert call(state, IN + "read", stream, 10) == b""


@pytest.mark.parametrize("read", ["read", "blocking-read"])
def test_reading_nothing_before_the_end_is_not_the_end(state: InstanceState, read: str) -> None:
    """A guest may ask for 0 bytes to see whether all is read, as StarlingMonkey of 2024 does."""
    # HTTP-20
    stream = source(state, b"abc")
    assert bytes(call(state, IN + read, stream, 0)) == b""
    assert bytes(call(state, IN + read, stream, 10)) == b"abc"
    assert error_of(state, IN + read, stream, 0) == CLOSED


def test_one_read_moves_a_bounded_piece(state: InstanceState) -> None:
    """A huge length does not make a huge value."""
    stream = source(state, b"x" * (2 * READ_PIECE))
    assert len(call(state, IN + "read", stream, 1 << 40)) == READ_PIECE


def test_skipping_counts_what_it_threw_away(state: InstanceState) -> None:
    """Skip answers with the bytes skipped and leaves the rest."""
    stream = source(state, b"abcdef")
    assert call(state, IN + "skip", stream, 2) == 2
    assert call(state, IN + "blocking-skip", stream, 2) == 2
    assert bytes(call(state, IN + "read", stream, 9)) == b"ef"
    assert error_of(state, IN + "skip", stream, 1) == CLOSED


def test_a_blocked_read_wakes_with_the_bytes(state: InstanceState) -> None:
    """Bytes put by another thread end the wait."""
    stream = source(state, ended=False)
    thread = later(lambda: channel_of(stream).put(b"here"))
    assert bytes(call(state, IN + "blocking-read", stream, 100)) == b"here"
    thread.join()


def test_a_failed_body_says_why(state: InstanceState) -> None:
    """A broken transport is an error that converts to a code of wasi:http."""
    stream = source(state, b"ab", ended=False)
    channel_of(stream).fail(("connection-terminated", None))
    assert bytes(call(state, IN + "read", stream, 9)) == b"ab"
    case, error = error_of(state, IN + "read", stream, 9)
    assert case == "last-operation-failed"
    assert call(state, "wasi:http/types http-error-code", error) == ("connection-terminated", None)
    assert "connection-terminated" in call(
        state, "wasi:io/error [method]error.to-debug-string", error
    )


def sink(state: InstanceState, length: int | None = None) -> tuple[OutgoingBody, Any]:
    """An outgoing body and its stream."""
    body = OutgoingBody(state, length, "HTTP-response-body-size")
    return body, body.write()


def test_the_budget_shrinks_and_grows(state: InstanceState) -> None:
    """check-write falls to 0 as bytes wait and recovers when they are taken (HTTP-17)."""
    body, stream = sink(state)
    pollable = call(state, OUT + "subscribe", stream)
    written = 0
    while room := call(state, OUT + "check-write", stream):
        call(state, OUT + "write", stream, b"x" * room)
        written += room
    assert written == BODY_BUDGET
    assert not call(state, "wasi:io/poll [method]pollable.ready", pollable)
    body.channel.take(10)
    assert call(state, "wasi:io/poll [method]pollable.ready", pollable)
    assert call(state, OUT + "check-write", stream) == 10


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        pytest.param("write", b"x" * (PIECE + 1), id="write"),
        pytest.param("write-zeroes", PIECE + 1, id="write-zeroes"),
        pytest.param("blocking-write-and-flush", b"x" * 4097, id="blocking write"),
        pytest.param("blocking-write-zeroes-and-flush", 4097, id="blocking zeroes"),
    ],
)
def test_writing_past_the_budget_traps(
    state: InstanceState, function: str, argument: object
) -> None:
    """What check-write did not allow, or 4096 bytes at once, is against the rules."""
    _, stream = sink(state)
    with pytest.raises(Trap):
        call(state, OUT + function, stream, argument)


def test_a_blocking_write_waits_for_room(state: InstanceState) -> None:
    """A full channel makes the guest sleep until its bytes fit, in order."""
    body, stream = sink(state)
    while room := call(state, OUT + "check-write", stream):
        call(state, OUT + "write", stream, b"-" * room)
    thread = later(lambda: [body.channel.take(1000) for _ in range(5)])
    call(state, OUT + "blocking-write-and-flush", stream, b"x" * 4096)
    thread.join()
    assert body.channel.take_all().endswith(b"-" + b"x" * 4096)


@pytest.mark.parametrize(
    "function", ["check-write", "flush", "blocking-flush", "write", "blocking-write-and-flush"]
)
def test_a_stream_without_a_reader_is_closed(state: InstanceState, function: str) -> None:
    """After the client left every operation says so (LIFE-8)."""
    body, stream = sink(state)
    body.channel.close()
    arguments = (b"x",) if "write" in function and function != "check-write" else ()
    assert error_of(state, OUT + function, stream, *arguments) == CLOSED


def test_zeroes_are_written(state: InstanceState) -> None:
    """Both forms write that many zero bytes."""
    body, stream = sink(state)
    call(state, OUT + "write-zeroes", stream, 3)
    call(state, OUT + "blocking-write-zeroes-and-flush", stream, 2)
    assert body.channel.take_all() == bytes(5)


def test_splicing_moves_bytes_across(state: InstanceState) -> None:
    """Splice moves what is there, at most what is asked for, and reports the end."""
    body, stream = sink(state)
    origin = source(state, b"abcdef")
    assert call(state, OUT + "splice", stream, origin, 2) == 2
    assert call(state, OUT + "blocking-splice", stream, origin, 100) == 4
    assert body.channel.take_all() == b"abcdef"
    assert error_of(state, OUT + "splice", stream, origin, 1) == CLOSED
    assert error_of(state, OUT + "blocking-splice", stream, EmptyInput(), 1) == CLOSED
    assert call(state, OUT + "blocking-splice", stream, origin, 0) == 0


def test_a_blocked_splice_waits_for_either_side(state: InstanceState) -> None:
    """Bytes that come in later are moved."""
    body, stream = sink(state)
    origin = source(state, ended=False)
    assert call(state, OUT + "splice", stream, origin, 10) == 0
    thread = later(lambda: channel_of(origin).put(b"late"))
    assert call(state, OUT + "blocking-splice", stream, origin, 10) == 4
    thread.join()
    assert body.channel.take_all() == b"late"


def test_poll_answers_with_every_ready_index(state: InstanceState) -> None:
    """All that are ready are named, in order, and nothing else."""
    ready, never = Pollable(lambda: True), Pollable(lambda: False)
    assert call(state, "wasi:io/poll poll", [never, ready, never, ready]) == [1, 3]


def test_poll_of_nothing_traps(state: InstanceState) -> None:
    """An empty list could never return."""
    with pytest.raises(Trap, match="empty"):
        call(state, "wasi:io/poll poll", [])


def test_poll_returns_when_the_first_timer_fires(state: InstanceState) -> None:
    """Of two timers the nearer one ends the wait, without a look at a clock by the guest."""
    start = time.monotonic_ns()
    soon = call(state, "wasi:clocks/monotonic-clock subscribe-duration", 20_000_000)
    late = call(state, "wasi:clocks/monotonic-clock subscribe-instant", start + 60_000_000_000)
    assert call(state, "wasi:io/poll poll", [late, soon]) == [1]
    assert 20_000_000 <= time.monotonic_ns() - start < 10_000_000_000


def test_before_a_guest_sleeps_its_bytes_are_announced(state: InstanceState) -> None:
    """The hook runs once per real wait and not for what is ready."""
    told: list[str] = []
    state.before_wait = lambda: told.append("flush")
    state.around_wait = lambda asleep: told.append(f"asleep {asleep}")
    call(state, "wasi:io/poll [method]pollable.block", Pollable(lambda: True))
    assert told == []
    timer = call(state, "wasi:clocks/monotonic-clock subscribe-duration", 1_000_000)
    call(state, "wasi:io/poll [method]pollable.block", timer)
    assert told == ["flush", "asleep True", "asleep False"]


def test_cancelling_traps_a_sleeping_guest(state: InstanceState) -> None:
    """The host can end a guest that waits for something that never comes."""
    thread = later(lambda: state.cancel("enough"))
    with pytest.raises(Trap, match="enough"):
        call(state, "wasi:io/poll [method]pollable.block", Pollable(lambda: False))
    thread.join()


def test_a_deadline_ends_a_wait() -> None:
    """A guest does not outlive its deadline by sleeping (LIFE-7)."""
    state = instance_state()
    state.deadline_ns = time.monotonic_ns() + 5_000_000
    with pytest.raises(DeadlineExceeded):
        call(state, "wasi:io/poll [method]pollable.block", Pollable(lambda: False))


def test_errors_of_other_kinds_convert_to_nothing(state: InstanceState) -> None:
    """An error without a code of an interface is none of its errors."""
    error = IoError("disk", filesystem="io")
    assert call(state, "wasi:http/types http-error-code", error) is None
    assert call(state, "wasi:filesystem/types filesystem-error-code", error) == "io"
    assert call(state, "wasi:sockets/network network-error-code", error) is None
