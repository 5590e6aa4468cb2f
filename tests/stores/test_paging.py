"""Pages and cursors for any set of keys."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.stores import KeyValueLimitError, KeyValueValidationError
from edgezero_spin.stores.paging import decode_cursor, encode_cursor, keys_with_prefix, page_of

TEXT = st.text("aAbé\ufffd\U00010000/", max_size=4)
KEYS = st.sets(TEXT.filter(bool), max_size=30)


def by_bytes(keys: set[str], prefix: str) -> list[str]:
    """Filter and sort the slow way: by the bytes of UTF-8."""
    return sorted((k for k in keys if k[: len(prefix)] == prefix), key=str.encode)


@given(KEYS, TEXT, st.integers(1, 8))
def test_pages_cover_the_sorted_filtered_set_once(keys: set[str], prefix: str, limit: int) -> None:
    """Whatever the keys, the prefix and the limit; only the last page may be short."""
    pages = []
    cursor = None
    for _ in range(len(keys) + 1):
        after = decode_cursor(prefix, cursor)
        page, last = page_of(keys, prefix=prefix, after=after, limit=limit, cap=0)
        pages.append(page)
        cursor = None if last is None else encode_cursor(prefix, last)
        if cursor is None:
            break
    else:
        raise AssertionError("the listing does not end")
    expected = by_bytes(keys, prefix)
    assert [key for page in pages for key in page] == expected  # KV-23, KV-25
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1] or not expected  # KV-25: no cursor to an empty page
    assert keys_with_prefix(keys, prefix=prefix, cap=0) == expected


@given(KEYS, TEXT, TEXT, st.integers(1, 8))
def test_a_page_starts_after_any_text(keys: set[str], prefix: str, after: str, limit: int) -> None:
    """The cursor need not be one of the keys."""  # KV-22, KV-26
    rest = [key for key in by_bytes(keys, prefix) if key.encode() > after.encode()]
    page, last = page_of(keys, prefix=prefix, after=after, limit=limit, cap=0)
    assert page == rest[:limit]
    assert last == (rest[limit - 1] if len(rest) > limit else None)


@given(KEYS, TEXT, TEXT, st.integers(1, 12))
def test_the_cap_depends_on_prefix_and_keys_only(
    keys: set[str], prefix: str, after: str, cap: int
) -> None:
    """Neither cursor nor limit matter, and as many as the cap pass."""  # KV-24
    matched = len(by_bytes(keys, prefix))
    if matched > cap:
        with pytest.raises(KeyValueLimitError, match=f"^kv backend limit exceeded: {matched} keys"):
            page_of(keys, prefix=prefix, after=after, limit=1, cap=cap)
        with pytest.raises(KeyValueLimitError, match=f"max_list_keys={cap}$"):
            keys_with_prefix(keys, prefix=prefix, cap=cap)
    else:
        page_of(keys, prefix=prefix, after=after, limit=1, cap=cap)
        assert len(keys_with_prefix(keys, prefix=prefix, cap=cap)) == matched


SAFE = st.text(st.characters(exclude_categories=["Cs"]))


@given(SAFE, SAFE.filter(bool), SAFE)
def test_cursors_round_trip_for_their_own_prefix(prefix: str, key: str, other: str) -> None:
    """And for no other."""  # KV-21, KV-22
    cursor = encode_cursor(prefix, key)
    assert decode_cursor(prefix, cursor) == key
    if other != prefix:
        with pytest.raises(KeyValueValidationError, match="does not match"):
            decode_cursor(other, cursor)


@given(st.text() | SAFE.map(lambda text: f'{{"cursor":{text},"prefix":""}}'))
def test_any_text_as_cursor_is_a_validation_error_or_a_key(text: str) -> None:
    """Nothing that a client sends gets through as another error."""  # KV-22
    try:
        after = decode_cursor("", text)
    except KeyValueValidationError:
        return
    assert after


def test_no_cursor_is_the_first_page() -> None:
    """Unlike an empty text."""
    assert decode_cursor("p", None) is None
    with pytest.raises(KeyValueValidationError, match="invalid or corrupted"):
        decode_cursor("", "")


def test_a_page_keeps_few_keys_of_a_long_stream() -> None:
    """Memory follows the limit, not the number of keys."""

    def stream() -> Iterator[str]:
        for i in range(50_000):
            yield f"key {i:010}"

    tracemalloc.start()
    try:
        page, last = page_of(stream(), prefix="key", after=None, limit=10, cap=0)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert page == [f"key {i:010}" for i in range(10)]
    assert last == page[-1]
    assert peak_bytes < 100_000
