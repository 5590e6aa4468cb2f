"""The client address out of Spin's header."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.core import Request
from edgezero_spin.core.addresses import parse_client_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        # TV-43, SPN-3
        ("10.0.0.1", "10.0.0.1"),
        ("192.168.1.1:8080", "192.168.1.1"),
        ("::1", "::1"),
        ("[::1]:3000", "::1"),
        ("[::1]", "::1"),
        ("2001:db8::ff00:42:8329", "2001:db8::ff00:42:8329"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ("not-an-ip", None),
        ("", None),
        ("localhost:80", None),
        ("1.2.3", None),
        ("1.2.3.256", None),
        ("01.2.3.4", None),
        ("1.2.3.4:", None),
        ("1.2.3.4:70000", None),
        ("1.2.3.4:x", None),
        ("[::1", None),
        ("[::1]3000", None),
        ("[1.2.3.4]:80", None),
        ("1:2:3:4:5:6:7", None),
        ("1::2::3", None),
        ("12345::", None),
        (":1", None),
        ("1.2.3.4::", None),
    ],
)
def test_parse_client_address(text: str, address: str | None) -> None:
    """An address with or without port is read; anything else is none."""
    assert parse_client_address(text) == address


@given(
    st.ip_addresses().map(str)
    | st.from_regex(r"[0-9a-f:.]{1,24}", fullmatch=True)
    | st.lists(st.sampled_from(["", "0", "f", "1234", "1.2.3.4"]), max_size=10).map(":".join)
)
def test_bare_addresses_are_what_the_standard_library_takes(text: str) -> None:
    """The small parser and ``ipaddress`` agree on what an address is."""
    try:
        ipaddress.ip_address(text)
        expected: str | None = text
    except ValueError:
        expected = None
    known_port = expected is None and text.count(":") == 1
    if not known_port:
        assert parse_client_address(text) == expected


def test_request_reads_spins_headers() -> None:
    """Address and URL come from Spin's headers, and are none without them."""
    # SPN-2, TV-44
    request = Request.of(
        "GET",
        "/",
        {"spin-client-addr": "1.2.3.4:5", "spin-full-url": "https://example.com/a?b"},
    )
    assert request.client_addr == "1.2.3.4"
    assert request.full_url == "https://example.com/a?b"
    bare = Request.of("GET", "/")
    assert bare.client_addr is None
    assert bare.full_url is None
    assert Request.of("GET", "/", {"spin-full-url": b"\xff"}).full_url is None
