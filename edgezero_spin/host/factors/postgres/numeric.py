"""Decimal numbers of PostgreSQL's binary format.

In and out: the wire form of ``numeric`` (groups of four decimal digits), and decimal text
without an exponent. A number has 96 bits and 28 fractional digits at most, as in Spin.

Source: ``src/backend/utils/adt/numeric.c`` (``numeric_send``); contract services.md, PG-40,
PG-46.
"""

import re
from struct import Struct

__all__ = ["decode_numeric", "encode_numeric"]

MAX_SCALE = 28
MAX_MANTISSA = 2**96 - 1

_NEGATIVE = 0x4000
# The eighth power of 10 000 is beyond 96 bits.
_LARGEST_WEIGHT = 7
_HEAD = Struct("!HhHH")
_TEXT = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?", re.ASCII)


def encode_numeric(text: str) -> bytes:
    """Return the wire form of a decimal text.

    Raises:
        ValueError: It is not one, or has too many digits.
    """
    found = _TEXT.fullmatch(text)
    if found is None or not (found["whole"] or found["fraction"]):
        raise ValueError("invalid decimal: expected digits with a sign and a point at most")
    fraction = found["fraction"] or ""
    whole = found["whole"].lstrip("0")
    if len(fraction) > MAX_SCALE or len(whole) > MAX_SCALE + 1:
        raise ValueError("invalid decimal: it has too many digits")
    mantissa = int(f"{whole}{fraction}" or "0")
    if mantissa > MAX_MANTISSA:
        raise ValueError("invalid decimal: it has too many digits")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    groups = whole + fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    digits = [int(groups[at : at + 4]) for at in range(0, len(groups), 4)]
    sign = _NEGATIVE if found["sign"] == "-" and mantissa else 0
    head = _HEAD.pack(len(digits), len(whole) // 4 - 1, sign, len(fraction))
    return head + Struct(f"!{len(digits)}H").pack(*digits)


def decode_numeric(data: bytes) -> str:
    """Return the decimal text of a wire form; fractional digits past the 28th are rounded.

    Raises:
        ValueError: It is not a number, infinite, or too large.
        struct.error: It is not a wire form.
    """
    count, weight, sign, scale = _HEAD.unpack_from(data)
    if sign not in (0, _NEGATIVE):
        raise ValueError("NaN and infinity cannot be converted to a decimal")
    if count and weight > _LARGEST_WEIGHT:
        raise ValueError("the number is too large for a decimal")
    # What follows the groups that 28 fractional digits and their rounding need does not count.
    count = min(count, max(0, weight + 10))
    mantissa = 0
    for digit in Struct(f"!{count}H").unpack_from(data, _HEAD.size):
        mantissa = mantissa * 10_000 + digit
    # The mantissa counts this many decimal places; they become as many as the scale says.
    places = 4 * (count - weight - 1)
    kept = min(scale, MAX_SCALE)
    number = _scaled(mantissa, places, kept)
    while number > MAX_MANTISSA:
        if not kept:
            raise ValueError("the number is too large for a decimal")
        kept -= 1
        number = _scaled(mantissa, places, kept)
    text = str(number)
    if kept:
        text = text.rjust(kept + 1, "0")
        text = f"{text[:-kept]}.{text[-kept:]}"
    return f"-{text}" if sign and number else text


def _scaled(mantissa: int, places: int, wanted: int) -> int:
    """Return a number with other decimal places, rounded half up."""
    if wanted >= places:
        return mantissa * int(10 ** (wanted - places))
    divisor = int(10 ** (places - wanted))
    return (mantissa + divisor // 2) // divisor
