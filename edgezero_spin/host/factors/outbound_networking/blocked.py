"""Networks that no component may reach, whatever its manifest allows.

In: entries of ``block_networks``. Out: whether an address is in one of them. An IPv6 address
that carries an IPv4 one is judged by both, because that is where its packets end up.

Source: contract spin-host.md, NET-41, OUTH-10; RFC 4291, 6052 and 3056 for the addresses
within addresses.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import attrs

__all__ = ["BlockedNetworks", "parse_blocked"]

PRIVATE = "private"
"""The entry that stands for everything which is not the public internet."""

_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


@attrs.frozen
class BlockedNetworks:
    """What must not be connected to.

    Attributes:
        networks: Blocked one by one.
        private: Whether all that is not globally reachable is blocked too.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    private: bool = False

    def __bool__(self) -> bool:
        """Whether anything is blocked."""
        return self.private or bool(self.networks)

    def blocks(self, address: str) -> bool:
        """Whether an address is blocked.

        Args:
            address: As the system writes it; an IPv6 one may have a scope.
        """
        return bool(self) and any(map(self._blocks, _meanings(ip_address(address))))

    def _blocks(self, address: IPv4Address | IPv6Address) -> bool:
        if self.private and (not address.is_global or address.is_multicast):
            return True
        return any(
            address in network for network in self.networks if network.version == address.version
        )


def parse_blocked(entries: Iterable[str]) -> BlockedNetworks:
    """Read ``block_networks``: networks in CIDR notation, and the word ``private``.

    Bits behind the prefix do not count.

    Raises:
        ValueError: An entry is neither; the message says which.
    """
    networks: list[IPv4Network | IPv6Network] = []
    private = False
    for entry in entries:
        if entry == PRIVATE:
            private = True
            continue
        try:
            networks.append(ip_network(entry, strict=False))
        except ValueError:
            raise ValueError(
                f"invalid value {entry!r}, expected an IP network in CIDR notation or the "
                f"keyword 'private'"
            ) from None
    return BlockedNetworks(tuple(networks), private)


def _meanings(address: IPv4Address | IPv6Address) -> Iterable[IPv4Address | IPv6Address]:
    """The address, and the IPv4 address inside an IPv6 one."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif _holds(_NAT64, address) or _holds(_COMPATIBLE, address):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _holds(network: IPv6Network, address: IPv6Address) -> bool:
    # A scope makes no other address of it.
    return IPv6Address(int(address)) in network
