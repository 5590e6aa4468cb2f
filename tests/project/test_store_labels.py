"""Adding a label to the text of a manifest: the right place, and no other byte."""

import re
import tomllib
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgezero_spin.project.store_labels import add_label, has_label
from edgezero_spin.project.toml_edit import TomlEditError
from tests.project.toml_documents import COMPONENT, documents, is_toml


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # TV-137
        pytest.param(
            '[component.a]\nsource = "a.wasm"\n',
            '[component.a]\nsource = "a.wasm"\nkey_value_stores = ["new"]\n',
            id="no list",
        ),
        pytest.param(
            '[component.a]\nkey_value_stores = ["cache"]\n',
            '[component.a]\nkey_value_stores = ["cache", "new"]\n',
            id="in a row",
        ),
        # PRV-5, TV-141
        pytest.param(
            "# head\n[component.a] # said\nallowed_outbound_hosts = [] # none\n\n# about b\n[b]\n",
            "# head\n[component.a] # said\nallowed_outbound_hosts = [] # none\n"
            'key_value_stores = ["new"]\n\n# about b\n[b]\n',
            id="comments and what follows",
        ),
        pytest.param(
            "[component.a]\nkey_value_stores = [ ]",
            '[component.a]\nkey_value_stores = ["new" ]',
            id="empty list, no last line end",
        ),
        pytest.param(
            "[component.a]\nkey_value_stores=['x',]\n",
            "[component.a]\nkey_value_stores=['x', 'new',]\n",
            id="comma at the end, literal strings",
        ),
        pytest.param(
            '[component.a]\nkey_value_stores = [\n\t"x", # the first\n\t"y", # the second\n]\n',
            '[component.a]\nkey_value_stores = [\n\t"x", # the first\n\t"y", # the second\n'
            '\t"new",\n]\n',
            id="one a line, with remarks",
        ),
        pytest.param(
            '[component.a]\nkey_value_stores = [\n  "x",\n  "y" # last\n]\n',
            '[component.a]\nkey_value_stores = [\n  "x",\n  "y", # last\n  "new"\n]\n',
            id="one a line, no last comma",
        ),
        pytest.param(
            '[component.a]\nkey_value_stores = [\n  "x"]\n',
            '[component.a]\nkey_value_stores = [\n  "x",\n  "new"]\n',
            id="bracket on the last line",
        ),
        pytest.param(
            '[component.a]\nkey_value_stores = [\n  "x" # one\n  ,\n]\n',
            '[component.a]\nkey_value_stores = [\n  "x" # one\n  ,\n  "new",\n]\n',
            id="comma on a line of its own",
        ),
        pytest.param(
            '\ufeff[component.a]\r\nsource = "a"\r\n\r\n[b]\r\n',
            '\ufeff[component.a]\r\nsource = "a"\r\nkey_value_stores = ["new"]\r\n\r\n[b]\r\n',
            id="CRLF and a byte order mark",
        ),
        pytest.param(
            '[component.a]\r\nkey_value_stores = [\r\n  "x",\r\n]\r\n',
            '[component.a]\r\nkey_value_stores = [\r\n  "x",\r\n  "new",\r\n]\r\n',
            id="CRLF in a list",
        ),
        pytest.param(
            '[component]\na = { source = "a" } # one\nb = { source = "b" }\n',
            '[component]\na = { source = "a", key_value_stores = ["new"] } # one\n'
            'b = { source = "b" }\n',
            id="inline table",
        ),
        pytest.param(
            'component = { a = {}, b = { source = "b" } }\n',
            'component = { a = { key_value_stores = ["new"] }, b = { source = "b" } }\n',
            id="empty inline table in another",
        ),
        pytest.param(
            'component."a" . source = "a"\ncomponent.b.source = "b"\n',
            'component."a" . source = "a"\ncomponent."a".key_value_stores = ["new"]\n'
            'component.b.source = "b"\n',
            id="dotted keys",
        ),
        pytest.param(
            '[component]\na.source = "a"\na.build.command = """x\ny""" # said\nb.source = "b"',
            '[component]\na.source = "a"\na.build.command = """x\ny""" # said\n'
            'a.key_value_stores = ["new"]\nb.source = "b"',
            id="dotted keys below a header",
        ),
        pytest.param(
            'component = { a.source = "a", b.source = "b" }',
            'component = { a.source = "a", a.key_value_stores = ["new"], b.source = "b" }',
            id="dotted keys in an inline table",
        ),
        pytest.param(
            'component.a.key_value_stores = ["x"]\n',
            'component.a.key_value_stores = ["x", "new"]\n',
            id="dotted list",
        ),
        pytest.param(
            "[[component.a.tools]]\nkey_value_stores = 1\n[component.a.build] # said\n",
            "[[component.a.tools]]\nkey_value_stores = 1\n[component.a.build] # said\n"
            '\n[component.a]\nkey_value_stores = ["new"]\n',
            id="tables inside it only",
        ),
        pytest.param(
            '[[trigger.http]]\ncomponent = { a = 1 }\n  [component.a]\n  source = "ä→\t𝄞"\n[[x]]\n',
            '[[trigger.http]]\ncomponent = { a = 1 }\n  [component.a]\n  source = "ä→\t𝄞"\n'
            '  key_value_stores = ["new"]\n[[x]]\n',
            id="arrays of tables around, indentation, unicode",
        ),
        pytest.param(
            '[ component . "a" ]\n\n# nothing in it yet\n[other]\nkey_value_stores = ["x"]\n',
            '[ component . "a" ]\nkey_value_stores = ["new"]\n\n# nothing in it yet\n[other]\n'
            'key_value_stores = ["x"]\n',
            id="quoted header, empty table",
        ),
        pytest.param(
            "[component.a]\nx = '''[component.a]\nkey_value_stores = [\"no\"]\n'''\n"
            'y = "\\"]#" # [\n',
            "[component.a]\nx = '''[component.a]\nkey_value_stores = [\"no\"]\n'''\n"
            'y = "\\"]#" # [\nkey_value_stores = ["new"]\n',
            id="text that looks like a table",
        ),
    ],
)
def test_the_label_goes_where_a_person_would_write_it(before: str, after: str) -> None:
    """Each way to write a component is extended in that way, and all else stays."""  # PRV-3, PRV-5
    assert add_label(before, "a", "new") == after
    assert has_label(after, "a", "new")
    assert not has_label(before, "a", "new")


def test_a_label_that_is_listed_changes_nothing() -> None:
    """The same text comes back, however oddly it is written."""  # PRV-4
    text = '[component.a]\nkey_value_stores=[ \t"new"\n,]'
    assert add_label(text, "a", "new") is text


@pytest.mark.parametrize(
    ("text", "said"),
    [  # PRV-14
        ('[component.b]\nsource = "b"\n', "[component.a] is not declared"),
        ("[[component]]\nid = 'a'\n", "[component.a] is not declared"),
        ("[component]\na = 1\n", "[component.a] is not a table"),
        ("[[component.a]]\nsource = 'x'\n", "[component.a] is not a table"),
        ("[component.a]\nkey_value_stores = 'x'\n", "key_value_stores is not an array"),
        ("[component.a.key_value_stores]\nx = 1\n", "key_value_stores is not an array"),
        ("[[component.a.key_value_stores]]\nx = 1\n", "key_value_stores is not an array"),
        ("[component.a]\nkey_value_stores = [1]\n", "not a string"),
        ("[component.a\n", "this is not TOML"),
    ],
)
def test_what_cannot_be_edited_is_refused_with_a_reason(text: str, said: str) -> None:
    """The component and what is wrong with it are named."""
    with pytest.raises(TomlEditError) as caught:
        add_label(text, "a", "new")
    assert said in str(caught.value)


def test_a_label_is_written_as_toml_needs_it() -> None:
    """Control characters are escaped, also the one that JSON leaves as it is."""
    text = add_label("[component.a]\n", "a", 'del\x7f"')
    assert tomllib.loads(text)["component"]["a"]["key_value_stores"] == ['del\x7f"']


def parsed(text: str) -> dict[str, Any]:
    """A document as values; floats as text, because nan differs from itself."""
    return tomllib.loads(text.removeprefix("\ufeff"), parse_float=str)


def inserted(before: str, after: str) -> list[str]:
    """What was put into a text: one piece, or a comma and a piece; fails on anything else."""
    start = next((i for i, c in enumerate(before) if after[i] != c), len(before))
    behind = min(len(before) - start, len(after) - start)
    end = next((i for i in range(behind) if before[-1 - i] != after[-1 - i]), behind)
    if start + end == len(before):
        return [after[start : len(after) - end]]
    middle = before[start : len(before) - end]
    assert after[start] == ","
    assert after[start + 1 :].startswith(middle)
    return [",", after[start + 1 + len(middle) : len(after) - end]]


@settings(max_examples=300)
@given(documents(), st.sampled_from(["new", "ä b", 'q"', "it's", "日本"]))
def test_any_document_survives_with_every_other_byte(text: str, label: str) -> None:
    """The label is added, the rest is equal as values and identical as text."""  # PRV-5
    assume(is_toml(text))
    expected = parsed(text)
    expected["component"][COMPONENT].setdefault("key_value_stores", []).append(label)
    edited = add_label(text, COMPONENT, label)
    assert parsed(edited) == expected
    assert inserted(text, edited)
    assert add_label(edited, COMPONENT, label) is edited
    # A document with one kind of line end keeps to it.
    for other in ({"\r\n"}, {"\n"}):
        if line_ends(text) == other:
            assert line_ends(edited) == other


def line_ends(text: str) -> set[str]:
    """The kinds of line ends in a text."""
    return set(re.findall(r"\r?\n", text))
