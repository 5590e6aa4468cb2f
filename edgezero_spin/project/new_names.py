"""The names that a new project gets from the one that a person types.

In: any text. Out: names that folders, ``edgezero.toml``, Python and Spin accept. No text is
refused: what cannot stand in a name is left out.

Source: contract edgezero.md, NEW-2, NEW-3 and GEN-4; spin-host.md, MAN-40 and TPL-10.
"""

import re

from edgezero_spin.environment import ascii_lower

__all__ = ["dotted_pascal_case", "kebab_case", "pascal_case", "project_name", "snake_case"]

_FALLBACK = "edgezero-app"
_OUTSIDE = re.compile(r"[^a-z0-9_-]")
_SEPARATORS = re.compile(r"[-_]{2,}")
# Where a word ends inside a text: at anything that is not a letter or digit, between a small
# and a capital letter, and before the last capital of a row that goes on in small ones.
_WORDS = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+|[0-9]+")


def project_name(text: str) -> str:
    """Return the name of a project: ``My App`` is ``my-app``.

    A leading digit gets an underscore; nothing left is ``edgezero-app``.
    """
    kept = _OUTSIDE.sub("-", ascii_lower(text))
    name = _SEPARATORS.sub(lambda run: run[0][0], kept).strip("-_")
    if not name:
        return _FALLBACK
    return f"_{name}" if name[0].isdigit() else name


def pascal_case(text: str) -> str:
    """Return the name of a type: ``my-app`` is ``MyApp``, ``123-app`` is ``App123App``."""
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", text) if part]
    name = "".join(part[0].upper() + part[1:] for part in parts)
    return f"App{name}" if name[:1].isdigit() else name


def dotted_pascal_case(text: str) -> str:
    """Return the name of a type in each dotted part: ``my.first-app`` is ``My.FirstApp``."""
    return ".".join(map(pascal_case, text.split(".")))


def kebab_case(text: str) -> str:
    """Return words with dashes between them, as ids of components have to be.

    A word starts with a letter: one that does not belongs to the word before it, and a
    first one gets ``app``.
    """
    return "-".join(_words(text))


def snake_case(text: str) -> str:
    """Return words with underscores between them, by the same rule."""
    return "_".join(_words(text))


def _words(text: str) -> list[str]:
    words: list[str] = []
    for word in _WORDS.findall(text):
        if not word[0].isdigit():
            words.append(word.lower())
        elif words:
            words[-1] += word
        else:
            words.append(f"app{word}")
    return words
