"""The deprecated ``allowed_http_hosts``, as entries of ``allowed_outbound_hosts``.

Source: contract spin-host.md, MAN-39, MAN-76 and MAN-79.
"""

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

__all__ = ["HttpHostsError", "outbound_hosts_of"]

_ALLOW_ALL = "insecure:allow-all"
_ODD = frozenset(' \t<>^|%\\{}`"')


class HttpHostsError(ValueError):
    """Entries that name no host. ``str`` gives one line for each."""


def outbound_hosts_of(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the entries in the form of ``allowed_outbound_hosts``.

    Raises:
        HttpHostsError: An entry has a path, another scheme, or is not a host at all.
    """
    entries = tuple(entries)
    if _ALLOW_ALL in entries:
        return ("http://*:*", "https://*:*", "http://self")
    converted: list[str] = []
    faults: list[str] = []
    for entry in entries:
        try:
            host = _host_of(entry)
        except ValueError as err:
            faults.append(str(err))
        else:
            converted += (
                ["http://self"] if host == "self" else [f"http://{host}", f"https://{host}"]
            )
    if faults:
        heading = "One or more allowed_http_hosts entries was invalid:"
        raise HttpHostsError("\n".join([heading, *faults]))
    return tuple(converted)


def _host_of(entry: str) -> str:
    """Return ``host`` or ``host:port``, the scheme's own port left out."""
    useless = f"{entry} isn't a valid host or host:port string"
    try:
        url = urlsplit(entry if "//" in entry else f"http://{entry}")
        port = url.port
    except ValueError:
        raise ValueError(useless) from None
    if url.scheme not in ("http", "https") or not url.hostname or _ODD & set(url.netloc):
        raise ValueError(useless)
    if url.path not in ("", "/"):
        raise ValueError(f"{entry} contains a path, should be host and optional port only")
    default = {"http": 80, "https": 443}[url.scheme]
    name = _host_text(url)
    return name if port is None or port == default else f"{name}:{port}"


def _host_text(url: SplitResult) -> str:
    name = url.hostname or ""
    return f"[{name}]" if ":" in name else name
