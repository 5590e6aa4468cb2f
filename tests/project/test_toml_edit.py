"""Inserting into TOML text: tables that lack are made, what cannot be edited is refused."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.project.toml_edit import TomlEditError, append_item, insert_text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[stores.kv]\nids = ["new"]\n'),
        ("\ufeff", '\ufeff[stores.kv]\nids = ["new"]\n'),
        ("a = 1", 'a = 1\n\n[stores.kv]\nids = ["new"]\n'),
        ("[stores]\n", '[stores]\n\n[stores.kv]\nids = ["new"]\n'),
        ("stores.kv.ids = []\r\n", 'stores.kv.ids = ["new"]\r\n'),
        ("[stores]\nkv = { ids = ['a'] }\n", "[stores]\nkv = { ids = ['a', 'new'] }\n"),
        ("[stores.kv]\ndefault = 'a'\n", "[stores.kv]\ndefault = 'a'\nids = [\"new\"]\n"),
    ],
)
def test_an_item_is_appended_where_the_table_is(before: str, after: str) -> None:
    """A table that lacks gets a header of its own at the end."""
    assert append_item(before, ("stores", "kv"), "ids", "new") == after


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stores = 1\n", "[stores] is not a table"),
        ("[stores]\nkv = []\n", "[stores.kv] is not a table"),
        ("[stores.kv]\nids = 'a'\n", "stores.kv.ids is not an array"),
        ("stores = { config = { ids = ['a'] } }\n", 'add "new" to stores.kv.ids by hand'),
        ("x = ", "this is not TOML"),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, said: str) -> None:
    """An inline table takes no further table from outside: that is for a person."""
    with pytest.raises(TomlEditError) as caught:
        append_item(text, ("stores", "kv"), "ids", "new")
    assert said in str(caught.value)


def test_a_key_is_inserted_once() -> None:
    """A key that is there is not replaced."""
    text = insert_text("[a.b] # said\n[c]\n", ("a", "b"), "key", "value")
    assert text == '[a.b] # said\nkey = "value"\n[c]\n'
    with pytest.raises(TomlEditError, match=r"a\.b\.key is there already"):
        insert_text(text, ("a", "b"), "key", "value")


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=3), st.text(max_size=8))
def test_any_names_and_values(path: list[str], value: str) -> None:
    """Whatever the names are, the value is there afterwards, or the text is refused."""
    try:
        text = append_item("", tuple(path), "k", value)
    except TomlEditError:
        assert any(not c.isprintable() for c in "".join([*path, value])) or "\\" in "".join(path)
        return
    table = tomllib.loads(text)
    for name in path:
        table = table[name]
    assert table == {"k": [value]}
