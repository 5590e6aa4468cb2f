"""Percent-encoding, query strings and urlencoded bodies."""

from urllib.parse import parse_qsl, quote_from_bytes, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.core.percent import encode_literal, parse_pairs, percent_decode


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"a%20b", b"a b"),
        (b"%41%e2%82%AC", b"A\xe2\x82\xac"),
        (b"100%", b"100%"),
        (b"%4", b"%4"),
        (b"%zz%41", b"%zzA"),
        (b"%+1%-1% 1%_1", b"%+1%-1% 1%_1"),
        (b"%2541", b"%41"),
    ],
)
def test_percent_decode(raw: bytes, decoded: bytes) -> None:
    """What is encoded is decoded once; what is malformed stays as it is written."""
    assert percent_decode(raw) == decoded


@given(st.binary(max_size=30) | st.text("%0aAfFg+ ", max_size=20).map(str.encode))
def test_percent_decode_is_urllibs(raw: bytes) -> None:
    """The decoder agrees with the standard library's on any bytes."""
    assert percent_decode(raw) == unquote_to_bytes(raw)
    assert percent_decode(quote_from_bytes(raw).encode()) == raw


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        (b"q=a+b%20c", [("q", "a b c")]),  # TV-34
        (b"a=1&a=2", [("a", "1"), ("a", "2")]),
        (b"", []),
        (b"&&a&=x&", [("a", ""), ("", "x")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a=%2B+%26", [("a", "+ &")]),
        (b"a=%ff", [("a", "\ufffd")]),  # EXT-2: invalid UTF-8 replaced
    ],
)
def test_parse_pairs(raw: bytes, pairs: list[tuple[str, str]]) -> None:
    """Fields come in order, with plus as space and repeats kept."""
    # EXT-2
    assert parse_pairs(raw) == pairs


_WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(st.lists(st.tuples(_WORDS, _WORDS), max_size=5))
def test_parse_pairs_reads_what_a_client_writes(pairs: list[tuple[str, str]]) -> None:
    """Whatever a form holds survives being encoded and read."""
    assert parse_pairs(urlencode(pairs).encode()) == pairs


@given(st.text("ab=&+%25;é ", max_size=20))
def test_parse_pairs_is_urllibs(text: str) -> None:
    """Malformed queries read as the standard library reads them."""
    expected = parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="replace")
    assert parse_pairs(text.encode()) == expected


def test_encode_literal() -> None:
    """Text becomes what a client would send, without touching what is encoded already."""
    assert encode_literal("/café au lait/%41?") == b"/caf%C3%A9%20au%20lait/%41?"
