"""Request headers: what the client's become and what the host adds."""

import pytest

from edgezero_spin.host.http.headers import (
    HeaderNotTextError,
    client_headers,
    host_headers,
    peer_text,
)
from edgezero_spin.host.http.routes import RouteDeclaration, TriggerRouteTable


def test_the_host_adds_its_headers_in_order() -> None:
    """Each header stands once, in the contract's order, with undecoded texts."""
    route = "/base/:path_segment/:Path_End/..."  # CONF-11
    match = TriggerRouteTable([RouteDeclaration(route, "test")]).match("/base/p%20q/end/rest")
    assert match is not None
    target = "/base/p%20q/end/rest?key=value"
    assert host_headers(
        match, scheme="https", host="example.com:3000", target=target, client_addr="[::1]:80"
    ) == [
        ("spin-path-info", b"/rest"),  # HDR-1
        ("spin-full-url", f"https://example.com:3000{target}".encode()),  # HDR-2
        ("spin-matched-route", route.encode()),  # HDR-3
        ("spin-base-path", b"/"),  # HDR-4
        ("spin-raw-component-route", route.encode()),  # HDR-5
        ("spin-component-route", b"/base/:path_segment/:Path_End"),  # HDR-6
        ("spin-client-addr", b"[::1]:80"),  # HDR-7
        ("spin-path-match-path-segment", b"p%20q"),  # HDR-8
        ("spin-path-match-path-end", b"end"),
    ]


def test_parameters_without_a_header_name_are_left_out() -> None:
    """A parameter whose name is not a header name is matched but not sent."""
    match = TriggerRouteTable([RouteDeclaration("/:é/:b", "a")]).match("/1/2")
    assert match is not None
    headers = host_headers(match, scheme="http", host=None, target="/1/2", client_addr="")
    assert headers[-1] == ("spin-path-match-b", b"2")  # HDR-9
    assert headers[-2][0] == "spin-client-addr"


def test_bytes_that_are_no_text_come_back_as_they_were() -> None:
    """A path with raw bytes reaches the guest unchanged."""
    target = b"/\xff".decode("utf-8", "surrogateescape")
    match = TriggerRouteTable([RouteDeclaration("/...", "a")]).match(target)
    assert match is not None
    headers = dict(host_headers(match, scheme="http", host="h", target=target, client_addr=""))
    assert headers["spin-path-info"] == b"/\xff"
    assert headers["spin-full-url"] == b"http://h/\xff"


def test_clients_cannot_speak_for_the_host() -> None:
    """A client's spin headers, in any case and spelling, never reach the guest."""
    received = [
        (b"spin-path-info", b"/forged"),
        (b"Spin-Full-Url", b"http://forged"),
        (b"SPIN_CLIENT_ADDR", b"1.2.3.4:5"),
        (b"spinning", b"yes"),
    ]
    assert client_headers(received) == [("spinning", b"yes")]  # HDR-11


def test_headers_of_the_connection_stay_with_the_host() -> None:
    """Host, Connection and their like are not for guests."""
    received = [
        (b"Host", b"example.com"),
        (b"connection", b"keep-alive"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"h2c"),
        (b"Accept", b"*/*"),
    ]
    assert client_headers(received) == [("accept", b"*/*")]  # HDR-12, HDR-13


def test_repeated_headers_come_together() -> None:
    """Values of one name keep their order and move to the first of them."""
    received = [(b"a", b"1"), (b"b", b"2"), (b"A", b"3"), (b"b", b"2")]
    assert client_headers(received) == [  # HDR-15
        ("a", b"1"),
        ("a", b"3"),
        ("b", b"2"),
        ("b", b"2"),
    ]


def test_a_value_that_is_no_text_is_refused_by_name() -> None:
    """UTF-8 passes, other bytes name their header."""
    assert client_headers([(b"x", "é".encode())]) == [("x", "é".encode())]
    with pytest.raises(HeaderNotTextError, match="'x'"):
        client_headers([(b"X", b"\xe9")])  # HDR-14


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")])
def test_peer_text(host: str, expected: str) -> None:
    """IPv6 addresses stand in brackets."""
    assert peer_text(host, 80) == expected  # HDR-7
