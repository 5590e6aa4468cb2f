"""Values that JSON, queries and forms carry as text: UUIDs, dates, decimals, durations, addresses.

In: a class, once. Out: what reads its text, what writes it, and how a message calls it.
Classes are known by name, so that no module is in a component that does not use it.

Source: RFC 3339 and ISO 8601 for dates and durations, as ``datetime`` writes them; the rest is
each class's own text.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["TextForm", "text_form"]

_DURATION = re.compile(
    r"([-+])?P(?:(\d{1,8})W|(?:(\d{1,9})D)?"
    r"(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:\.(\d{1,6}))?S)?)?)"
)


class TextForm(NamedTuple):
    """The text of one class.

    Attributes:
        read: Text to a value; raises ``ValueError`` when it is not one.
        write: A value to text.
        noun: What a message calls such a text, ``a UUID``.
    """

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    noun: str


def text_form(kind: Any) -> TextForm | None:
    """Return how values of a class are written as text; ``None`` for another class."""
    name = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', '')}"
    match name:
        case "uuid.UUID":
            return TextForm(_sized(kind, 36), str, "a UUID")
        case "decimal.Decimal":
            return TextForm(_decimal(kind), str, "a decimal number")
        case "datetime.timedelta":
            return TextForm(_duration(kind), _duration_text, "an ISO 8601 duration")
    module, _, short = name.rpartition(".")
    if module == "ipaddress" and short.startswith("IPv"):
        version = short[:4]
        return TextForm(kind, str, f"an {version} {short[4:].lower()}")
    if isinstance(kind, type) and hasattr(kind, "fromisoformat") and hasattr(kind, "isoformat"):
        return TextForm(kind.fromisoformat, _iso_text, f"an ISO 8601 {kind.__name__}")
    return None


def _sized(build: Callable[[str], Any], length: int) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        # The class takes more: braces, a URN, hyphens anywhere.
        if len(text) != length:
            raise ValueError
        return build(text)

    return read


def _decimal(build: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if not text.isascii() or "_" in text or text != text.strip():
            raise ValueError
        try:
            value = build(text)
        except ArithmeticError:
            raise ValueError from None
        if not value.is_finite():
            raise ValueError
        return value

    return read


def _duration(build: Callable[..., Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        found = _DURATION.fullmatch(text) if text.isascii() else None
        if found is None or text.endswith("P"):
            raise ValueError
        sign, *parts = found.groups()
        weeks, days, hours, minutes, seconds, fraction = (part or "0" for part in parts)
        try:
            value = build(
                weeks=int(weeks),
                days=int(days),
                hours=int(hours),
                minutes=int(minutes),
                seconds=int(seconds),
                microseconds=int(fraction.ljust(6, "0")),
            )
        except OverflowError:
            raise ValueError from None
        return -value if sign == "-" else value

    return read


def _duration_text(value: Any) -> str:
    # In whole numbers, because the least duration has no opposite.
    total = (value.days * 86400 + value.seconds) * 1_000_000 + value.microseconds
    sign = "-" if total < 0 else ""
    whole, microseconds = divmod(abs(total), 1_000_000)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    day = f"{days}D" if days else ""
    time = f"{hours}H" if hours else ""
    time += f"{minutes}M" if minutes else ""
    if seconds or microseconds or not (day or time):
        fraction = f".{microseconds:06}".rstrip("0") if microseconds else ""
        time += f"{seconds}{fraction}S"
    return f"{sign}P{day}{'T' if time else ''}{time}"


def _iso_text(value: Any) -> str:
    text: str = value.isoformat()
    return text
