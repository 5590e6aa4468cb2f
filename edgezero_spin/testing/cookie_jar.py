"""Cookies of a test client: what answers set, sent again as a browser would.

In: the ``Set-Cookie`` fields of answers, and what a test sets. Out: the ``Cookie`` field of the
next request. Values are kept as they came, because an app reads its own quotes and escapes;
``http.cookiejar`` would send them without the quotes, and has no clock to be given.

A test reaches its app at ``http://localhost``, which browsers trust like ``https://``: cookies that
are ``Secure`` are sent there, too. Sites and public suffixes are not looked at.

Source: RFC 6265, 5.1 to 5.4; RFC 6265bis for what is trusted without TLS. The methods are
those of a dictionary, and ``set`` and ``delete`` those of ``httpx.Cookies``.
"""

import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from ipaddress import IPv4Address, IPv6Address, ip_address

import attrs

from edgezero_spin.core.cookies import quote_cookie, unquote_cookie
from edgezero_spin.core.headers import Headers
from edgezero_spin.core.http_dates import parse_http_date
from edgezero_spin.testing.requests import KitRequest

__all__ = ["Cookies"]


@attrs.frozen
class _Cookie:
    name: str
    value: str
    domain: str
    path: str
    host_only: bool
    secure: bool
    expires: float | None

    @property
    def place(self) -> tuple[str, str, str]:
        return self.domain, self.path, self.name

    def is_for(self, host: str, path: str, trusted: bool) -> bool:
        """Whether a request to a host and a path carries the cookie."""
        same_host = not self.domain or self.domain == host
        below = not self.host_only and _is_below(host, self.domain)
        return (
            (same_host or below)
            and (self.path == path or path.startswith(self.path.removesuffix("/") + "/"))
            and (trusted or not self.secure)
        )


class Cookies(MutableMapping[str, str]):
    """The cookies that a client has, by name: ``client.cookies["session"]``.

    Assigning to a name sets a cookie for every host and path. Of cookies with one name in several
    paths the last one set is shown.
    """

    def __init__(
        self, cookies: Mapping[str, str] | None = None, now: Callable[[], float] = time.time
    ) -> None:
        """Take the cookies that there are from the beginning.

        Args:
            cookies: Values by name.
            now: Seconds since 1970, for cookies that expire.
        """
        self._kept: dict[tuple[str, str, str], _Cookie] = {}
        self._now = now
        self.update(cookies or {})

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        """Set a cookie, of every host unless a domain is named."""
        kept = _Cookie(name, quote_cookie(value), domain.lower(), path, False, False, None)
        self._keep(kept)

    def delete(self, name: str, domain: str | None = None, path: str | None = None) -> None:
        """Forget the cookies of a name, of one domain or path if they are named.

        Raises:
            KeyError: There is none.
        """
        found = [
            cookie.place
            for cookie in self._alive()
            if cookie.name == name
            and domain in (None, cookie.domain)
            and path in (None, cookie.path)
        ]
        if not found:
            raise KeyError(name)
        for place in found:
            del self._kept[place]

    def __getitem__(self, name: str) -> str:
        for cookie in reversed(self._alive()):
            if cookie.name == name:
                return unquote_cookie(cookie.value)
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        for cookie in self._alive():
            if cookie.name == name:
                del self._kept[cookie.place]
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(cookie.name for cookie in self._alive()))

    def __len__(self) -> int:
        return len({cookie.name for cookie in self._alive()})

    def __repr__(self) -> str:
        return f"Cookies({dict(self)!r})"

    # Between the client and the app

    def sent_with(self, request: KitRequest) -> KitRequest:
        """Return a request with its cookies; one that has a ``Cookie`` field keeps that."""
        if any(name == "cookie" for name, _ in request.headers):
            return request
        host = _host_of(request)
        trusted = request.scheme == "https" or _is_loopback(host)
        pairs = {name: quote_cookie(value) for name, value in request.cookies.items()}
        kept = [cookie for cookie in self._alive() if cookie.is_for(host, request.path, trusted)]
        for cookie in sorted(kept, key=lambda cookie: -len(cookie.path)):
            pairs.setdefault(cookie.name, cookie.value)
        if not pairs:
            return request
        field = "; ".join(f"{name}={value}" for name, value in pairs.items())
        return attrs.evolve(request, headers=[*request.headers, ("cookie", field.encode())])

    def take(self, request: KitRequest, headers: Headers) -> None:
        """Keep what an answer sets; forget what it deletes."""
        for field in headers.get_all("set-cookie"):
            cookie = self._read(field, request)
            if cookie is not None:
                self._keep(cookie)

    def _keep(self, cookie: _Cookie) -> None:
        self._kept.pop(cookie.place, None)
        if cookie.expires is None or cookie.expires > self._now():
            self._kept[cookie.place] = cookie

    def _alive(self) -> list[_Cookie]:
        now = self._now()
        return [kept for kept in self._kept.values() if kept.expires is None or kept.expires > now]

    def _read(self, field: str, request: KitRequest) -> _Cookie | None:
        """Return the cookie of a ``Set-Cookie`` field, ``None`` where it is refused."""
        pair, *parts = field.split(";")
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            return None
        said = {}
        for part in parts:
            label, _, text = part.partition("=")
            said[label.strip().lower()] = text.strip()
        host = _host_of(request)
        domain = said.get("domain", "").lstrip(".").lower()
        if domain and domain != host and not _is_below(host, domain):
            return None
        path = said.get("path", "")
        if not path.startswith("/"):
            path = request.path.rpartition("/")[0] or "/"
        return _Cookie(
            name.strip(),
            value.strip(),
            domain or host,
            path,
            not domain,
            "secure" in said,
            self._expiry(said),
        )

    def _expiry(self, said: Mapping[str, str]) -> float | None:
        age = said.get("max-age", "")
        if age.removeprefix("-").isdecimal():
            return self._now() + float(age)
        return parse_http_date(said.get("expires", ""))


def _host_of(request: KitRequest) -> str:
    host = request.authority.rpartition("@")[2].lower()
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() else host


def _is_below(host: str, domain: str) -> bool:
    return host.endswith(f".{domain}") and not _address(host)


def _is_loopback(host: str) -> bool:
    address = _address(host)
    named = host == "localhost" or host.endswith(".localhost")
    return named if address is None else address.is_loopback


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
