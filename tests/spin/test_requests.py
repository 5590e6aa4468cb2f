"""What a component sees of a request is the same on both hosts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.spin.applications import do, probe_manifest
from tests.spin.conftest import Both, Serve, hold


@pytest.fixture(scope="module")
def both(serve: Serve, probe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The probe behind one wildcard."""
    folder = probe_manifest(tmp_path_factory.mktemp("requests"), probe)
    with serve(folder) as programs:
        yield programs


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "BREW", "get"]
)
def test_methods(both: Both, method: str) -> None:
    """Any method reaches the component under its name."""  # HTTP-1
    both.same("/some/path?a=b&a=c", method=method)


def test_head(both: Both) -> None:
    """The answer to HEAD has a head and no body."""
    answer = both.same("/", method="HEAD")
    assert answer.body == b""


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "//",
        "/a//b/",
        "/a%20b/%2F?x=%20+",
        "/?",
        "/a?b?c=/d",
        "/%zz",
        "/a/../b",
        "/a/./b",
        "/~!$&'()*+,=@:",
        "/a;b=c,d",
        "http://example.com/absolute?x",
    ],
)
def test_targets(both: Both, target: str) -> None:
    """Path and query come as they were sent."""  # HTTP-1, ROUTE-8, HDR-2
    both.same(target)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("X-Upper", "Value"), ("x-upper", "second"), ("y", "")], id="repeated"),
        pytest.param([("b", "1"), ("a", "2"), ("B", "3")], id="order"),  # HDR-15
        pytest.param([("accept", "*/*"), ("user-agent", "me"), ("te", "trailers")], id="usual"),
        pytest.param([("cookie", "a=b"), ("cookie", "c=d")], id="cookies"),
        pytest.param([("connection", "keep-alive"), ("keep-alive", "timeout=5")], id="hop by hop"),
        pytest.param([("proxy-connection", "x"), ("proxy-authorization", "y")], id="proxy"),
        pytest.param([("upgrade", "websocket"), ("http2-settings", "AAA")], id="upgrade"),
        pytest.param([("x", "\xc3\xa9")], id="UTF-8"),
        pytest.param([("x", "a\tb")], id="a tab inside"),
        pytest.param([("x", "  blanks around  ")], id="blanks"),
        pytest.param([("x!#$%&'*+-.^_`|~1", "v")], id="an odd name"),
        pytest.param([("forwarded", "for=x"), ("x-forwarded-for", "1.2.3.4")], id="forwarded"),
        pytest.param([("x", "y" * 7000)], id="large"),
        pytest.param([(f"x{n}", str(n)) for n in range(90)], id="many"),
    ],
)
def test_headers(both: Both, headers: list[tuple[str, str]]) -> None:
    """Names, values and order are the same."""  # HDR-12 to HDR-15
    both.same("/", headers)


@pytest.mark.parametrize("host", ["example.com:8080", "LOCALHOST", "[::1]:3000", "1.2.3.4"])
def test_authorities(both: Both, host: str) -> None:
    """The authority is the header ``host`` as it came."""  # HTTP-1, HDR-2
    both.same("/", host=host)


def test_headers_of_the_host_cannot_be_forged(both: Both) -> None:
    """Spin passes them on before its own; the embedded host takes them away."""
    # HDR-10, HDR-11
    forged = [("spin-path-info", "/forged"), ("spin-other", "forged")]
    embedded, real = (json.loads(answer.body)["headers"] for answer in both.ask("/", forged))
    assert ["spin-path-info", "/forged"] in real
    assert ["spin-other", "forged"] in real
    genuine = [pair for pair in real if pair[1] not in ("/forged", "forged")]
    assert embedded == genuine


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_000])
def test_bodies(both: Both, size: int) -> None:
    """Every byte of a body arrives."""
    assert json.loads(both.same("/", do("length"), body=b"z" * size, method="POST").body)[0] == size


def test_chunked_bodies(both: Both) -> None:
    """A body without a length arrives, too, and its framing is not seen."""
    head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
    body = "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n"
    for asked in (do("length"), do("head")):
        lines = "".join(f"{name}: {value}\r\n" for name, value in asked)
        hold(*both.send(f"{head}{lines}\r\n{body}".encode(), "POST"))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("GET / HTTP/1.0\r\nhost: x\r\n\r\n", id="HTTP/1.0"),
        pytest.param("GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n", id="control in the target"),
        pytest.param("GET / HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n", id="blank in a name"),
        pytest.param("GET / HTTP/1.1\r\nhost: x\r\na: \x01\r\n\r\n", id="control in a value"),
        pytest.param("GET / HTTP/1.1\r\nhost: x\r\na: \xe9\r\n\r\n", id="not UTF-8"),  # HDR-14
        pytest.param("nonsense\r\n\r\n", id="nonsense"),
        pytest.param("OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", id="asterisk"),
        pytest.param("GET /a#b HTTP/1.1\r\nhost: x\r\n\r\n", id="fragment"),
        pytest.param("GET /\xe9 HTTP/1.1\r\nhost: x\r\n\r\n", id="other bytes in the target"),
        pytest.param("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: no\r\n\r\n", id="bad length"),
    ],
)
def test_odd_requests(both: Both, raw: str) -> None:
    """What is barely HTTP meets the same fate."""
    hold(*both.send(raw.encode("latin-1")))


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        # RV-94: Spin closes the connection, the embedded host says why.
        pytest.param("GET / HTTP/1.1\r\n\r\n", None, id="no host"),
        pytest.param("GET / HTTP/1.0\r\n\r\n", None, id="HTTP/1.0 without a host"),
        pytest.param("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", None, id="a host that is none"),
        pytest.param("GET http://a/x HTTP/1.1\r\nhost: b\r\n\r\n", None, id="two authorities"),
        # What could be read in two ways is refused.
        pytest.param("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 200, id="two hosts"),
        pytest.param(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"
            "0\r\n\r\n",
            200,
            id="two lengths",
        ),
        # URLs are ASCII.
        pytest.param("GET /\xc3\xa9 HTTP/1.1\r\nhost: x\r\n\r\n", 200, id="UTF-8 in the target"),
    ],
)
def test_requests_that_the_embedded_host_refuses(both: Both, raw: str, status: int | None) -> None:
    """With a 400, whatever Spin makes of them."""
    embedded, real = both.send(raw.encode("latin-1"))
    assert (embedded.status, embedded.body, real.status) == (400, b"", status)


def test_a_version_of_nobody(both: Both) -> None:
    """RFC 9110, 15.6.6, has a status for it; Spin knows only that something is wrong."""
    embedded, real = both.send(b"GET / HTTP/3.9\r\nhost: x\r\n\r\n")
    assert (embedded.status, real.status) == (505, 400)


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param(
            [[name, "x", "y"] for name in ("append",)]
            + [["append", name, "v"] for name in ("host", "Connection", "keep-alive", "upgrade")]
            + [["append", name, "v"] for name in ("te", "trailer", "transfer-encoding", "x y", "")]
            + [["append", "content-length", "7"], ["append", "x", "a\nb"], ["append", "x", "\xe9"]]
            + [["entries"]],
            id="append",
        ),
        pytest.param(
            [
                ["set", "A", ["1", "2"]],
                ["set", "a", ["3"]],
                ["get", "A"],
                ["has", "a"],
                ["has", "b c"],
                ["get", "b c"],
                ["set", "host", ["x"]],
                ["set", "a", []],
                ["set", "b c", []],
                ["delete", "nothing"],
                ["delete", "b c"],
                ["delete", "host"],
                ["get", "host"],
                ["has", "host"],
                ["entries"],
            ],
            id="set and delete",
        ),
        pytest.param(
            [["append", n, v] for n, v in (("B", "1"), ("a", "2"), ("b", "3"), ("A", "4"))]
            + [["entries"], ["delete", "b"], ["append", "b", "5"], ["entries"]],
            id="order",
        ),
    ],
)
def test_fields(both: Both, calls: list[Any]) -> None:
    """Tables of headers take, keep and refuse the same."""  # HTTP-3 to HTTP-8
    both.same("/", do("fields", *calls))


def test_setters(both: Both) -> None:
    """Requests and responses of the guest's own take and refuse the same."""  # HTTP-11
    calls: list[list[Any]] = [
        *(["set_status_code", status] for status in (0, 1, 99, 100, 199, 204, 599, 999, 1000)),
        *(["set_method", name] for name in ("GET", "get", "BREW", "a b", "", "x\xe9", "post")),
        *(["set_scheme", name] for name in ("http", "HTTPS", "ftp", "a b", "", "1x", "x+1")),
        *(["set_authority", text] for text in ("a", "a:1", "a:", "a b", "", "u@a", "[::1]")),
        *(["set_authority", text] for text in ("a/b", "a:99999", "[::1", "é", "%41", "a?b", None)),
        *(["set_path_with_query", text] for text in ("/", "/a b", "*", "?x")),
        *(["set_path_with_query", text] for text in ("/é", "//a", "/%zz", '/"', "/{}", None)),
    ]
    both.same("/", do("setters", *calls))
