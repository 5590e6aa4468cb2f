"""The conformance vectors of section 11, restated: manifest, guest, request and response.

The vectors that need a service which this machine may lack (mqtt, postgres), Wagi, or
open sockets of a guest's own are not here; ``edgezero lock`` and the startup output have theirs
elsewhere.
"""

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.conftest import Application
from tests.conformance.serving import ask, http_echo, serving

# "CL 0" and "TE/CL" of the table.
NO_BODY = {"content-length": "0"}
ANY_FRAMING = {"transfer-encoding": None, "content-length": None}


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """Port of the service double ``http-echo``."""
    with http_echo() as port:
        yield port


def test_key_value(application: Application) -> None:
    """Every call of the key-value interface does what it says."""  # CONF-1
    host = application("key-value", route="/...", grants='key_value_stores = ["default"]')
    with serving(host) as port:
        ask(port).must_be(200, required=NO_BODY)


def test_key_value_without_permission(application: Application) -> None:
    """A store that the manifest does not list is refused."""  # CONF-2
    with serving(application("key-value-no-permission", route="/...")) as port:
        ask(port).must_be(
            500,
            "Error::AccessDenied",
            optional={"transfer-encoding": "chunked", "content-length": "19"},
        )


def test_outbound_http(application: Application, echo: int) -> None:
    """A POST goes out and its answer is relayed piece by piece."""  # CONF-8
    url = f"http://localhost:{echo}"
    host = application("outbound-http", grants=f'allowed_outbound_hosts = ["{url}"]')
    with serving(host) as port:
        ask(port, headers={"url": url}).must_be(
            200,
            "Hello, world!",
            optional={
                "transfer-encoding": "chunked",
                "server": None,
                "content-type": "text/plain",
                "content-length": None,
            },
        )


def test_outbound_http_without_permission(application: Application) -> None:
    """The refusal comes with the response, not from sending."""  # CONF-9, OUTH-4
    with serving(application("outbound-http")) as port:
        ask(port, headers={"url": "http://localhost:1234"}).must_be(
            500,
            "incoming-response#get: ErrorCode::HttpRequestDenied",
            optional={"transfer-encoding": "chunked", "content-length": "28"},
        )


def test_request_shape(application: Application) -> None:
    """Method, authority, path and the host's headers, each once; forged ones are gone."""
    # CONF-11, HDR-11
    host = application(
        "request-shape", route="/base/:path_segment/:path_end/...", id="request-shape"
    )
    sent = {
        "User-Agent": "my-agent",
        "Accept": "*/*",
        "Spin-Path-Info": "/forged",
        "spin-other": "forged",
        "spin_path_info": "/forged",
    }
    with serving(host) as port:
        ask(port, "/base/path/end/rest?key=value", sent).must_be(200, required=NO_BODY)


@pytest.mark.parametrize("state_dir", ["", "state"])
def test_sqlite(bare_application: Application, tmp_path: Path, state_dir: str) -> None:
    """A table is made, filled and asked, in memory and in a file."""  # CONF-12, DB-2
    folder = state_dir and tmp_path / state_dir
    host = bare_application("sqlite", grants='sqlite_databases = ["default"]', state_dir=folder)
    with serving(host) as port:
        ask(port).must_be(200, optional=ANY_FRAMING)


def test_sqlite_without_permission(bare_application: Application) -> None:
    """A database that the manifest does not list is refused."""  # CONF-13
    with serving(bare_application("sqlite-no-permission")) as port:
        ask(port).must_be(500, "Error::AccessDenied", optional=ANY_FRAMING)


VARIABLE = 'variables = { variable = "value" }'


def test_variables(application: Application) -> None:
    """What is there is read; what is not, or cannot be, has its own answer."""  # CONF-19
    with serving(application("variables", route="/...", grants=VARIABLE)) as port:
        ask(port).must_be(200, required=NO_BODY)


def test_configuration(bare_application: Application) -> None:
    """The same by ``wasi:config/store``."""  # CONF-49
    with serving(bare_application("wasi-config", route="/...", grants=VARIABLE)) as port:
        ask(port).must_be(200, required=NO_BODY)


CHAIN = """\
spin_manifest_version = 2
[application]
name = "chain"
[[trigger.http]]
route = "/front"
component = "front"
[[trigger.http]]
route = {{ private = true }}
component = "middle"
[[trigger.http]]
route = {{ private = true }}
component = "back"

[component.front]
source = {source}
environment = {{ VECTOR = "front" }}
allowed_outbound_hosts = ["http://middle.spin.internal"]
[component.middle]
source = {source}
environment = {{ VECTOR = "middle" }}
allowed_outbound_hosts = ["https://*.spin.internal"]
[component.back]
source = {source}
environment = {{ VECTOR = "back" }}
"""


def test_chain_of_components(application: Application) -> None:
    """Front calls middle, middle calls back, without a socket and each with its own rights."""
    # CONF-40, CHAIN-4 to CHAIN-9
    with serving(application("front", manifest=CHAIN)) as port:
        answer = ask(port, "/front", {"url": "http://middle.spin.internal/hello/from/front"})
        assert (answer.status, json.loads(answer.body)) == (
            200,
            [
                "/hello/from/front",
                {
                    "path-info": "/hello/from/middle",
                    "method": "Method_Post",
                    "body": "body from middle",
                },
            ],
        )
        ask(port, "/front", {"url": "http://back.spin.internal/"}).must_be(
            500, "incoming-response#get: ErrorCode::HttpRequestDenied", optional=ANY_FRAMING
        )
        assert ask(port, "/hello/from/front").status == 404


@pytest.mark.parametrize("url", ["/elsewhere", "http://self.alt/elsewhere"])
@pytest.mark.parametrize(
    ("hosts", "status", "body"),
    [
        pytest.param('allowed_http_hosts = ["self"]', 200, "the same application", id="self"),
        pytest.param('allowed_http_hosts = ["self.alt"]', 200, "the same application", id="alt"),
        pytest.param(
            "", 500, "incoming-response#get: ErrorCode::HttpRequestDenied", id="not granted"
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_own_application(
    application: Application, url: str, hosts: str, status: int, body: str
) -> None:
    """A component reaches its own application, whatever host its client asked for."""
    # CONF-41, CHAIN-1 to CHAIN-3
    with serving(application("self", route="/...", grants=hosts)) as port:
        answer = ask(port, headers={"host": "google.com", "url": url})
        answer.must_be(status, body, optional=ANY_FRAMING)


def test_key_values_of_the_command_line(application: Application) -> None:
    """What is given at the start is in the default store."""  # CONF-42, KV-45
    host = application(
        "key-value-entry",
        grants='key_value_stores = ["default"]',
        key_values={"greeting": "hello"},
    )
    with serving(host) as port:
        ask(port, headers={"key": "greeting", "value": "hello"}).must_be(200, required=NO_BODY)


def test_environment(application: Application) -> None:
    """Variables of the command line join those of the manifest."""  # CONF-43, ENV-1
    with serving(application("environment", env={"foo": "bar"})) as port:
        ask(port).must_be(200, required=NO_BODY)


def test_files(application: Application, tmp_path: Path) -> None:
    """Mounted files are there; excluded ones and others are not."""  # CONF-44, MAN-66, MAN-68
    for name in ("thisshouldbemounted/1", "thisshouldbemounted/no/2", "other/3"):
        path = tmp_path / "static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    mounts = """\
files = [{ source = "static/thisshouldbemounted", destination = "/thisshouldbemounted" }]
exclude_files = ["static/thisshouldbemounted/no/*"]
"""
    with serving(application("files", route="/...", grants=mounts)) as port:
        ask(port, "/thisshouldbemounted/1").must_be(
            200, "content of thisshouldbemounted/1", optional=ANY_FRAMING
        )
        for absent in ("/thisshouldbemounted/no/2", "/other/3", "/static/other/3", "/spin.toml"):
            ask(port, absent).must_be(404, optional=ANY_FRAMING)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param("*://127.0.0.2:6001", id="another address"),  # CONF-17
        pytest.param("*://127.0.0.1:6002", id="another port"),  # CONF-18
    ],
)
def test_sockets_without_permission(bare_application: Application, entry: str) -> None:
    """A connection that no entry allows is denied before it is made."""  # NET-21, ENV-18
    grants = f'allowed_outbound_hosts = ["{entry}"]'
    with serving(bare_application("tcp-sockets", route="/...", grants=grants)) as port:
        ask(port, headers={"address": "127.0.0.1:7"}).must_be(
            500, "access-denied (error 1)", optional=ANY_FRAMING
        )


def test_an_endless_loop_meets_its_deadline(application: Application) -> None:
    """100 ms of time end in an empty 500."""  # CONF-46, LIFE-6
    with serving(application("infinite-loop", request_timeout_s=0.1)) as port:
        ask(port).must_be(500, required=NO_BODY)


@pytest.mark.parametrize("path", ["/echo", "/double-echo"])
def test_bodies_are_forwarded_chunk_by_chunk(
    application: Application, path: str, request: pytest.FixtureRequest
) -> None:
    """The first chunk is back before the second is sent, also through a second request."""
    # CONF-50
    if path == "/double-echo" and "app for 0.2" in request.node.name:
        pytest.skip("there Outbound sends all of a body before it reads the answer")
    grants = 'allowed_outbound_hosts = ["http://self"]'
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    with (
        serving(application("streaming", route="/...", grants=grants)) as port,
        socket.create_connection(("127.0.0.1", port), 5) as client,
    ):
        client.sendall(head.encode() + b"5\r\nfirst\r\n")
        seen = b""
        while b"first" not in seen:
            data = client.recv(65536)
            assert data, seen
            seen += data
        large = b"second" * 100_000
        client.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(large), large))
        while not seen.endswith(b"0\r\n\r\n"):
            data = client.recv(65536)
            assert data, seen[-100:]
            seen += data
    assert seen.startswith(b"HTTP/1.1 200")
    assert dechunked(seen.partition(b"\r\n\r\n")[2]) == b"first" + large


def test_a_whole_body_passes_through_a_second_request(application: Application) -> None:
    """What the application itself echoes comes back whole."""  # CONF-50
    grants = 'allowed_outbound_hosts = ["http://self"]'
    with serving(application("streaming", route="/...", grants=grants)) as port:
        data = bytes(range(256)) * 2000
        ask(port, "/double-echo", method="POST", body=data).must_be(200, data, optional=ANY_FRAMING)


def dechunked(data: bytes) -> bytes:
    """Undo the chunked coding."""
    content = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        content += rest[:length]
        data = rest[length + 2 :] if length else b""
    return content


def test_several_answers_are_read_side_by_side(application: Application, echo: int) -> None:
    """Each URL's body is hashed as it arrives."""  # CONF-50
    base = f"http://127.0.0.1:{echo}"
    sizes = (0, 10, 100_000, 2_000_000)
    host = application("streaming", route="/...", grants=f'allowed_outbound_hosts = ["{base}"]')
    with serving(host) as port:
        answer = ask(port, "/hash-all", {"urls": " ".join(f"{base}/{size}" for size in sizes)})
    assert answer.status == 200
    expected = {f"{base}/{n}: {hashlib.sha256(b'x' * n).hexdigest()}" for n in sizes}
    assert set(answer.body.decode().splitlines()) == expected
