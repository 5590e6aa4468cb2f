"""Insert into the text of a TOML file, and leave every other byte alone.

In: a text, the path of a table and what to add: an item of an array, or a key. Out: the
text with it. The edit inserts characters and changes none: comments, order, quoting, line
ends and a byte order mark stay. The table may be written in any way that TOML has (a
header, dotted keys, an inline table, or not at all). The result is parsed again and
compared with what was wanted, so that a text this module misreads is refused, never
damaged.

Files are not touched here.

Source: TOML 1.0; contract edgezero.md, PRV-5.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.decoding import decode_toml
from edgezero_spin.manifest.keys import join_key
from edgezero_spin.project.toml_positions import TomlEntry, TomlSection, TomlValue, scan_toml
from edgezero_spin.project.toml_writing import inline_toml

__all__ = [
    "TomlEditError",
    "append_item",
    "editing",
    "insert_text",
    "insert_value",
    "parse_document",
]

TablePath = tuple[str, ...]

# Where to insert, and what.
_Insertion = tuple[int, str]


@attrs.frozen
class TomlEditError(ProjectError):
    """A text cannot be edited.

    Attributes:
        reason: Why not, and where it says something, what to do by hand.
    """

    reason: str

    def __str__(self) -> str:
        return self.reason


@contextlib.contextmanager
def editing(path: Path) -> Iterator[None]:
    """Name a file in what is said of its text.

    Raises:
        ProjectError: It cannot be read, is not UTF-8, or cannot be edited.
    """
    try:
        yield
    except TomlEditError as error:
        raise ProjectError(f"{path}: {error}") from error
    except UnicodeError as error:
        raise ProjectError(f"{path}: text that is not UTF-8 cannot be edited: {error}") from error
    except OSError as error:
        raise ProjectError(f"failed to read {path}: {error.strerror or error}") from error


def parse_document(text: str) -> dict[str, Any]:
    """Return a document as values; a float stays the text it is, so that nan equals nan.

    Raises:
        TomlEditError: It is not TOML.
    """
    try:
        return decode_toml(text, parse_float=lambda digits: ("float", digits))
    except ValueError as err:
        raise TomlEditError(f"this is not TOML: {err}") from None


def append_item(text: str, table: TablePath, key: str, item: str) -> str:
    """Return the text with one more string in an array of a table.

    Args:
        text: A document, with its own line ends. In the tables of the path there are no
            arrays of tables.
        table: The path of the table, which is made where it lacks.
        key: The array in it, which is made where it lacks.
        item: What goes last into it.

    Raises:
        TomlEditError: The text is not TOML, or cannot be edited safely.
    """
    wanted = parse_document(text)
    array = _table_of(wanted, table).setdefault(key, [])
    if not isinstance(array, list):
        raise TomlEditError(f"{_place(table, key)} is not an array")
    array.append(item)

    def plan() -> list[_Insertion]:
        sections = scan_toml(text)
        for pair in _pairs_of(sections):
            if pair.path == (*table, key):
                return _into_array(text, pair.value, item)
        return [_into_table(text, sections, table, f"{key} = [{_quoted(item)}]")]

    return _edited(text, plan, wanted, f"add {_quoted(item)} to {_place(table, key)} by hand")


def insert_text(text: str, table: TablePath, key: str, value: str) -> str:
    """Return the text with one more key in a table, a string.

    Args:
        text: A document, as for ``append_item``.
        table: The path of the table, which is made where it lacks.
        key: A bare key that is not in it yet.

    Raises:
        TomlEditError: The text is not TOML, has the key, or cannot be edited safely.
    """
    return insert_value(text, table, key, _quoted(value))


def insert_value(text: str, table: TablePath, key: str, written: str) -> str:
    """Return the text with one more key in a table, whose value is written in TOML.

    Args:
        text: A document, as for ``append_item``.
        table: The path of the table, which is made where it lacks.
        key: A bare key that is not in it yet.
        written: Its value as the document is to have it.

    Raises:
        TomlEditError: The text is not TOML, has the key, or cannot be edited safely.
    """
    wanted = parse_document(text)
    place = _table_of(wanted, table)
    if key in place:
        raise TomlEditError(f"{_place(table, key)} is there already")
    entry = f"{key} = {written}"
    place[key] = parse_document(entry)[key]

    def plan() -> list[_Insertion]:
        return [_into_table(text, scan_toml(text), table, entry)]

    return _edited(text, plan, wanted, f"add {entry} to [{'.'.join(table)}] by hand")


def _edited(
    text: str, plan: Callable[[], list[_Insertion]], wanted: dict[str, Any], by_hand: str
) -> str:
    """Insert what a plan says; hand it out only if it means what was wanted."""
    try:
        edited = _insert(text, plan())
        if parse_document(edited) == wanted:
            return edited
    except (ValueError, TomlEditError):
        pass
    raise TomlEditError(f"the text is written in a way that cannot be edited safely: {by_hand}")


def _table_of(root: dict[str, Any], path: TablePath) -> dict[str, Any]:
    """Return a table, made where it lacks."""
    table = root
    for depth, name in enumerate(path, 1):
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise TomlEditError(f"[{'.'.join(path[:depth])}] is not a table")
    return table


def _place(table: TablePath, key: str) -> str:
    place = ""
    for name in (*table, key):
        place = join_key(place, name)
    return place


def _pairs_of(sections: Iterable[TomlSection]) -> list[TomlEntry]:
    return [pair for section in sections for pair in _all_pairs(section.pairs)]


def _into_table(
    text: str, sections: Sequence[TomlSection], table: TablePath, entry: str
) -> _Insertion:
    """Choose the place of a new key: the table's own header or braces, else a new header."""
    for section in sections:
        if section.path == table and not section.is_array:
            return _below_section(text, section, entry)
    for pair in _pairs_of(sections):
        if pair.path == table:
            return _into_inline_table(pair.value, entry)
    # Dotted keys that spell the table's name; the new key repeats how they spell it.
    for section in reversed(sections):
        found = _last_dotted(section.pairs, section.path, table)
        if found is not None:
            pair, base, inline = found
            named = text[pair.start : pair.part_ends[len(table) - len(base) - 1]]
            dotted = f"{named}.{entry}"
            if inline:
                return pair.value.end, f", {dotted}"
            return _below_line(text, pair.value.end, _indent(text, pair.start), dotted)
    return _at_the_end(text, table, entry)


def _insert(text: str, insertions: Iterable[_Insertion]) -> str:
    for at, added in sorted(insertions, reverse=True):
        text = text[:at] + added + text[at:]
    return text


def _all_pairs(pairs: Iterable[TomlEntry]) -> Iterator[TomlEntry]:
    """Yield keys and those of the inline tables they hold; not what stands in arrays."""
    for pair in pairs:
        yield pair
        yield from _all_pairs(pair.value.pairs)


def _last_dotted(
    pairs: Iterable[TomlEntry],
    base: tuple[str, ...],
    target: tuple[str, ...],
    *,
    inline: bool = False,
) -> tuple[TomlEntry, tuple[str, ...], bool] | None:
    found = None
    if base != target[: len(base)] or len(base) >= len(target):
        return None
    for pair in pairs:
        if pair.path[: len(target)] == target:
            found = pair, base, inline
        elif pair.value.pairs:
            deeper = _last_dotted(pair.value.pairs, pair.path, target, inline=True)
            found = deeper or found
    return found


def _into_array(text: str, array: TomlValue, label: str) -> list[_Insertion]:
    if not array.items:
        return [(array.start + 1, _quoted(label))]
    last = array.items[-1]
    added = _quoted(label, literal=text[last.start] == "'")
    indent = _indent(text, last.start)
    line_start = last.start - len(indent)
    if not (line_start > array.start and text[line_start - 1] == "\n"):
        # Items stand in a row: so does the new one.
        if array.comma is None:
            return [(last.end, f", {added}")]
        return [(array.comma + 1, f" {added},")]
    # One item a line: below the line of the last one, behind whatever is said about it.
    below = _newline(text, line_start - 1) + indent + added
    if array.comma is not None:
        return [(_behind_remark(text, array.comma + 1), f"{below},")]
    end = _behind_remark(text, last.end)
    return [(end, f",{below}")] if end == last.end else [(last.end, ","), (end, below)]


def _behind_remark(text: str, at: int) -> int:
    """Return the end of the line when nothing but a comment follows, else the place itself."""
    end = _line_end(text, at)
    rest = text[at:end].strip(" \t")
    return end if rest.startswith("#") else at


def _into_inline_table(table: TomlValue, entry: str) -> _Insertion:
    if not table.pairs:
        return table.start + 1, f" {entry} "
    if table.comma is not None:
        return table.comma + 1, f" {entry}"
    return table.pairs[-1].value.end, f", {entry}"


def _below_section(text: str, section: TomlSection, entry: str) -> _Insertion:
    if not section.pairs:
        return _below_line(text, section.end, _indent(text, section.start), entry)
    last = section.pairs[-1]
    return _below_line(text, last.value.end, _indent(text, last.start), entry)


def _below_line(text: str, at: int, indent: str, entry: str) -> _Insertion:
    end = _line_end(text, at)
    return end, f"{_newline(text, end)}{indent}{entry}"


def _at_the_end(text: str, table: TablePath, entry: str) -> _Insertion:
    newline = _newline(text, len(text))
    gap = newline if text.endswith("\n") else newline * 2 if text.strip("\ufeff") else ""
    header = _place(table[:-1], table[-1])
    return len(text), f"{gap}[{header}]{newline}{entry}{newline}"


def _indent(text: str, at: int) -> str:
    """Return the blanks before a place, when nothing else stands before it on its line."""
    before = text[text.rfind("\n", 0, at) + 1 : at]
    return before if not before.strip(" \t") else ""


def _line_end(text: str, at: int) -> int:
    """Return the offset where a line ends, before its line end."""
    end = text.find("\n", at)
    if end < 0:
        return len(text)
    return end - 1 if end > at and text[end - 1] == "\r" else end


def _newline(text: str, at: int) -> str:
    """Return the line end that stands at a place, or else the document's first."""
    if text.startswith("\r\n", at) or (text.startswith("\n", at) and text[at - 1 : at] == "\r"):
        return "\r\n"
    if text.startswith("\n", at):
        return "\n"
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _quoted(text: str, *, literal: bool = False) -> str:
    if literal and "'" not in text and text.isprintable():
        return f"'{text}'"
    return inline_toml(text)
