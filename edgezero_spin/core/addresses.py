"""The address of a client, out of the header in which Spin puts it.

In: ``ip``, ``ip:port``, ``[v6]:port`` or a bare IPv6 address. Out: the address text as
it was written, without its port, or ``None`` for anything else.

Source: contract edgezero.md, SPN-2 and SPN-3. The standard library's ``ipaddress``
knows far more than yes or no and is several times this file.
"""

__all__ = ["parse_client_address"]

_HEX = frozenset("0123456789abcdefABCDEF")


def parse_client_address(text: str) -> str | None:
    """Return the address in the text, ``None`` when there is none to be read."""
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        port_ok = not rest or (rest[0] == ":" and _is_port(rest[1:]))
        return address if bracket and port_ok and _is_v6(address) else None
    if text.count(":") > 1:
        return text if _is_v6(text) else None
    address, colon, port = text.partition(":")
    return address if _is_v4(address) and (not colon or _is_port(port)) else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:6]) <= 65535


def _is_v4(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(
        part.isascii()
        and part.isdigit()
        and len(part) <= 3
        and int(part) <= 255
        # "010" is octal to some readers and decimal to others, so to us it is neither.
        and (part == "0" or part[0] != "0")
        for part in parts
    )


def _is_v6(text: str) -> bool:
    head, gap, tail = text.partition("::")
    left = head.split(":") if head else []
    right = tail.split(":") if tail else []
    groups = left + right
    count = len(groups)
    # The last group may be a dotted IPv4 address and then stands for two.
    last_is_v4 = bool(groups) and bool(right or not gap) and _is_v4(groups[-1])
    if last_is_v4:
        groups = groups[:-1]
        count += 1
    if not all(0 < len(group) <= 4 and _HEX.issuperset(group) for group in groups):
        return False
    return count <= 7 if gap else count == 8
