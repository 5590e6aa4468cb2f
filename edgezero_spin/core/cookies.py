"""Cookies: the ``Cookie`` field of a request, and ``Set-Cookie`` of a response.

In: what a browser sent, or a name, a value and attributes. Out: values by name, or the text of the
field. A value that holds more than a cookie may is written in double quotes with octal escapes, and
read so, as ``http.cookies`` of Python does.

Source: RFC 6265, 4.1 and 5.4; RFC 6265bis for ``SameSite`` and the prefixes of names.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

from edgezero_spin.core.http_dates import http_date

if TYPE_CHECKING:
    from datetime import datetime, timedelta

__all__ = ["SameSite", "parse_cookies", "quote_cookie", "set_cookie_value", "unquote_cookie"]

SameSite: TypeAlias = Literal["lax", "strict", "none"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PLAIN = re.compile(r"[!#-+\--:<-\[\]-~]*")
_ATTRIBUTE = re.compile(r"[ -:<-~]*")
_ESCAPES = re.compile(r"\\([0-3][0-7][0-7]|.)")
_OCTAL_DIGITS = 3


def parse_cookies(fields: Iterable[str]) -> dict[str, str]:
    """Return the cookies of ``Cookie`` fields by name; of two with one name the first.

    The one of the longer path comes first.
    """
    found: dict[str, str] = {}
    for field in fields:
        for pair in field.split(";"):
            name, equals, value = pair.partition("=")
            if equals:
                found.setdefault(name.strip(), unquote_cookie(value.strip()))
    return found


def set_cookie_value(
    name: str,
    value: str,
    *,
    max_age: "int | timedelta | None",
    expires: "datetime | None",
    path: str | None,
    domain: str | None,
    secure: bool,
    httponly: bool,
    samesite: SameSite | None,
    partitioned: bool,
) -> str:
    """Return the value of a ``Set-Cookie`` field.

    Raises:
        ValueError: The name, the value or an attribute cannot stand there, or a browser would not
            take the cookie.
    """
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a cookie name")
    if not (value.isascii() and (value.isprintable() or not value)):
        raise ValueError(
            f"cookie {name!r}: the value holds what is not printable ASCII; encode it before"
        )
    lower = name.lower()
    if lower.startswith(("__secure-", "__host-")) and not secure:
        raise ValueError(f"cookie {name!r}: a browser takes this name with secure=True only")
    if lower.startswith("__host-") and (path != "/" or domain is not None):
        raise ValueError(f"cookie {name!r}: a browser takes this name with path='/', no domain")
    if samesite not in ("lax", "strict", "none", None):
        raise ValueError(f"samesite is 'lax', 'strict', 'none' or None, got {samesite!r}")
    if (samesite == "none" or partitioned) and not secure:
        raise ValueError(
            f"cookie {name!r}: a browser takes samesite='none' or partitioned with secure=True only"
        )
    parts = [f"{name}={quote_cookie(value)}"]
    if max_age is not None:
        seconds = max_age if isinstance(max_age, int) else int(max_age.total_seconds())
        parts.append(f"Max-Age={seconds}")
    if expires is not None:
        if expires.tzinfo is None:
            raise ValueError(f"cookie {name!r}: expires has no time zone; write datetime.now(UTC)")
        parts.append(f"Expires={http_date(expires.timestamp())}")
    for label, text in (("Domain", domain), ("Path", path)):
        if text is not None:
            if not _ATTRIBUTE.fullmatch(text):
                raise ValueError(f"cookie {name!r}: {text!r} is not a {label.lower()}")
            parts.append(f"{label}={text}")
    parts += ["Secure"] * secure + ["HttpOnly"] * httponly
    if samesite is not None:
        parts.append(f"SameSite={samesite.capitalize()}")
    parts += ["Partitioned"] * partitioned
    return "; ".join(parts)


def quote_cookie(value: str) -> str:
    """Return a value as a cookie has it: in quotes, with octal escapes, where it needs them."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = "".join(c if _PLAIN.fullmatch(c) else f"\\{ord(c):03o}" for c in value)
    return f'"{escaped}"'


def unquote_cookie(value: str) -> str:
    """Return the value that the text of a cookie stands for."""
    if value[:1] != '"' or value[-1:] != '"' or len(value) == 1:
        return value
    value = value[1:-1]
    if "\\" not in value:
        return value
    return _ESCAPES.sub(
        lambda found: chr(int(found[1], 8)) if len(found[1]) == _OCTAL_DIGITS else found[1], value
    )
