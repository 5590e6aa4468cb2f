"""Differences of configurations as text: unified, or place by place.

In: two trees of JSON values. Out: lines for people. Values are shown, which was asked for;
those whose key reads like that of a secret are not, unless the field holds the name of one.

Source: contract edgezero.md, BLB-4, BLB-5; the layouts are those of EdgeZero.
"""

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from edgezero_spin.manifest.app_config import looks_like_a_secret
from edgezero_spin.project.redaction import HIDDEN

__all__ = ["masked", "structured_lines", "unified_lines"]

_SHOWN_DIGITS: Final = 8
_ABSENT: Final = object()


def unified_lines(
    before: Any, after: Any, before_hash: str | None, after_hash: str | None
) -> list[str]:
    """Return the difference of two trees as a unified diff; nothing when they are equal.

    Args:
        before: What the store has.
        after: What a push writes.
        before_hash: The hash of ``before``; ``None`` for none.
        after_hash: The hash of ``after``.
    """
    texts = [
        json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False) for tree in (before, after)
    ]
    return list(
        difflib.unified_diff(
            texts[0].splitlines(),
            texts[1].splitlines(),
            f"remote ({_hash(before_hash)})",
            f"local  ({_hash(after_hash)})",
            lineterm="",
        )
    )


def structured_lines(
    before: Any, after: Any, before_hash: str | None, after_hash: str | None
) -> list[str]:
    """Return one block of lines for each place that differs."""
    lines = [f"--- remote ({_hash(before_hash)})", f"+++ local  ({_hash(after_hash)})"]
    old, new = dict(_leaves(before, "")), dict(_leaves(after, ""))
    for place in sorted({*old, *new}):
        was, will_be = old.get(place, _ABSENT), new.get(place, _ABSENT)
        if _same(was, will_be):
            continue
        change = "added" if was is _ABSENT else "removed" if will_be is _ABSENT else "changed"
        lines.append(f"{place} [{change}]")
        lines += [f"  - {_text(was)}"] if was is not _ABSENT else []
        lines += [f"  + {_text(will_be)}"] if will_be is not _ABSENT else []
    return lines if len(lines) > 2 else [*lines, "(no differences)"]


def masked(before: Any, after: Any, names: Collection[str]) -> tuple[Any, Any]:
    """Return two trees without values that look like secrets.

    Args:
        before: A tree.
        after: The other; a hidden value that differs is told apart from one that does not.
        names: Keys that hold names of secrets, and are shown.
    """
    return _masked(before, before, names, ""), _masked(after, before, names, "")


def _masked(tree: Any, other: Any, names: Collection[str], key: str) -> Any:
    if isinstance(tree, Mapping):
        table = other if isinstance(other, Mapping) else {}
        return {
            name: _masked(item, table.get(name, _ABSENT), names, name)
            for name, item in tree.items()
        }
    if key not in names and looks_like_a_secret(key) and tree not in (None, "", [], {}):
        return HIDDEN if _same(tree, other) else f"{HIDDEN} (another)"
    if isinstance(tree, list):
        others = other if isinstance(other, list) else []
        return [
            _masked(item, others[index] if index < len(others) else _ABSENT, names, key)
            for index, item in enumerate(tree)
        ]
    return tree


def _leaves(tree: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Mapping) and (tree or not place):
        for name in sorted(tree):
            yield from _leaves(tree[name], f"{place}.{name}" if place else name)
    else:
        yield place, tree


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of one type: ``1``, ``1.0`` and ``true`` are not."""
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return _text(one) == _text(other)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _hash(digits: str | None) -> str:
    return "none" if digits is None else f"sha256: {digits[:_SHOWN_DIGITS]}"
