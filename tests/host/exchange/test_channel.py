"""Byte channels: order, budget, ends."""

import pytest

from edgezero_spin.host.exchange.channel import ByteChannel


def test_bytes_come_out_in_order_however_they_are_cut() -> None:
    """Pieces of any size read back as the bytes that were put."""
    channel = ByteChannel()
    for part in (b"abc", b"", b"defgh", b"i"):
        channel.put(part)
    assert [bytes(channel.take(most)) for most in (2, 4, 3, 9)] == [b"ab", b"c", b"def", b"gh"]
    assert channel.take_all() == b"i"
    assert channel.size == 0


def test_room_is_what_the_reader_left() -> None:
    """A full channel has room again for exactly what was taken."""
    channel = ByteChannel(limit=10)
    channel.put(b"x" * 10)
    assert (channel.room(), channel.has_room()) == (0, False)
    channel.take(4)
    assert (channel.room(), channel.has_room()) == (4, True)


@pytest.mark.parametrize("how", ["end", "fail"])
def test_an_end_is_final(how: str) -> None:
    """The first end decides; bytes put before it stay readable."""
    channel = ByteChannel()
    channel.put(b"left")
    if how == "end":
        channel.end([("t", b"1")])
        channel.fail("too late")
        assert (channel.failure, channel.trailers) == (None, [("t", b"1")])
    else:
        channel.fail("broken")
        channel.end([("t", b"1")])
        assert (channel.failure, channel.trailers) == ("broken", None)
    assert channel.readable()
    assert channel.take_all() == b"left"
    assert channel.readable()


def test_a_reader_that_left_costs_nothing() -> None:
    """After close nothing is kept and the writer is told that it may go on."""
    told = []
    channel = ByteChannel(limit=4)
    channel.on_space = lambda: told.append(channel.closed)
    channel.put(b"abcd")
    channel.close()
    channel.close()
    channel.put(b"more")
    assert told == [True]
    assert channel.has_room()
    assert (channel.size, channel.take_all()) == (0, b"")


def test_each_side_is_told_once_per_change() -> None:
    """The writer announces bytes and the end, the reader announces space."""
    heard: list[str] = []
    channel = ByteChannel()
    channel.on_data = lambda: heard.append("data")
    channel.on_space = lambda: heard.append("space")
    channel.put(b"")
    channel.put(b"abc")
    channel.take(1)
    channel.take(2)
    channel.take(1)
    channel.end()
    channel.end()
    assert heard == ["data", "space", "space", "data"]
