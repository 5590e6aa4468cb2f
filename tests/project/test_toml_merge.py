"""Tables and keys of one TOML text in another: all of it, and every other byte as it was."""

import re
import tomllib

import pytest
from hypothesis import assume, given

from edgezero_spin.project.toml_edit import TomlEditError
from edgezero_spin.project.toml_merge import append_tables, merge_into_table
from tests.project.toml_documents import documents, is_toml

COMPONENT = '[[trigger.http]]\nroute = "/x"\n\n[component.new]\nsource = "a"\n'


@pytest.mark.parametrize(
    ("before", "gap"),
    [
        ("", ""),
        ("\ufeff", ""),
        ("[component.a]\n", "\n"),
        ("[component.a]", "\n\n"),
        ("[component.a]\n\n\n# end", "\n\n"),
        ('[[trigger.http]]\nroute = "/"\n', "\n"),
        ("component.a.source = 'x'\n", "\n"),
    ],
)
def test_tables_go_to_the_end(before: str, gap: str) -> None:
    """After an empty line; nothing is trimmed."""  # TPL-4, TPL-13
    assert append_tables(before, f"\n{COMPONENT}\n\n") == before + gap + COMPONENT


def test_line_ends_are_those_of_the_document() -> None:
    """A template's are replaced."""  # PRV-5
    before = "[component.a]\r\n"
    assert append_tables(before, COMPONENT) == (before + "\r\n" + COMPONENT.replace("\n", "\r\n"))


@pytest.mark.parametrize(
    ("before", "added", "said"),
    [
        ("[component.new]\n", COMPONENT, "Add by hand"),
        ("[component]\nnew = 1\n", COMPONENT, "component.new is there already"),
        ("trigger = { http = [] }\n", COMPONENT, "trigger.http is there already"),
        ("component = { a = {} }\n", COMPONENT, "Add by hand"),
        ("[[component]]\nid = 'a'\n", COMPONENT, "component is there already"),
        # It would become a key of the last table.
        ("[component.a]\n", "source = 'x'\n", "Add by hand"),
        ("x = ", COMPONENT, "this is not TOML"),
        ("", "x = ", "what the template adds cannot be used: this is not TOML"),
    ],
)
def test_what_cannot_be_appended_is_refused(before: str, added: str, said: str) -> None:
    """Nothing is replaced, and what a person can do is said."""
    with pytest.raises(TomlEditError) as caught:
        append_tables(before, added)
    assert said in str(caught.value)


@given(documents())
def test_any_document_is_kept_before_what_is_appended(text: str) -> None:
    """Byte for byte, and what is added means the same behind it; or the text is refused."""
    assume(is_toml(text))
    before = tomllib.loads(text.removeprefix("\ufeff"), parse_float=str)
    try:
        after = append_tables(text, COMPONENT)
    except TomlEditError:
        # What is written in one line takes no table from outside.
        assert re.search(r"^component *[={.]", text.removeprefix("\ufeff"), re.MULTILINE)
        return
    assert after.startswith(text)
    root = tomllib.loads(after.removeprefix("\ufeff"), parse_float=str)
    assert root["component"].pop("new") == {"source": "a"}
    assert root.pop("trigger") == {"http": [{"route": "/x"}]}
    assert root == before


def test_keys_join_a_table() -> None:
    """As they are written; those below a header of their own as inline tables."""  # TPL-4
    before = "[variables]\na = { default = '1' } # mine\n[component.a]\n"
    added = 'b = {required=true} # about b\n[c]\ndefault = "x"\nsecret = true\n'
    assert merge_into_table(before, "variables", added) == (
        "[variables]\na = { default = '1' } # mine\nb = {required=true}\n"
        'c = { default = "x", secret = true }\n[component.a]\n'
    )


def test_a_table_that_lacks_is_made() -> None:
    """With a header, at the end."""
    assert merge_into_table("[a]\n", "variables", "b = 1") == "[a]\n\n[variables]\nb = 1\n"


def test_a_key_that_is_there_stays() -> None:
    """The same value changes nothing; another one is refused, where Spin would replace it."""
    before = "[variables]\na = { default = '1' }\n"
    assert merge_into_table(before, "variables", "a = {default = '1'}") is before
    with pytest.raises(TomlEditError, match=r"variables\.a is there already, with another value"):
        merge_into_table(before, "variables", "a = {default = '2'}")
    for text, added in (("variables = 1", "a = 1"), (before, "[[b]]\nc = 1")):
        with pytest.raises(TomlEditError, match=r"cannot be added to \[variables\]"):
            merge_into_table(text, "variables", added)
