"""Read a Markdown page as a session: files to write, commands to type, answers to expect.

A fenced block whose first line is ```` ```python app.py ```` is the file ``app.py``. In a
``console`` block, ``$ `` starts a command and the lines up to the next one are what it
prints, where ``...`` stands for anything, line ends included.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

__all__ = ["Command", "File", "matches", "read_session"]

_FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@attrs.frozen
class File:
    """A file that the page shows in full."""

    name: str
    text: str


@attrs.frozen
class Command:
    """A command line, and what the page says it prints; nothing said is nothing checked."""

    line: str
    expected: str


def read_session(page: Path) -> Iterator[File | Command]:
    """Yield what a reader of the page would write and type, in order."""
    for info, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        kind, _, name = info.partition(" ")
        if name:
            yield File(name, text)
        elif kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, expected = part.partition("\n")
                yield Command(line, expected.strip())


def matches(expected: str, printed: str) -> bool:
    """Whether a text is what a page expects, its ``...`` standing for anything."""
    pattern = ".*".join(re.escape(part) for part in expected.split("..."))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None
