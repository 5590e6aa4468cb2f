"""Which addresses the operator keeps components from."""

import pytest

from edgezero_spin.host.factors.outbound_networking.blocked import BlockedNetworks, parse_blocked


@pytest.mark.parametrize(
    ("entries", "blocked", "free"),
    [
        pytest.param((), (), ("127.0.0.1", "::1", "10.0.0.1"), id="nothing"),
        pytest.param(
            ("1.1.1.1/32", "8.8.8.8/16"),
            ("1.1.1.1", "8.8.0.0", "8.8.255.255"),
            ("1.1.1.2", "8.9.0.0", "127.0.0.1", "::1"),
            id="networks, bits behind the prefix not counting",
        ),
        pytest.param(("9.9.9.9",), ("9.9.9.9",), ("9.9.9.8",), id="one address"),
        pytest.param(("2001:db8::/32",), ("2001:db8::1",), ("2001:db9::1",), id="IPv6"),
        pytest.param(
            ("private",),
            (
                "10.1.2.3",
                "127.0.0.1",
                "169.254.169.254",
                "172.16.0.1",
                "192.168.0.1",
                "100.64.0.1",
                "0.0.0.0",
                "255.255.255.255",
                "224.0.0.1",
                "::",
                "::1",
                "fe80::1",
                "fe80::1%eth0",
                "fd00::1",
                "ff02::1",
            ),
            ("1.1.1.1", "172.32.0.1", "2606:4700:4700::1111"),
            id="private",
        ),
        # The packets to these end at the IPv4 address inside.
        pytest.param(
            ("10.0.0.0/8",),
            ("::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
            ("::ffff:11.0.0.1", "64:ff9b::b00:1", "2002:b00:1::"),
            id="addresses within addresses",
        ),
        pytest.param(
            ("private",),
            ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:c0a8:1::"),
            ("64:ff9b::101:101",),
            id="private ones within public ones",
        ),
    ],
)
def test_addresses(
    entries: tuple[str, ...], blocked: tuple[str, ...], free: tuple[str, ...]
) -> None:
    """Each is judged by what it reaches (NET-41)."""
    networks = parse_blocked(entries)
    assert [address for address in blocked if not networks.blocks(address)] == []
    assert [address for address in free if networks.blocks(address)] == []


def test_nothing_is_blocked_by_default() -> None:
    """And costs nothing to find out."""
    assert not BlockedNetworks()


@pytest.mark.parametrize("entry", ["Private", "10.0.0.0/33", "example.com", "", "10.0.0.0-10"])
def test_what_is_no_network_is_named(entry: str) -> None:
    """The message says what would be one."""
    with pytest.raises(ValueError, match=r"an IP network in CIDR notation or the keyword"):
        parse_blocked([entry])
