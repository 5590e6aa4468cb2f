"""Which ids an app may declare: MAN-18 (b) to (h) in their order, MAN-19."""

import pytest

from edgezero_spin.stores import StoreIds


@pytest.mark.parametrize(
    ("ids", "default", "expected"),
    [
        (["a"], None, "a"),
        (["a"], "a", "a"),
        (["b", "a"], "a", "a"),
        (("A-1", "b_c", "_", "-"), "-", "-"),
    ],
)
def test_good_declarations(ids: list[str], default: str | None, expected: str) -> None:
    """Ids keep their order, and one id is its own default."""
    declared = StoreIds.of(ids, default)
    assert declared.ids == tuple(ids)
    assert declared.default == expected


@pytest.mark.parametrize(
    ("ids", "default", "text"),
    [
        ([], None, "`ids` must name at least one store"),
        ([], "a", "`ids` must name"),
        ([""], None, "non-empty and printable"),
        (["a b", "\t"], None, "non-empty and printable"),
        (["a\x85"], None, "non-empty and printable"),
        (["a b"], None, "portable segment"),
        (["a.b"], None, "portable segment"),
        (["é"], None, "portable segment"),
        (["a\u00b2"], None, "portable segment"),
        (["a__b"], None, r"portable segment: a double underscore \(`__`\)"),
        (["a", "a", "x y"], None, "portable segment"),
        (["a", "b", "a"], None, "^duplicate id 'a'"),
        (["A", "a", "b", "b"], None, "^duplicate id 'b'"),
        (["a", "b", "A"], None, "case-insensitive duplicate"),
        (["a", "b"], None, "`default` is required"),
        (["a", "b"], "c", r"'c' is not one of the declared `ids` \(a, b\)"),
        (["a", "b"], "A", "not one of the declared `ids`"),
        (["a"], "", "not one of the declared `ids`"),
    ],
)
def test_bad_declarations(ids: list[str], default: str | None, text: str) -> None:
    """The first broken rule is the one that is named."""
    with pytest.raises(ValueError, match=text):
        StoreIds.of(ids, default)


def test_a_text_is_no_list_of_ids() -> None:
    """It would be taken apart into letters."""
    with pytest.raises(TypeError, match="'abc'"):
        StoreIds.of("abc")
