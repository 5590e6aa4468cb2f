"""``wasi:http@0.3.0`` as a guest sees it: fields, requests, responses, bodies, sending."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edgezero_spin.host import ConcurrencyPolicy, Host, HostSettings
from tests.component.hosts_03 import Asked, Asking, until
from tests.component.servers import manifest
from tests.component.upstream import upstream
from tests.conformance.serving import serving

# Each test asks the instance that the one before it asked.
pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """Authority of a server that the guest calls."""
    with upstream() as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def host(raw_03: Path, target: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host of the guest, which may call that server and itself."""
    grants = f'allowed_outbound_hosts = ["http://{target}", "http://self", "http://127.0.0.1:1"]'
    path = manifest(raw_03, tmp_path_factory.mktemp("app"), grants)
    # What an instance notes is read afterwards, also on a busy machine.
    policy = ConcurrencyPolicy(least_served=100_000, most_served=100_000, idle_timeout_s=600)
    with Host.from_manifest(path, settings=HostSettings(concurrency=policy)) as opened:
        yield opened


def ask(host: Host, target: str, body: bytes | AsyncIterator[bytes] = b"", **headers: str) -> Asked:
    """Ask once."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(Asking(host)(target, body, named))


def wait_for_note(host: Host, note: str) -> None:
    """Wait until this is what the guest noted last."""

    async def noted() -> bool:
        return bool((await Asking(host)("/seen")).json[-1:] == [note])

    asyncio.run(until(noted))


INVALID, FORBIDDEN, REFUSED = "err(InvalidSyntax)", "err(Forbidden)", "err(NoneType)"


def test_fields(host: Host) -> None:
    """Each rule for names, values, sizes and changes.  # WH-1 to WH-7, V3-32 to V3-36"""
    rows = ask(host, "/fields").json
    expected = {
        "space": INVALID,
        "host": FORBIDDEN,
        "te": "ok",
        "line": INVALID,
        "plus": INVALID,
        "empty": INVALID,
        "large": INVALID,
        "largest": "ok",
        "zeros": "ok",
        "plain": "[b'7']",
        "together": "[('a', b'1'), ('a', b'2'), ('a', b'4'), ('b', b'3')]",
        "taken": "[b'1', b'2', b'4']",
        "left": "[('b', b'3')]",
        "gone": "ok",
        "none": "ok",
        "odd": "[]False",
        "size": "err(SizeExceeded)",
        "list": FORBIDDEN,
        "immutable": "err(Immutable)",
        "syntax before immutable": INVALID,
    }
    assert {name: rows[name] for name in expected} == expected


def test_requests_that_a_guest_makes(host: Host) -> None:
    """What is set by default, and what setters refuse.  # CS-3, CS-14, V3-56 to V3-58"""
    rows = ask(host, "/fields").json
    expected = {
        "method": "Get",
        "rest": "(None, None, None)",
        "h:": REFUSED,
        "h:abc": REFUSED,
        "[::1]": "ok",
        "[::1]:443": "ok",
        "h:443": "ok",
        ":80": "ok",
        "a b": REFUSED,
        "h:99999x": REFUSED,
        "bad method": REFUSED,
        "bad path": REFUSED,
        "bad scheme": REFUSED,
        "options": "(5, None)",
        "kept": "5",
        "kept set": "err(Immutable)",
        "copy set": "ok",
    }
    assert {name: rows[name] for name in expected} == expected


def test_statuses_that_a_guest_sets(host: Host) -> None:
    """100 to 599.  # WH-30, V3-38 to V3-41"""
    expected = {"99": REFUSED, "100": "ok", "599": "ok", "600": REFUSED}
    assert ask(host, "/statuses").json == expected


def test_what_a_request_says_of_itself(host: Host) -> None:
    """What came in, and the host's fields; they cannot be changed, a copy can.  # WH-6, WH-10"""
    seen = ask(host, "/look?a=1", te="trailers", connection="close", spin_x="forged").json
    assert (seen["method"], seen["scheme"], seen["path"]) == ("Get", "Http", "/look?a=1")
    assert (seen["authority"], seen["options"]) == ("localhost", None)
    assert (seen["clone"], seen["set"], seen["set path"]) == ("ok", "err(Immutable)", "ok")
    headers = dict(seen["headers"])
    assert headers["host"] == "localhost"  # WH-11, V3-50
    assert headers["te"] == "trailers"
    assert "connection" not in headers
    assert "spin-x" not in headers
    assert headers["spin-full-url"] == "http://localhost/look?a=1"


@pytest.mark.parametrize(
    ("written", "body", "note"),
    [
        (3, "xxx", "err(HttpResponseBodySize(3))"),
        (7, "", "err(HttpResponseBodySize(7))"),
        (5, "xxxxx", "ok"),
    ],
)
def test_a_body_against_its_length(host: Host, written: int, body: str, note: str) -> None:
    """One of another length is broken off, and the guest is told.  # WH-33, WH-34, V3-42, V3-43"""
    answer = ask(host, f"/length/5/{written}")
    assert answer.text == body
    assert (answer.broken is None) == (written == 5)
    wait_for_note(host, note)


def test_the_verdict_on_a_request_ends_the_transmission(host: Host) -> None:
    """It is told to nobody but the guest.  # WH-18, WH-33"""
    assert ask(host, "/judge", b"content").text == "judged"
    wait_for_note(host, "err(LoopDetected)")


def test_a_handler_that_returns_an_error(host: Host) -> None:
    """500 whatever the code; the instance goes on.  # WH-38, IL-21, V3-26"""

    async def run() -> None:
        asking = Asking(host)
        before = await asking.count()
        answer = await asking("/err")
        assert (answer.status, answer.text) == (500, "")
        assert await asking.count() == (before[0], before[1] + 2)

    asyncio.run(run())


def test_a_body_that_its_maker_breaks_off(host: Host) -> None:
    """What came before goes out; nobody takes it for whole.  # WH-37, V3-46"""
    answer = ask(host, "/abort")
    assert (answer.text, answer.broken) == (
        "abc",
        "the guest broke its body off: internal-error(no more)",
    )


def test_a_request_body_as_the_response(host: Host) -> None:
    """It is passed on without the guest.  # WH-32, V3-45"""
    content = bytes(range(32, 127)) * 11_000
    answer = ask(host, "/echo", content, content_length=str(len(content)))
    assert answer.text == content.decode()
    assert answer.headers["content-length"] == str(len(content))


def test_a_request_body_of_unknown_length_as_the_response(host: Host) -> None:
    """The response does not say a length either.  # WH-32, WH-35"""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    answer = ask(host, "/echo", pieces())
    assert answer.text == "onetwo"
    assert "content-length" not in answer.headers


def test_an_upload_after_the_response(host: Host) -> None:
    """A handler may answer first and read then.  # CA-35, IL-23"""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.01)
            yield b"x" * 1000

    async def run() -> None:
        asking = Asking(host)
        assert (await asking("/swallow/1", b"y" * 100_000)).text == "thanks"
        await asking.noted("swallowed 100000 ok")
        assert (await asking("/upload", pieces())).text == "4000 ok"

    asyncio.run(run())


@pytest.fixture(scope="module")
def port(host: Host) -> Iterator[int]:
    """The host on a socket."""
    with serving(host) as opened:
        yield opened


def exchange(port: int, lines: list[str], more: bytes = b"") -> bytes:
    """Send a request as it stands and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode() + more)
        found = b""
        while piece := client.recv(65536):
            found += piece
    return found


def test_an_empty_body_is_chunked(port: int) -> None:
    """Without contents there is no length.  # WH-35, V3-44"""
    lines = ["GET /empty HTTP/1.1", "host: a", "connection: close"]
    head, _, body = exchange(port, lines).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body == b"0\r\n\r\n"


def test_trailers_go_out_behind_chunks(port: int) -> None:
    """Where the client takes them.  # WH-37, V3-47"""
    lines = ["GET /trailers HTTP/1.1", "host: a", "connection: close", "te: trailers"]
    assert exchange(port, lines).endswith(b"0\r\nx-sum: 1\r\n\r\n")


def test_an_upload_that_its_client_cuts(port: int, host: Host) -> None:
    """The stream ends, and its trailers are an error.  # IL-29, V3-48"""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        fields = "host: a\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n"
        client.sendall(f"PUT /upload HTTP/1.1\r\n{fields}".encode())
        # A client that is gone before the guest begins never reaches it.
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"12345")
        client.shutdown(socket.SHUT_RDWR)
    asyncio.run(Asking(host).noted("5 err(HttpProtocolError)"))


def test_a_client_that_leaves_during_the_body(port: int, host: Host) -> None:
    """The guest's next write is refused; its task runs on.  # IL-28, V3-31"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/stream/100000/1")
    response = connection.getresponse()
    assert response.read(4) == b"0\n1\n"
    response.close()
    connection.close()
    asyncio.run(Asking(host).noted(" lines"))


def send(host: Host, target: str, path: str = "/", **more: str) -> dict[str, object]:
    """Have the guest send a request, and return what it tells of it."""
    found: dict[str, object] = ask(host, target, b"", x_path=path, **more).json
    return found


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param({}, "HttpRequestUriInvalid", id="no authority"),
        pytest.param({"x_authority": "t", "x_scheme": "ftp"}, "HttpProtocolError", id="scheme"),
        pytest.param({"x_authority": "denied.example"}, "HttpRequestDenied", id="denied"),
        pytest.param({"x_authority": "127.0.0.1:1"}, "ConnectionRefused", id="refused"),
        pytest.param({"x_authority": "h:70000"}, "HttpRequestUriInvalid", id="port"),
    ],
)
def test_requests_that_are_not_sent(host: Host, more: dict[str, str], code: str) -> None:
    """Each reason has its code, and the transmission is over.  # WH-50 to WH-54, V3-51 to V3-55"""
    assert send(host, "/send", **more) == {"code": code, "sent": "ok"}


def test_a_request_without_a_path_is_not_sent(host: Host, target: str) -> None:
    """An authority alone is not a URI.  # CS-2, V3-54"""
    found = ask(host, "/send", x_authority=target).json
    assert found["code"] == "HttpRequestUriInvalid"


def test_a_request_and_its_answer(host: Host, target: str) -> None:
    """Both bodies stream; both ends are told that all went well.  # CS-1, CS-20, CS-23"""
    found = send(host, "/send/post/100000", "/echo", x_authority=target)
    assert (found["status"], found["size"]) == (200, 100_000)
    assert (found["end"], found["sent"]) == ("ok", "ok")


def test_a_get_has_no_body_of_unknown_length(host: Host, target: str) -> None:
    """What the guest writes is refused, and nothing hangs.  # CS-21"""
    found = send(host, "/send/get/100000", "/framing", x_authority=target)
    assert found["body"] == '{"content-length": null, "transfer-encoding": null}'


def test_a_body_that_is_too_short_fails_the_request(host: Host, target: str) -> None:
    """The code is in the transmission.  # CS-22, WH-57, V3-61"""
    found = send(host, "/send/post/4", "/echo", x_authority=target, x_length="10")
    assert found == {"code": "HttpProtocolError", "sent": "err(HttpRequestBodySize(4))"}


@pytest.mark.parametrize(
    ("path", "limit", "expected"),
    [
        ("/never", "first-byte", {"code": "ConnectionReadTimeout"}),
        ("/endless", "between-bytes", {"body": "begun", "end": "err(ConnectionReadTimeout)"}),
    ],
)
def test_requests_that_take_too_long(
    host: Host, target: str, path: str, limit: str, expected: dict[str, str]
) -> None:
    """Until the head, and within the body.  # WH-55, CS-25, V3-59, V3-60"""
    # The guest names the option with an underscore, as a field name may.
    headers = {"x-path": path, "x-authority": target, f"x-{limit.replace('-', '_')}": "50"}
    found = asyncio.run(Asking(host)("/send", headers=headers)).json
    assert {name: found[name] for name in expected} == expected


def test_an_answer_is_passed_on(host: Host, target: str) -> None:
    """A response that came in is returned as it is.  # WH-32"""
    content = bytes(range(256)) * 20_000
    request = {"x-path": "/large", "x-authority": target}

    async def run() -> bytes:
        from edgezero_spin.host import HttpRequest

        answer = await host.handle(HttpRequest("GET", "/proxy", headers=request))
        return await answer.read()

    assert asyncio.run(run()) == content


def test_a_request_to_itself(port: int, host: Host) -> None:
    """A URL without host, and the name of Spin for it.  # CS-6, V3-52"""
    for authority in (":80", "self.alt"):
        found = send(host, "/send", "/statuses", x_authority=authority)
        assert (found["status"], found["end"]) == (200, "ok")
