"""Outbound connections: every vector of the contract, and what a denial tells people."""

from collections.abc import Callable

import pytest

from edgezero_spin.host.factors.outbound_networking.allowed_hosts import (
    AllowedHosts,
    chaining_target,
    denial_advice,
    parse_outbound_url,
)
from edgezero_spin.manifest.spin.allowed_hosts import AllowedHostError


def hosts(*entries: str, components: tuple[str, ...] = ()) -> AllowedHosts:
    """What a component with these entries may do; there are no variables."""
    return AllowedHosts.resolve(entries, lambda text: text, components)


@pytest.mark.parametrize(
    ("vector", "entry", "scheme", "allowed", "denied"),
    [
        (
            "NV-1",
            "*://spin.example.dev:443",
            "https",
            ["https://spin.example.dev/", "spin.example.dev:443"],
            ["http://spin.example.dev/"],
        ),
        (
            "NV-2",
            "http://example.com:8383",
            "http",
            ["http://example.com:8383/a/b"],
            ["http://example.com/"],
        ),
        ("NV-3", "https://my.api.example/", "https", ["https://my.api.example"], []),
        (
            "NV-4",
            "http://*.example.com",
            "http",
            ["http://a.example.com/x", "http://a.b.example.com/x"],
            [],
        ),
        (
            "NV-5",
            "http://*.example.com",
            "http",
            [],
            ["http://example.com/", "http://myexample.com/", "http://a.example.com:8080/"],
        ),
        ("NV-6", "http://*.Example.COM", "http", ["http://foo.example.com"], []),
        ("NV-7", "http://*.example2.com:8383", "http", [], ["http://a.b.example2.com/"]),
        (
            "NV-8",
            "mysql://xyz.com",
            "mysql",
            ["mysql://user:pass#word@xyz.com", "user%3Apass%23word@xyz.com"],
            ["mysql://user:pass@xyz.com.example"],
        ),
        (
            "NV-9",
            "*://127.0.0.1/24:63551",
            "tcp",
            ["tcp://127.0.0.1:63551", "tcp://127.0.0.200:63551"],
            ["tcp://127.0.1.1:63551"],
        ),
        (
            "NV-10",
            "http://10.0.0.0/8",
            "http",
            ["http://10.1.2.3"],
            ["http://ten.example", "http://11.1.2.3"],
        ),
        (
            "NV-11",
            "http://2001:db8::/32",
            "http",
            ["http://[2001:db8:abcd::1]/x"],
            ["http://[2001:db9::1]", "http://10.0.0.1"],
        ),
        (
            "NV-12",
            "http://[::1]",
            "http",
            ["http://[::1]:80"],
            ["http://[::1]:81", "http://[::2]"],
        ),
        (
            "NV-13",
            "http://example.com:8000..8080",
            "http",
            ["http://example.com:8000", "http://example.com:8079"],
            ["http://example.com:8080", "http://example.com:7999"],
        ),
        ("NV-14", "http://*", "http", ["http://example.com"], ["https://example.com"]),
        ("NV-15", "*://*:*", "http", ["http://a", "redis://b:1", "tcp://[::1]:7"], ["http://a b"]),
        ("NV-16", "http://self", "http", [], ["http://localhost:3000/", "http://self"]),
        ("NV-18", "http://localhost", "http", ["http://LOCALHOST"], ["http://127.0.0.1"]),
        ("NV-20", "*://localhost:7", "tcp", [], ["tcp://127.0.0.1:7"]),
        ("NV-21", "HTTP://example.com:80", "http", [], ["http://example.com"]),
        ("NET-1", "http://h", "http", ["http://h", "HTTP://h"], ["https://h:80", "redis://h:80"]),
        ("NET-1", "*://h:80", "tcp", ["http://h", "redis://h:80", "any://h:80"], ["http://i"]),
        ("NET-4", "http://h:8080", "http", ["http://h:8080"], ["http://h", "http://h:8081"]),
        ("NET-4", "http://h:*", "http", ["http://h", "http://h:1", "http://h:65535"], []),
        ("NET-4", "https://h:80..82", "https", ["https://h:80", "https://h:81"], ["https://h:82"]),
        ("NET-5", "redis://h", "redis", ["redis://h", "redis://h:6379"], ["redis://h:6380"]),
        ("NET-11", "http://nobody", "http", [], ["", "http://", "://", "http://a:70000", "@"]),
        ("one host", "http://127.0.0.1", "http", ["http://127.1", "http://0x7f000001"], []),
        ("user", "http://good.example", "http", [], ["http://good.example@evil.example/"]),
        (
            "fragment",
            "http://good.example",
            "http",
            [],
            [
                "http://evil.example#@good.example",
                "http://evil.example?@good.example",
                "http://evil.example\\@good.example",
            ],
        ),
    ],
)
def test_vectors(
    vector: str, entry: str, scheme: str, allowed: list[str], denied: list[str]
) -> None:
    """An entry allows what the vector says and nothing that it denies."""
    checked = hosts(entry)
    assert [url for url in allowed if not checked.allows(url, scheme)] == []
    assert [url for url in denied if checked.allows(url, scheme)] == []


@pytest.mark.parametrize(
    ("entry", "schemes", "expected"),
    [
        ("http://self", ("http", "https"), True),  # NV-16
        ("https://*", ("http", "https"), True),  # NV-17
        ("http://self.alt", ("http", "https"), True),
        ("*://*:*", ("http", "https"), True),
        ("redis://*:1", ("http", "https"), False),
        ("http://localhost", ("http", "https"), False),
    ],
)
def test_requests_to_the_application_itself(
    entry: str, schemes: tuple[str, ...], expected: bool
) -> None:
    """Only ``self`` and the wildcard host allow a relative request."""
    assert hosts(entry).allows_self(schemes) is expected  # CHAIN-2


def test_templates_are_filled_in() -> None:
    """Variables go into entries, and an empty one takes its entry away."""
    render: Callable[[str], str] = lambda text: (  # noqa: E731
        text.replace("{{ h }}", "localhost").replace("{{ none }}", "")
    )
    found = AllowedHosts.resolve(
        ["redis://{{ h }}:6379", "https://{{ none }}", "{{ none }}"], render, ()
    )
    assert found.allows("redis://localhost:6379", "redis")  # NV-22
    assert len(found.entries) == 1  # NET-6
    with pytest.raises(AllowedHostError):
        hosts("")


def test_wildcard_chaining_reaches_the_components_only() -> None:
    """``*.spin.internal`` means the components of this application."""
    found = hosts("http://*.spin.internal", components=("back",))  # CHAIN-6
    assert found.allows("http://back.spin.internal/x", "http")
    assert not found.allows("http://other.spin.internal/x", "http")
    assert not found.allows("https://back.spin.internal/x", "https")  # CHAIN-5


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("back.spin.internal", "back"),
        ("back.spin.internal:8080", "back"),
        ("a.b.spin.internal", None),
        ("spin.internal", None),
        ("back.spin.internal.example", None),
        ("localhost", None),
    ],
)
def test_chaining_targets(host: str, expected: str | None) -> None:
    """The first label before ``.spin.internal`` is the component."""
    assert chaining_target(host) == expected  # CHAIN-11


def test_denials_say_what_to_write() -> None:
    """The advice names the destination and the entry that would allow it."""
    url = parse_outbound_url("https://user:pw@API.example:8443/x?y", "https")
    assert url.authority == "api.example:8443"
    advice = denial_advice(url.scheme, url.authority)
    assert "disallowed destination 'https://api.example:8443'." in advice  # NET-30
    assert 'allowed_outbound_hosts = ["https://api.example:8443"]' in advice
    assert 'allowed_outbound_hosts = ["http://self"]' in denial_advice("http", "self")  # NET-31


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("http://h", "h", None),
        ("http://h:", "h", None),
        ("http://H:0080/x", "h", 80),
        ("http://h:65535", "h", 65535),
        ("h:1?x#y", "h", 1),
        ("http://[::1]", "::1", None),
        ("http://[::1]:80", "::1", 80),
        ("mysql://u:p#w@h:1/db", "h", 1),
        ("mysql://u:p@h/db@x", "h", None),
        ("mysql://h/db@x", "h", None),
        ("http://u#h@evil:1x", "u", None),
    ],
)
def test_what_counts_of_an_address(address: str, host: str, port: int | None) -> None:
    """Host and port, whatever stands around them."""
    url = parse_outbound_url(address, "http")
    assert (str(url.host), url.port) == (host, port)


@pytest.mark.parametrize(
    "address",
    [
        *("", "http://", "http:///x", "http://h:65536", "http://h:000100000", "http://h:8x"),
        *("http://h:٨٠", "http://h:-1", "http://h:+1", "http://[::1", "http://a b", "http://h:1:2"),
    ],
)
def test_what_is_no_address(address: str) -> None:
    """It is allowed by no entry, and no other place is read out of it."""
    with pytest.raises(ValueError, match=r"."):
        parse_outbound_url(address, "http")
    assert not hosts("*://*:*").allows(address, "http")
