"""Add a label to ``[component.<id>].key_value_stores`` in the text of a ``spin.toml``.

In: the text, a component id and a label. Out: the text with the label in the array, or the
same text when it was there. The edit inserts characters and changes none: comments, order,
quoting, line ends and a byte order mark stay. The component may be written in any way that
TOML has (a header, dotted keys, an inline table). The result is parsed again and compared
with what was wanted, so that a text this module misreads is refused, never damaged.

Files are not touched here.

Source: contract edgezero.md, PRV-3 to PRV-5 and PRV-14; TOML 1.0.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.toml_positions import Pair, Section, Value, scan_toml

__all__ = ["KEY", "LabelEditError", "add_label", "has_label"]

KEY = "key_value_stores"

# Where to insert, and what.
_Insertion = tuple[int, str]


@attrs.frozen
class LabelEditError(ProjectError):
    """A label cannot be added to the text of a manifest.

    Attributes:
        component_id: The component that should have got it.
        reason: Why not.
    """

    component_id: str
    reason: str

    def __str__(self) -> str:
        return self.reason


def has_label(text: str, component_id: str, label: str) -> bool:
    """Whether a component lists a label already.

    Raises:
        LabelEditError: The text, the component or its list is not what it should be.
    """
    return label in _labels(_parse(text, component_id), component_id)


def add_label(text: str, component_id: str, label: str) -> str:
    """Return the text with a label listed last; the text itself when it is listed.

    Args:
        text: A ``spin.toml``, with its own line ends.
        component_id: Which component gets the label.
        label: The platform's name of the store.

    Raises:
        LabelEditError: The component is not declared or not a table, its list is not a
            list of strings, or the text is written in a way that cannot be edited safely.
    """
    wanted = _parse(text, component_id)
    labels = _labels(wanted, component_id)
    if label in labels:
        return text
    wanted["component"][component_id][KEY] = [*labels, label]
    try:
        edited = _insert(text, _plan(text, component_id, label))
        if _parse(edited, component_id) == wanted:
            return edited
    except (ValueError, LabelEditError):
        pass
    raise LabelEditError(
        component_id,
        f"[component.{component_id}] is written in a way that cannot be edited safely: "
        f"add {_quoted(label)} to its {KEY} by hand",
    )


def _parse(text: str, component_id: str) -> dict[str, Any]:
    """Read a text; a float stays the text it is, so that two documents can be compared."""
    try:
        return tomllib.loads(
            text.removeprefix("\ufeff"), parse_float=lambda digits: ("float", digits)
        )
    except tomllib.TOMLDecodeError as err:
        raise LabelEditError(component_id, f"this is not TOML: {err}") from None


def _labels(root: dict[str, Any], component_id: str) -> list[str]:
    components = root.get("component")
    if not isinstance(components, dict) or component_id not in components:
        raise LabelEditError(component_id, f"[component.{component_id}] is not declared")
    component = components[component_id]
    if not isinstance(component, dict):
        raise LabelEditError(component_id, f"[component.{component_id}] is not a table")
    labels = component.get(KEY, [])
    if not isinstance(labels, list) or any(isinstance(item, dict) for item in labels):
        reason = f"[component.{component_id}]: {KEY} is not an array"
        raise LabelEditError(component_id, reason)
    if not all(isinstance(item, str) for item in labels):
        reason = f"[component.{component_id}]: {KEY} holds something that is not a string"
        raise LabelEditError(component_id, reason)
    return labels


def _plan(text: str, component_id: str, label: str) -> list[_Insertion]:
    """Choose the place: the list, else the component's own table, else a new header."""
    target = ("component", component_id)
    sections = scan_toml(text)
    pairs = [pair for section in sections for pair in _all_pairs(section.pairs)]
    for pair in pairs:
        if pair.path == (*target, KEY):
            return _into_array(text, pair.value, label)
    entry = f"{KEY} = [{_quoted(label)}]"
    for section in sections:
        if section.path == target and not section.is_array:
            return [_below_section(text, section, entry)]
    for pair in pairs:
        if pair.path == target:
            return [_into_inline_table(pair.value, entry)]
    # Dotted keys that spell the component's name; the new key repeats how they spell it.
    for section in reversed(sections):
        found = _last_dotted(section.pairs, section.path, target)
        if found is not None:
            pair, base, inline = found
            named = text[pair.start : pair.part_ends[len(target) - len(base) - 1]]
            dotted = f"{named}.{entry}"
            if inline:
                return [(pair.value.end, f", {dotted}")]
            return [_below_line(text, pair.value.end, _indent(text, pair.start), dotted)]
    return [_at_the_end(text, component_id, entry)]


def _insert(text: str, insertions: Iterable[_Insertion]) -> str:
    for at, added in sorted(insertions, reverse=True):
        text = text[:at] + added + text[at:]
    return text


def _all_pairs(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Yield keys and those of the inline tables they hold; not what stands in arrays."""
    for pair in pairs:
        yield pair
        yield from _all_pairs(pair.value.pairs)


def _last_dotted(
    pairs: Iterable[Pair], base: tuple[str, ...], target: tuple[str, ...], *, inline: bool = False
) -> tuple[Pair, tuple[str, ...], bool] | None:
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


def _into_array(text: str, array: Value, label: str) -> list[_Insertion]:
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


def _into_inline_table(table: Value, entry: str) -> _Insertion:
    if not table.pairs:
        return table.start + 1, f" {entry} "
    if table.comma is not None:
        return table.comma + 1, f" {entry}"
    return table.pairs[-1].value.end, f", {entry}"


def _below_section(text: str, section: Section, entry: str) -> _Insertion:
    if not section.pairs:
        return _below_line(text, section.end, _indent(text, section.start), entry)
    last = section.pairs[-1]
    return _below_line(text, last.value.end, _indent(text, last.start), entry)


def _below_line(text: str, at: int, indent: str, entry: str) -> _Insertion:
    end = _line_end(text, at)
    return end, f"{_newline(text, end)}{indent}{entry}"


def _at_the_end(text: str, component_id: str, entry: str) -> _Insertion:
    newline = _newline(text, len(text))
    bare = component_id.isascii() and component_id.replace("-", "a").replace("_", "a").isalnum()
    name = component_id if bare else _quoted(component_id)
    gap = newline if text.endswith("\n") else newline * 2
    return len(text), f"{gap}[component.{name}]{newline}{entry}{newline}"


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
    return json.dumps(text, ensure_ascii=False)
