"""Line numbers of the keys in a TOML text, for messages.

In: a text. Out: the line of each place, written as messages write it
(``triggers.http[0].path``), and for a place that is not there that of the table around it.
"""

from collections.abc import Iterator
from itertools import pairwise

from edgezero_spin.manifest.keys import item_key, join_key
from edgezero_spin.project.toml_positions import TomlEntry, TomlSection, TomlValue, scan_toml

__all__ = ["line_of", "lines_of"]


def lines_of(text: str) -> dict[str, int]:
    """Return the line, counted from 1, of each table, key and item; none where it is not TOML."""
    try:
        sections = scan_toml(text)
    except ValueError:
        return {}
    found: dict[str, int] = {}
    starts = [0, *(index + 1 for index, letter in enumerate(text) if letter == "\n"), len(text) + 1]
    offsets = sorted(_offsets(sections), key=lambda entry: entry[1])
    lines = enumerate(pairwise(starts), 1)
    line, (_, end) = next(lines)
    for place, offset in offsets:
        while offset >= end:
            line, (_, end) = next(lines)
        found.setdefault(place, line)
    return found


def line_of(lines: dict[str, int], key: str) -> int | None:
    """Return the line of a key, or of the nearest table or list around it that is there."""
    around = [
        place for place in lines if key == place or key.startswith((f"{place}.", f"{place}["))
    ]
    return lines[max(around, key=len)] if around else None


def _offsets(sections: tuple[TomlSection, ...]) -> Iterator[tuple[str, int]]:
    counts: dict[tuple[str, ...], int] = {}
    for section in sections:
        if section.is_array:
            counts[section.path] = counts.get(section.path, -1) + 1
        place = ""
        for depth, name in enumerate(section.path, 1):
            place = join_key(place, name)
            index = counts.get(section.path[:depth])
            if index is not None:
                place = item_key(place, index)
        if place:
            yield place, section.start
        yield from _of_pairs(section.pairs, place, len(section.path))


def _of_pairs(pairs: tuple[TomlEntry, ...], outer: str, depth: int) -> Iterator[tuple[str, int]]:
    for pair in pairs:
        place = outer
        for name in pair.path[depth:]:
            place = join_key(place, name)
            yield place, pair.start
        yield from _of_value(pair.value, place, len(pair.path))


def _of_value(value: TomlValue, place: str, depth: int) -> Iterator[tuple[str, int]]:
    yield from _of_pairs(value.pairs, place, depth)
    for index, item in enumerate(value.items):
        here = item_key(place, index)
        yield here, item.start
        yield from _of_value(item, here, depth)
