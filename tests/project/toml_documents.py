"""Random TOML documents, written in as many ways as TOML lets a person write.

Each strategy yields text, so that layout varies as well as values: comments and blank lines
anywhere, tabs, three kinds of line ends, a byte order mark, quoted and dotted keys in every
script, inline tables, arrays over several lines, arrays of tables between tables, and text in
strings and comments that looks like the table in question.
"""

import datetime
import re
import tomllib

from hypothesis import strategies as st

__all__ = ["COMPONENT", "documents", "is_toml", "label_lists"]

COMPONENT = "a"
"""The id of the component that every document has."""

LOOKALIKES = ["[component.a]", "key_value_stores = ['no']", "component.a.x = 1", "[[component]]"]

blank = st.sampled_from(["", " ", "\t", "  "])
letters = st.characters(exclude_categories=["Cc", "Cs"])
comment = st.one_of(st.sampled_from(LOOKALIKES), st.text(letters | st.just("\t"), max_size=8)).map(
    lambda text: f"# {text}"
)
remark = st.one_of(st.just(""), st.builds("{}{}".format, blank, comment))
# What may stand between two lines.
between = st.lists(st.one_of(blank, comment), max_size=2).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


def quoted(text: str) -> str:
    """Write a string with what has to be escaped escaped."""
    escaped = re.sub(r'[\\"]', r"\\\g<0>", text)
    escaped = re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04x}", escaped)
    return f'"{escaped}"'


word = st.one_of(
    st.sampled_from(["x", "y", "-", "1", "b", "'c.d'", "'#'", '"\\u00e4"', '""', "component"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3).map(quoted),
)
scalar = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(quoted),
    st.sampled_from(
        ["''", '""', '"\\"]"', "'\\'", "'''\n[component.a]\n'''", '"""a""b\\""""', '"""x"""""']
    ),
    st.sampled_from(['"""\\\n  key_value_stores = [\n"""', "''''x'''''", '"""\n\n"""']),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.sampled_from(
        ["true", "0xff", "1_0", "nan", "-inf", "1e+16", "-0.0", "07:32:00.5", "1979-05-27"]
    ),
    st.datetimes(min_value=datetime.datetime(1900, 1, 1)).map(lambda when: when.isoformat(" ")),
)


def listed(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Arrays with any layout, remarks and a last comma included."""
    gap = st.one_of(
        st.sampled_from(["", " ", "\n", "\n  ", "\n\n\t"]),
        comment.map(lambda said: f" {said}\n\t"),
    )

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


def meant(key: str) -> str:
    """The first name of a key as TOML reads it."""
    return next(iter(tomllib.loads(f"{key} = 0")))


def unique(keys: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    """Keys that can stand in one table."""
    return st.lists(keys, max_size=most, unique_by=meant)


dotted = st.one_of(
    word,
    st.tuples(word, blank, blank, word).map(lambda part: f"{part[0]}{part[1]}.{part[2]}{part[3]}"),
)


def inline(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Inline tables, on one line but for the arrays and strings in them."""

    @st.composite
    def tables(draw: st.DrawFn) -> str:
        pairs = [
            f"{draw(blank)}{key}{draw(blank)}={draw(blank)}{draw(values)}{draw(blank)}"
            for key in draw(unique(dotted))
        ]
        return "{" + ",".join(pairs) + "}"

    return tables()


value = st.recursive(scalar, lambda inner: st.one_of(listed(inner), inline(inner)), max_leaves=5)
label_lists = listed(st.sampled_from(['"x"', "'y'", '"ä"', '"\\u0078y"']))


@st.composite
def pairs(draw: st.DrawFn, prefix: str = "", taken: tuple[str, ...] = ()) -> str:
    """Lines of keys with different names, and what stands between lines."""
    lines = ""
    for key in draw(unique(dotted)):
        if meant(key) not in taken:
            named = f"{draw(blank)}{prefix}{key}{draw(blank)}={draw(blank)}"
            lines += f"{draw(between)}{named}{draw(value)}{draw(remark)}\n"
    return lines + draw(between)


@st.composite
def other_tables(draw: st.DrawFn, number: int) -> str:
    """Tables and arrays of tables that have nothing to do with the component."""
    name = draw(st.sampled_from(["other", '"ö"', "'o.p'", "tool . x"])) + f".n{number}"
    inside = st.sampled_from(
        [
            f"[{name}]\n",
            f"[ {name} ] # said\n",
            f"[[{name}]]\n",
            f"[[{name}.a]]\n[{name}.a.component.a]\n",
            f"[{name}.component.a]\nkey_value_stores = ['no']\n[[{name}.tables]]\n",
        ]
    )
    text = draw(inside)
    again = draw(st.booleans()) and text.startswith("[[")
    body = draw(between) + draw(pairs(taken=("a", "key_value_stores", "component", "tables")))
    return text + body + (draw(inside.filter(lambda head: head == text)) if again else "")


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document with a component ``a``, written in one of the ways there are."""
    own = draw(
        st.sampled_from(
            ["header", "split", "below", "tables", "dotted", "inline", "inline below", "braces"]
        )
    )
    stores = f"key_value_stores{draw(blank)}={draw(label_lists)}" if draw(st.booleans()) else ""
    end = f"{draw(remark)}\n"
    line = f"{draw(blank)}{stores}{end}" if stores else ""
    mine = pairs(taken=("key_value_stores", "build", "tools", "z"))
    root = draw(pairs(taken=("component", "other", "ö", "o.p", "tool")))
    parts = []
    if own == "header":
        parts.append(f"{draw(blank)}[component . 'a']{end}{line}{draw(mine)}")
    elif own == "split":
        parts.append(f"[component.a.build]{end}{draw(pairs())}")
        parts.append(f'[ component."\\u0061" ]{end}{draw(mine)}{line}[[component.a.tools]]\n')
    elif own == "below":
        inner = f"a.{stores}{end}" if stores else ""
        others = draw(pairs("q."))
        parts.append(
            f"[component]\n{draw(pairs('a.', ('key_value_stores', 'z')))}{inner}a.z=1\n{others}"
        )
    elif own == "tables":
        parts.append(f"[[component.a.tools]]\n{draw(pairs())}[component.a.build]\n{draw(pairs())}")
    elif own == "dotted":
        inner = f"component.'a'.{stores}{end}" if stores else ""
        root += inner + f"component . a.z = 1{end}"
    else:
        written = draw(st.sampled_from(["", "z = 1", " z.y=[{}] "]))
        written = ", ".join(filter(None, [written, stores]))
        if own == "inline":
            root += f"component={{a={{{written}}}}}{end}"
        elif own == "braces":
            root += f'component = {{ b = {{}}, "a".z = 1{", a." + stores if stores else ""} }}{end}'
        else:
            parts.append(f"[component]\n{draw(between)}'a' = {{{written}}}{end}b={{}}\n")
    for number in range(draw(st.integers(0, 3))):
        parts.insert(draw(st.integers(0, len(parts))), draw(other_tables(number)))
    text = root + draw(st.sampled_from(["", "# about it\n", "\n\n"])) + "".join(parts)
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    ends = draw(st.sampled_from(["\n", "\r\n", "mixed"]))
    if ends == "mixed":
        halves = text.split("\n")
        text = "".join(
            part + ("\n" if number % 3 else "\r\n") for number, part in enumerate(halves)
        )
    else:
        text = text.replace("\n", ends)
    return draw(st.sampled_from(["", "\ufeff"])) + text


def is_toml(text: str) -> bool:
    """Whether a parser takes a document; a few in a hundred have a name twice."""
    try:
        tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        return False
    return True
