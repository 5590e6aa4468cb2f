"""Entries of ``allowed_outbound_hosts``: which are accepted, and what each refusal says."""

import pytest

from edgezero_spin.manifest.spin.allowed_hosts import (
    AllowedHostError,
    check_sole_entry,
    parse_allowed_host,
)
from edgezero_spin.manifest.spin.host_names import parse_host_name

# NV-31, NET-2, NET-3
ACCEPTED = [
    "http://h",
    "http://h:4444",
    "http://h/",
    "*://h:7777",
    "http://self",
    "http://*.example.com",
    "http://192.168.1.1",
    "http://192.168.1.1:3002",
    "http://[::1]",
    "http://[::1]:8080/",
    "*://127.0.0.0/24:80",
    "http://10.0.0.0/8",
    "http://ff00::/8",
    "http://2001:db8::/32:443",
    "http://::1/128",
    "http://self/",
    "*://*:*",
    "http://h:80..90",
    "redis://h",
    "http://*/",
]

# NV-32
REJECTED = [
    "example.com",
    "example.com:8080",
    "localhost",
    "localhost:3001",
    "h:80",
    "[::1]",
    "[::1]:8080",
    "http://h/a",
    "http://h:6666/a/b",
    "http://*.h/a",
    "http://h//",
    "http://self//",
    "*://127.0.0.0/24",
    "http://127.0.0.0/24/p",
    "http://*.",
    "http://*.:8080",
    "http://*.127.0.0.1",
    "http://*.[::1]",
    "http://[::1",
    "http://[::1]junk",
    "http://[::1]::80",
    "http://[::1]/foo",
    "http://example.com:notaport",
    ":99999",
    ":8080..70000",
    ":8080..",
    "http://example.com:80:90",
    "http://example%.com",
    "http://exa[mple.com",
    "http://h:99999",
    "http://h:80..70000",
    "tcp://h:",
    "http://",
]


@pytest.mark.parametrize("entry", ACCEPTED)
def test_accepted_entries(entry: str) -> None:
    """What Spin accepts is accepted."""
    assert parse_allowed_host(entry).text == entry


@pytest.mark.parametrize("entry", REJECTED)
def test_rejected_entries(entry: str) -> None:
    """What Spin refuses is refused."""
    with pytest.raises(AllowedHostError):
        parse_allowed_host(entry)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        # NET-8
        ("*", '"*" is not an allowed outbound host format'),
        ("", '"" is not an allowed outbound host format'),
        ("example.com", "does not contain a scheme (e.g., 'http://' or '*://')"),
        # NET-9
        ("http://h:x", 'Invalid allowed host port "x"'),
        ("ftp://h", 'Invalid allowed host port ""'),
        ("ht2p://h:1", 'Invalid allowed host scheme "ht2p": only alphabetic characters'),
        ("http://h/a", 'Invalid allowed host "h/a": must not include a path'),
        ("http://*.*.h", "wildcards are allowed only as prefixes"),
        ("http://a.*.h", "wildcards are allowed only as subdomains"),
        ("http://*.127.0.0.1", "wildcard suffix must be a domain"),
        # NET-10
        ("{http,https}://h:1", "scheme lists are not supported"),
        ("http://{a,b}", "host lists are not yet supported"),
        ("http://h:{1,2}", "port lists are not supported"),
    ],
)
def test_refusals_quote_the_part(entry: str, expected: str) -> None:
    """The message says which part is wrong and why."""
    with pytest.raises(AllowedHostError) as caught:
        parse_allowed_host(entry)
    assert expected in str(caught.value)


def test_the_old_way_to_allow_everything_is_refused() -> None:
    """Only as the sole entry, as in Spin; the message says what to write instead."""
    with pytest.raises(AllowedHostError, match=r"use '\*://\*:\*' instead"):
        check_sole_entry(["insecure:allow-all"])  # NET-7
    check_sole_entry([])
    check_sole_entry(["http://h"])


def test_calls_within_the_application_are_seen() -> None:
    """Entries for the application's own components are told from others."""
    assert parse_allowed_host("http://back.spin.internal").chains
    assert parse_allowed_host("http://*.spin.internal").chains
    assert not parse_allowed_host("http://spin.internal").chains
    assert not parse_allowed_host("http://*.notspin.internal").chains
    expanded = parse_allowed_host("http://*.spin.internal").expanded(["a", "b"])  # CHAIN-6
    assert [entry.host for entry in expanded] == ["a.spin.internal", "b.spin.internal"]
    [single] = parse_allowed_host("http://*.example.com").expanded(["a"])
    assert single == parse_allowed_host("http://*.example.com")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EXAMPLE.com", "example.com"),
        ("ex%61mple.com", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("example.com.", "example.com."),
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("[::FFFF]", "::ffff"),
        ("1.2.3.example", "1.2.3.example"),
    ],
)
def test_spellings_of_one_host(text: str, expected: str) -> None:
    """Different spellings of a host are one host."""
    assert str(parse_host_name(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "a b", "a/b", "a:80", "%", "%ff", "256.1.1.1", "1.2.3.4.5", "08.1", "[::1", "[g::]"],
)
def test_texts_that_are_no_host(text: str) -> None:
    """What cannot be connected to is not a host."""
    with pytest.raises(ValueError, match=r"invalid|empty"):
        parse_host_name(text)
