"""CGI: command lines and variables of a request, and output that becomes a response."""

import pytest

from edgezero_spin.host.compat.cgi import (
    INSUFFICIENT,
    OutputError,
    arguments_for,
    read_output,
    variables_for,
)
from edgezero_spin.host.exchange.exchange import Exchange
from tests.host.support import HostLog


# WAGI-4, WAGI-5
@pytest.mark.parametrize(
    ("output", "status", "headers", "body"),
    [
        pytest.param(b"Content-Type: a/b\n\nhi", 200, {"content-type": b"a/b"}, b"hi", id="plain"),
        pytest.param(
            b"content-type: a/b\r\nx: y\r\n\r\na\r\n\r\nb",
            200,
            {"content-type": b"a/b", "x": b"y"},
            b"a\r\n\r\nb",
            id="carriage returns count in the body only",
        ),
        pytest.param(b"location: /x\n\n", 302, {"location": b"/x"}, b"", id="redirect"),
        pytest.param(
            b"status: 301 Moved\nlocation: /x\n\n", 301, {"location": b"/x"}, b"", id="other one"
        ),
        pytest.param(
            b"location: /x\nstatus: 201\n\n", 201, {"location": b"/x"}, b"", id="status last"
        ),
        pytest.param(b"status: 404\n\nno", 404, {}, b"no", id="status alone is enough"),
        pytest.param(b"status: fine\ncontent-type: a/b\n\n", 502, None, b"", id="no status"),
        pytest.param(b"status: 99999\ncontent-type: a/b\n\n", 502, None, b"", id="no such status"),
        pytest.param(b"status: 101\ncontent-type: a/b\n\n", 502, None, b"", id="not a final one"),
        pytest.param(b"x: y\n\nhi", 500, {}, INSUFFICIENT, id="neither of the two"),
        pytest.param(b"content-type: a/b\nhi", 500, {}, INSUFFICIENT, id="no blank line"),
        pytest.param(b"\n\nhi", 500, {}, INSUFFICIENT, id="no header"),
        pytest.param(
            b"content-type: a/b\nx: 1\nX: 2\n\n",
            200,
            {"content-type": b"a/b", "x": b"2"},
            b"",
            id="the last of a name wins",
        ),
        pytest.param(
            b"content-type: a/b\nno header\nbad name: 1\n\nhi",
            200,
            {"content-type": b"a/b"},
            b"hi",
            id="what is not a header is left out",
        ),
        # RESP-14
        pytest.param(
            b"content-type: a/b\nconnection: close\ncontent-length: 9\n\nhi",
            200,
            {"content-type": b"a/b"},
            b"hi",
            id="the connection is the host's business",
        ),
    ],
)
def test_output_becomes_a_response(
    output: bytes, status: int, headers: dict[str, bytes] | None, body: bytes
) -> None:
    """Header lines, a blank line, a body."""
    with HostLog():
        response = read_output(output)
    assert (response.status, response.body) == (status, body)
    assert headers is None or dict(response.headers) == headers


@pytest.mark.parametrize(
    ("output", "says"),
    [
        pytest.param(b"content-type: \xff\n\n", "not UTF-8", id="no text"),
        pytest.param(b"content-type: a\x01b\n\n", "'content-type'", id="control characters"),
    ],
)
def test_output_that_cannot_be_sent(output: bytes, says: str) -> None:
    """Nothing is guessed where a value would come out wrong."""
    with pytest.raises(OutputError, match=says):
        read_output(output)


# WAGI-2
@pytest.mark.parametrize(
    ("argv", "target", "expected"),
    [
        ("${SCRIPT_NAME} ${ARGS}", "/a%20b?x=1&y=2", ("/a%20b", "x=1", "y=2")),
        ("${SCRIPT_NAME} ${ARGS}", "/a", ("/a", "")),
        ("prog -q ${ARGS} end", "/a?b", ("prog", "-q", "b", "end")),
        ("two  spaces", "/a", ("two", "", "spaces")),
        ("${SCRIPT_NAME}", "/a?b", ("/a",)),
    ],
)
def test_the_command_line(argv: str, target: str, expected: tuple[str, ...]) -> None:
    """The template is filled in and split at every single space."""
    assert arguments_for(argv, Exchange("GET", target, [])) == expected


@pytest.mark.parametrize(
    ("authority", "name", "port"),
    [
        ("example", "example", "80"),
        ("example:3000", "example", "3000"),
        ("[::1]:3000", "::1", "3000"),
        ("[::1]", "::1", "80"),
        (None, "localhost", "80"),
    ],
)
def test_name_and_port_of_the_server(authority: str | None, name: str, port: str) -> None:
    """They come from Host (WAGI-11)."""
    found = variables_for(Exchange("GET", "/", [], authority=authority), 0, {})
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == (name, port)


def test_a_request_replaces_the_variables_of_the_manifest_but_its_headers_do_not() -> None:
    """Wagi's come last (ENV-1); a client cannot set what the manifest sets."""
    exchange = Exchange("GET", "/", [("proxy", b"http://evil"), ("content_type", b"odd/one")])
    found = variables_for(exchange, 0, {"HTTP_PROXY": "ours", "REQUEST_METHOD": "no"})
    assert (found["HTTP_PROXY"], found["REQUEST_METHOD"]) == ("ours", "GET")
    # WAGI-15
    assert found["CONTENT_TYPE"] == "odd/one"
