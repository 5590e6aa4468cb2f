"""One app, two generations of WASI, two hosts: the embedded one and ``jco serve``, not ours.

What a handler does with a request and a response looks the same to a client of any.
"""

import json
import random
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.component.conftest import Build
from tests.component.servers import Server, embedded, jco

SERVERS = {"embedded": embedded, "jco": jco}


@pytest.fixture(scope="module", params=["embedded-0.2", "embedded-0.3", "jco-0.2"])
def server(request: pytest.FixtureRequest, build: Build) -> Iterator[Server]:
    """The guest ``behaviours`` of a generation on one of the hosts."""
    name, _, wasi = request.param.partition("-")
    with SERVERS[name](build("behaviours", wasi=wasi)) as served:
        yield served


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client that is closed after the test."""
    with httpx.Client(base_url=server.url, timeout=30) as opened:
        yield opened


@pytest.fixture
def our_client(server: Server, client: httpx.Client) -> httpx.Client:
    """A client of the embedded host, for what only a Spin host promises."""
    if server.name != "embedded":
        pytest.skip("a promise of Spin hosts")
    return client


def test_text_has_its_length_and_type(client: httpx.Client) -> None:
    """A text answer is whole and labelled."""  # HND-2, HND-3
    answer = client.get("/")
    assert (answer.status_code, answer.text) == (200, "hello\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == "6"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/names/a%20b", '{"name":"a b"}', id="decoded parameter"),
        pytest.param("/files/a/b%2Fc", "a/b/c", id="catch-all"),
        pytest.param("/numbers/41", "42", id="converted parameter, plain def handler"),
        pytest.param("/large/0", "", id="empty body"),
    ],
)
def test_path_parameters(client: httpx.Client, path: str, expected: str) -> None:
    """They arrive decoded and converted."""  # RTE-5 as amended
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, expected)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        pytest.param("GET", "/missing", 404, "not_found", id="no route"),
        pytest.param("DELETE", "/", 405, "method_not_allowed", id="other method"),
        pytest.param("GET", "/numbers/x", 400, "bad_request", id="no number"),
        pytest.param("GET", "/names/%FF", 400, "bad_request", id="not UTF-8"),
        pytest.param("GET", "/raise", 500, "internal", id="handler raises"),
        pytest.param("GET", "/raise-first", 500, "internal", id="stream raises at once"),
        pytest.param("GET", "/forbidden-header", 500, "internal", id="header refused by the host"),
    ],
)
def test_errors_are_json(
    client: httpx.Client, method: str, path: str, status: int, kind: str
) -> None:
    """Every failure before the head is the contract's JSON, without what is private."""
    # ERR-1 to ERR-10, ERR-13 as amended
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert (error["status"], error["kind"]) == (status, kind)
    assert "not for the client" not in answer.text
    assert "Traceback" not in answer.text


def test_the_allowed_methods_are_named(client: httpx.Client) -> None:
    """405 carries them in a header and in the message."""  # RTE-8, ERR-4
    answer = client.post("/")
    assert answer.headers["allow"] == "GET, HEAD"
    assert "method POST not allowed" in answer.json()["error"]["message"]


def test_head_has_no_body(client: httpx.Client) -> None:
    """The GET handler answers it, and its length is kept."""  # RTE-9 as amended
    answer = client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_nothing_is_204(client: httpx.Client) -> None:
    """A handler that returns None sends neither body nor type."""  # HND-2
    answer = client.get("/nothing")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers


def test_repeated_headers_are_kept_in_order(client: httpx.Client) -> None:
    """Two values of one name arrive as two."""  # SPN-1
    sent = [("x-tag", "one"), ("x-other", "o"), ("x-tag", "two")]
    seen = client.get("/headers", headers=sent).json()
    assert [value for name, value in seen if name == "x-tag"] == ["one", "two"]


def test_repeated_response_headers_are_kept_in_order(our_client: httpx.Client) -> None:
    """Two cookies out are two cookies at the client; jco keeps the last one only."""  # SPN-5
    answer = our_client.get("/twice")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_the_request_line_arrives_as_sent(client: httpx.Client) -> None:
    """Path and query are raw, the authority is the host header."""
    about = client.get("/request?a=%20b&a=2").json()
    assert about["method"] == "GET"
    assert (about["raw_path"], about["query"]) == ("/request", "a=%20b&a=2")
    assert about["authority"] == client.base_url.netloc.decode()


def test_json_is_checked(client: httpx.Client) -> None:
    """A fitting body is built, a misfit is 400, a broken rule 422."""  # EXT-1, EXT-8
    assert client.post("/points", json={"x": 1, "y": 2}).json() == {"x": 1, "y": 2}
    assert client.post("/points", json={"x": "1"}).status_code == 400
    assert client.post("/points", content=b"{").status_code == 400
    assert client.post("/points", json={"x": 1, "y": -1}).status_code == 422


def test_a_body_over_the_limit_is_413(client: httpx.Client) -> None:
    """The app's own limit holds for reads that keep the whole body."""  # BOD-3 as amended
    assert client.post("/length", content=b"x" * (1024 * 1024)).text == str(1024 * 1024)
    answer = client.post("/length", content=b"x" * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["error"]["status"]) == (413, 413)


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 65536, 3_000_000])
def test_bodies_of_any_size_go_out_whole(client: httpx.Client, size: int) -> None:
    """On either side of what one blocking write takes, and far beyond the host's budget."""
    answer = client.get(f"/large/{size}")
    assert answer.headers.get("content-length", "0") == str(size)
    expected = (bytes(range(256)) * (size // 256 + 1))[: size - size % 256] + b"x" * (size % 256)
    assert answer.content == expected


@pytest.mark.parametrize("path", ["/echo", "/copy"])
def test_a_body_is_sent_back_while_it_arrives(client: httpx.Client, path: str) -> None:
    """Five million bytes in, five million out, in order: passed on by the host or looked at."""
    # BOD-4 as amended
    data = b"".join(i.to_bytes(4, "big") for i in range(1_250_000))
    assert client.post(path, content=data).content == data


@pytest.mark.parametrize("path", ["/echo", "/copy"])
@pytest.mark.parametrize("size", [0, 1, 65536, 65537])
def test_small_bodies_are_sent_back_as_well(client: httpx.Client, path: str, size: int) -> None:
    """Nothing, less than a piece, a piece to the byte, and one more."""
    assert client.post(path, content=b"y" * size).content == b"y" * size


@pytest.mark.parametrize("path", ["/echo", "/copy"])
def test_an_upload_that_breaks_off_breaks_off_its_echo(
    our_client: httpx.Client, server: Server, path: str
) -> None:
    """The end of what came is not passed off as the end of the body."""  # RESP-9
    with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n"
        peer.sendall(head.encode() + b"z" * 200_000)
        received = peer.recv(65536)
        # The host passes everything on; a guest keeps less than a piece for its next write.
        while received.count(b"z") < 100_000:
            received += peer.recv(65536)
        peer.shutdown(socket.SHUT_WR)
        while more := peer.recv(65536):
            received += more
    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(b"0\r\n\r\n")
    assert our_client.get("/").text == "hello\n"


def test_a_generator_is_streamed(client: httpx.Client) -> None:
    """Chunk by chunk, all of them."""  # SPN-6 as amended
    answer = client.get("/stream/26/10000")
    assert answer.content == b"".join(bytes([65 + i]) * 10000 for i in range(26))


def test_a_body_that_nobody_reads_does_no_harm(client: httpx.Client) -> None:
    """The handler answers without looking at it, and the connection serves on."""
    assert client.post("/ignore", content=b"x" * 200_000).text == "not read\n"
    assert client.get("/").text == "hello\n"


def test_a_stream_that_fails_later_breaks_the_connection(our_client: httpx.Client) -> None:
    """What was sent is not passed off as the whole; jco itself ends at a dropped body."""
    # RESP-9
    received = b""
    with (
        pytest.raises(httpx.HTTPError),
        our_client.stream("GET", "/raise-later") as answer,
    ):
        assert answer.status_code == 200
        for chunk in answer.iter_raw():
            received += chunk
    assert received in (b"", b"the beginning\n")


@pytest.mark.usefixtures("our_client")
def test_a_client_that_goes_away_ends_an_endless_stream(server: Server) -> None:
    """The guest is told, stops, and the next request is served; jco never tells it."""
    # LIFE-8
    with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
        peer.sendall(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        assert peer.recv(65536).startswith(b"HTTP/1.1 200")
    assert httpx.get(f"{server.url}/", timeout=30).text == "hello\n"


def test_a_header_value_that_is_not_utf_8_never_traps(server: Server) -> None:
    """A Spin host refuses it before the guest is asked; through Node it arrives as UTF-8.

    What a guest makes of such bytes is in ``test_odd_requests``.
    """  # HDR-14
    with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
        peer.sendall(
            b"GET /headers HTTP/1.1\r\nhost: x\r\nx-odd: \xff\xfe\r\nconnection: close\r\n\r\n"
        )
        answer = b""
        while data := peer.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    if server.name == "embedded":
        assert head.split()[1] == b"500"
        return
    assert head.split()[1] == b"200"
    start, end = body.index(b"["), body.rindex(b"]") + 1
    assert ["x-odd", "\xff\xfe".encode().decode("latin-1")] in json.loads(body[start:end])


@pytest.fixture
def fresh_client(request: pytest.FixtureRequest, our_client: httpx.Client) -> httpx.Client:
    """A client of instances that serve one request each, as those of WASI 0.2 do."""
    if "embedded-0.3" in request.node.name:
        pytest.skip("an instance of WASI 0.3 serves many requests")
    return our_client


def test_random_numbers_differ_between_instances(our_client: httpx.Client) -> None:
    """The snapshot does not give every instance the same numbers, though seeding waits."""
    seen = [tuple(our_client.get("/random").json()) for _ in range(3)]
    assert len(set(seen)) == 3
    assert all(first != second for first, second in seen)


def test_a_seed_of_the_apps_own_is_kept(our_client: httpx.Client) -> None:
    """Who seeds gets the numbers of that seed."""
    numbers = random.Random(7)
    expected = [numbers.random(), numbers.random()]
    assert our_client.get("/random/seeded").json() == expected


def test_an_instance_serves_one_request(fresh_client: httpx.Client) -> None:
    """Nothing that a handler leaves in memory is seen by the next one."""  # LIFE-2
    assert [fresh_client.get("/calls").text for _ in range(3)] == ["1", "1", "1"]
