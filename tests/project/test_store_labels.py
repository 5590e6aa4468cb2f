"""Adding a label to the text of a manifest: the right place, and no other byte."""

import datetime
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.project.store_labels import LabelEditError, add_label, has_label


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
    with pytest.raises(LabelEditError) as caught:
        add_label(text, "a", "new")
    assert said in str(caught.value)
    assert caught.value.component_id == "a"


def test_a_label_that_toml_cannot_hold_is_refused() -> None:
    """What the parsed result does not confirm is not handed out."""
    with pytest.raises(LabelEditError, match="cannot be edited safely"):
        add_label("[component.a]\n", "a", "del\x7f")


# Random documents: each generator yields TOML text, so that formatting varies as well.

blank = st.sampled_from(["", " ", "\t", "  "])
remark = st.sampled_from(["", " # said", " #[component.a]", "\t# key_value_stores = ['no']"])
word = st.sampled_from(["x", "y", "-", "1", "b", '"a b"', "'c.d'", '"\\u00e4"', "key_value_stores"])
text_value = st.one_of(
    st.text(
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"\\'), max_size=8
    ).map(lambda text: f'"{text}"'),
    st.sampled_from(
        ["''", '""', '"\\"]"', "'\\'", "'''\n[component.a]\n'''", '"""a""b\\""""', '"""x"""""']
    ),
)
scalar = st.one_of(
    text_value,
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.sampled_from(
        ["true", "0xff", "1_0", "nan", "-inf", "1e+16", "-0.0", "07:32:00.5", "1979-05-27"]
    ),
    st.datetimes(min_value=datetime.datetime(1900, 1, 1)).map(lambda when: when.isoformat(" ")),
)


def listed(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Arrays with any layout."""
    gap = st.sampled_from(["", " ", "\n", "\n  ", " # said\n\t"])

    @st.composite
    def arrays(draw: st.DrawFn) -> str:
        written = "["
        count = draw(st.integers(0, 3))
        for number in range(count):
            last = number == count - 1
            comma = draw(st.sampled_from(["", ","])) if last else ","
            written += draw(gap) + draw(items) + draw(gap) + comma
        return written + draw(gap) + "]"

    return arrays()


def inline(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Inline tables; a repeated name is thrown away with its document."""
    pair = st.tuples(word, blank, values).map(lambda parts: f"{parts[0]}{parts[1]}= {parts[2]}")
    return st.lists(pair, max_size=3).map(lambda pairs: "{" + ", ".join(pairs) + " }")


value = st.recursive(scalar, lambda inner: st.one_of(listed(inner), inline(inner)), max_leaves=5)
labels = listed(st.sampled_from(['"x"', "'y'", '"ä"']))


@st.composite
def pairs(draw: st.DrawFn, prefix: str = "") -> str:
    """Lines of keys with different names."""
    names = draw(st.lists(word, max_size=3, unique=True))
    names = [name for name in names if name != "key_value_stores"]
    return "".join(
        f"{draw(blank)}{prefix}{name}{draw(blank)}={draw(blank)}{draw(value)}{draw(remark)}\n"
        for name in names
    )


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document with a component ``a``, written in one of the ways there are."""
    own = draw(st.sampled_from(["header", "dotted", "inline", "below", "tables"]))
    stores = f"key_value_stores ={draw(labels)}" if draw(st.booleans()) else ""
    parts = []
    if own == "header":
        body = draw(pairs())
        line = f"{stores}{draw(remark)}\n" if stores else ""
        parts.append(f"{draw(blank)}[component . 'a']{draw(remark)}\n{line}{body}")
    elif own == "below":
        line = f"a.{stores}\n" if stores else ""
        parts.append(f"[component]\n{draw(pairs('a.'))}{line}a.z=1\n{draw(pairs('q.'))}")
    elif own == "tables":
        parts.append(f"[[component.a.tools]]\n{draw(pairs())}[component.a.build]\n{draw(pairs())}")
    root = draw(pairs())
    if own == "dotted":
        line = f"component.'a'.{stores}\n" if stores else ""
        root += line + f"component.a.z = 1{draw(remark)}\n" + draw(pairs())
    elif own == "inline":
        inside = f"z = 1, {stores}" if stores else draw(st.sampled_from(["", "z = 1"]))
        root += f"component={{a={{{inside}}}}}{draw(remark)}\n"
    other = f"[[other]]\n{draw(pairs())}[other.component.a]\n{draw(pairs())}"
    parts.insert(draw(st.integers(0, len(parts))), other)
    text = root + draw(st.sampled_from(["", "# about it\n", "\n\n"])) + "".join(parts)
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return draw(st.sampled_from(["", "\ufeff"])) + text


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


@given(documents(), st.sampled_from(["new", "ä b", 'q"', "it's"]))
def test_any_document_survives_with_every_other_byte(text: str, label: str) -> None:
    """The label is added, the rest is equal as values and identical as text."""  # PRV-5
    try:
        expected = parsed(text)
    except tomllib.TOMLDecodeError:
        return  # a name came twice
    expected["component"]["a"].setdefault("key_value_stores", []).append(label)
    edited = add_label(text, "a", label)
    assert parsed(edited) == expected
    assert inserted(text, edited)
    assert add_label(edited, "a", label) is edited
    assert edited.count("\n") - edited.count("\r\n") in (0, edited.count("\n"))
