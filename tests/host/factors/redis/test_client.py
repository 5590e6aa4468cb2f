"""Addresses, replies of every kind, and servers that misbehave."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from edgezero_spin.host.factors.outbound_networking import sockets
from edgezero_spin.host.factors.redis.address import RedisAddress, parse_redis_address
from edgezero_spin.host.factors.redis.client import RedisConnection
from edgezero_spin.host.factors.redis.pool import RedisPool
from edgezero_spin.host.factors.redis.replies import RedisError, RedisReplyError, Status


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("redis://localhost", RedisAddress("localhost")),
        ("redis://LOCALHOST:7000/", RedisAddress("localhost", 7000)),
        ("redis://[::1]:7000/3", RedisAddress("::1", 7000, database=3)),
        ("rediss://h/0?x=y", RedisAddress("h", tls=True)),
        ("redis://:p%40ss@h", RedisAddress("h", password=b"p@ss")),
        ("redis://u:p:q@h", RedisAddress("h", username=b"u", password=b"p:q")),
        ("redis://u@h", RedisAddress("h", username=b"u")),
    ],
)
def test_addresses(text: str, address: RedisAddress) -> None:
    """Host, port, login and database; what is encoded is decoded."""
    assert parse_redis_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "http://h",
        "redis:h",
        "redis://",
        "redis://h:x",
        "redis://h/x",
        "redis://h/-1",
    ],
)
def test_what_is_no_address(text: str) -> None:
    """It is refused before anything is connected."""
    with pytest.raises(ValueError, match=r"."):
        parse_redis_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "redis://allowed\\@evil",
        "redis://allowed#@evil",
        "redis://allowed?@evil",
        "redis://allowed/@evil",
    ],
)
def test_no_spelling_reaches_another_host(text: str) -> None:
    """What the rules compare is what is connected to (NET-22)."""
    with suppress(ValueError):
        assert parse_redis_address(text).host == "allowed"


def test_a_password_is_not_shown() -> None:
    """Neither in a message nor in a log."""
    address = parse_redis_address("redis://user:secret@h:1")
    assert "secret" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    "text",
    [
        "redis://:secret/x@h",
        "redis://:secret#x@h",
        "redis://:secret?x@h",
        "redis://u:1/secret@h",
        "redis://:secret@h:port",
        "redis://:secret@h/x",
        "redis://:secret@",
        "redis:secret@h",
    ],
)
def test_a_password_that_spoils_its_address_is_not_shown(text: str) -> None:
    """One that was pasted without being encoded ends in the error, not in the log."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse_redis_address(text)
    assert "secret" not in str(caught.value)


@contextmanager
def server(*answers: bytes) -> Iterator[RedisAddress]:
    """A server that gives each answer to a command, or none to an empty one, and closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for answer in answers:
                if not connection.recv(65536):
                    return
                connection.sendall(answer)
                if not answer:
                    connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield RedisAddress("127.0.0.1", listener.getsockname()[1])
    finally:
        thread.join()
        listener.close()


@contextmanager
def connected(*answers: bytes, **options: Any) -> Iterator[RedisConnection]:
    """A connection to such a server."""
    with server(*answers) as address:
        connection = RedisConnection(address, **options)
        try:
            yield connection
        finally:
            connection.close()


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (b"+OK\r\n", Status("OK")),
        (b":-12\r\n", -12),
        (b"$0\r\n\r\n", b""),
        (b"$4\r\n\r\n\0\xff\r\n", b"\r\n\0\xff"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"_\r\n", None),
        (b"#t\r\n", 1),
        (b"#f\r\n", 0),
        (b",1.5\r\n", b"1.5"),
        (b"(123456789012345678901\r\n", b"123456789012345678901"),
        (b"*0\r\n", []),
        (b"*2\r\n*1\r\n:1\r\n$-1\r\n", [[1], None]),
        (b"~1\r\n+a\r\n", [Status("a")]),
    ],
)
def test_replies(answer: bytes, reply: Any) -> None:
    """Each kind keeps its kind, whatever version of the protocol is spoken."""
    with connected(answer) as connection:
        found = connection.call("X")
        assert (found, type(found)) == (reply, type(reply))


def test_a_reply_in_pieces() -> None:
    """Lines and values may be cut anywhere."""
    whole = b"*2\r\n$5\r\nabcde\r\n:7\r\n"
    with connected(whole) as connection:
        plain = connection._socket

        class OneByOne:
            """A socket that receives a byte at a time."""

            send = plain.send
            close = plain.close

            def recv(self, size: int) -> bytes:
                return plain.recv(1)

        connection._socket = OneByOne()  # type: ignore[assignment]
        assert connection.call("X") == [b"abcde", 7]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"%1\r\n+a\r\n:1\r\n", "Could not convert Redis response"),
        (b"HTTP/1.1 400\r\n", "not a Redis reply"),
        (b":x\r\n", "not a Redis reply"),
        (b":1_0\r\n", "not a Redis reply"),
        (b":9223372036854775808\r\n", "not a Redis reply"),
        (b"$" + b"9" * 5000 + b"\r\n", "not a Redis reply"),
        (b"\r\n", "not a Redis reply"),
        (b"x" * 200_000, "its line does not end"),
        (b"*1\r\n" * 20, "nested too deeply"),
        (b"$1000\r\n", "exceeds limit of 1000 bytes"),
        (b"*1000000000\r\n" + b":1\r\n" * 10, "exceeds limit of 1000 bytes"),
        (b"*1000000000\r\n" + b"_\r\n" * 10, "exceeds limit of 1000 bytes"),
        (b"*1000000000\r\n" + b"$-1\r\n" * 10, "exceeds limit of 1000 bytes"),
        (b"*1000000000\r\n" + b"*0\r\n" * 10, "exceeds limit of 1000 bytes"),
        (b"", r"closed the connection|reset by peer"),
    ],
)
def test_replies_that_end_the_connection(answer: bytes, message: str) -> None:
    """What cannot be read or kept is an error, and so is every later call."""
    with connected(*[answer][: len(answer)]) as connection:
        with pytest.raises(RedisError, match=message):
            connection.call("X", max_bytes=1000)
        with pytest.raises(RedisError, match="the connection is closed"):
            connection.call("X")


def test_a_refusal_leaves_the_connection_as_it_was() -> None:
    """The server's errors are answers; their first word tells the kind."""
    with connected(b"-WRONGTYPE no\r\n", b"!5\r\nERR x\r\n", b"+OK\r\n") as connection:
        for code in ("WRONGTYPE", "ERR"):
            with pytest.raises(RedisReplyError) as caught:
                connection.call("X")
            assert caught.value.code == code
        assert connection.call("X") == "OK"


def test_a_wait_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the server is silent, the caller is asked whether to go on."""
    monkeypatch.setattr(sockets, "PATIENCE_S", 0.001)

    def stop() -> None:
        raise InterruptedError("time is up")

    with connected(b"", check=stop) as connection, pytest.raises(RedisError, match="time is up"):
        connection.call("X")


def test_silence_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool does not wait for ever."""
    monkeypatch.setattr(sockets, "PATIENCE_S", 0.001)
    with (
        connected(b"", reply_timeout_s=0.005) as connection,
        pytest.raises(RedisError, match=r"silent for 0.005 s"),
    ):
        connection.call("X")


def test_nobody_listens() -> None:
    """The message names the address."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(RedisError, match=f"cannot connect to 127.0.0.1:{port}"):
        RedisConnection(RedisAddress("127.0.0.1", port))
    with pytest.raises(RedisError, match="cannot connect to"):
        RedisConnection(RedisAddress("no host"))


def test_login_and_database() -> None:
    """They are sent before anything else, and a refusal is an error."""
    with server(b"+OK\r\n", b"-ERR DB index is out of range\r\n") as address:
        wanted = RedisAddress(address.host, address.port, b"user", b"pass", 99)
        with pytest.raises(RedisReplyError, match="out of range"):
            RedisConnection(wanted)


def test_a_pool_lends_a_connection_again() -> None:
    """Also after a refusal; nothing is connected anew while the server is there."""
    with server(b":1\r\n", b"-ERR no\r\n", b":2\r\n") as address:
        pool = RedisPool(address)
        with pool.connection() as first:
            assert first.call("X") == 1
        with pytest.raises(RedisReplyError), pool.connection() as second:
            second.call("X")
        with pool.connection() as third:
            assert third.call("X") == 2
        assert first is second is third
        pool.close()


def test_a_pool_notices_that_the_server_went() -> None:
    """A connection that died while it was idle is replaced, not used."""
    with server(b":1\r\n") as address:
        pool = RedisPool(address)
        with pool.connection() as first:
            assert first.call("X") == 1
    with pytest.raises(RedisError, match="cannot connect"), pool.connection():
        pass
    assert first.broken
    pool.close()
    pool.close()


def test_a_closed_pool_keeps_nothing() -> None:
    """What was lent out when it closed is closed when it comes back."""
    with server(b":1\r\n") as address:
        pool = RedisPool(address)
        with pool.connection() as connection:
            pool.close()
        assert connection.broken
