"""Read SQL as far as a caller of SQLite has to: where a statement ends, and its parameters.

In: a text as a guest gives it. Out: a ``Statement``: the first one of the text, with every
parameter numbered if one has a name, so that values can be bound by position whatever the
guest calls them. A text without names stays as it is: SQLite names columns by it. Nothing
is checked; SQLite says what is wrong with the rest.

Source: https://sqlite.org/lang_expr.html, "Parameters"; https://sqlite.org/c3ref/complete.html
for the end of ``CREATE TRIGGER``.
"""

import re
from collections.abc import Mapping

import attrs

__all__ = ["LARGEST_NUMBER", "Statement", "first_statement"]

_SKIP = r"\s+ | --[^\n]* | /\*.*?(?:\*/|\Z)"
_QUOTED = r"""'[^']*'? | "[^"]*"? | `[^`]*`? | \[[^\]]*\]?"""
# A-Z, a-z, 0-9, _ and all past ASCII, said by what they are not: `re` reads that ten times as
# fast.
_LETTER = r"[^\x00-/:-@\[-^`{-\x7f]"
_IN_WORD = r"[^\x00-#%-/:-@\[-^`{-\x7f]"

_TOKEN = re.compile(
    rf"""
    (?P<skip> {_SKIP} )
    | (?P<quoted> {_QUOTED} )
    | (?P<number> \?[0-9]* )
    | (?P<name> [:@$\#](?:{_IN_WORD}|::)+ )
    | (?P<word> {_IN_WORD}+ )
    | (?P<end> ; )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)

# A long statement is mostly values, which are passed over many at a time.
_DULL = re.compile(
    rf"(?: {_SKIP} | {_QUOTED} | {_LETTER}{_IN_WORD}* | [^?:@$\#;/-] )++", re.VERBOSE | re.DOTALL
)

LARGEST_NUMBER = 32766
"""Of a parameter, unless SQLite was built otherwise; Spin's was not."""

_TEMPORARY = ("TEMP", "TEMPORARY")


@attrs.frozen
class Statement:
    """One statement.

    Attributes:
        text: The statement; where a parameter had a name, all are written ``?1``, ``?2``...
        parameters: How many values it takes.
        empty: There is nothing to run, only blanks and comments.
    """

    text: str
    parameters: int
    empty: bool


def first_statement(text: str) -> Statement:
    """Return the first statement of a text."""
    names: dict[str, int] = {}
    numbered: list[str] = []
    copied = 0
    highest = 0
    length = 0
    empty = True
    trigger = _Trigger()
    while length < len(text):
        dull = _DULL.match(text, length) if trigger.out_of_question else None
        if dull is not None:
            length = dull.end()
            continue
        token = _TOKEN.match(text, length)
        if token is None:
            break
        kind, piece = token.lastgroup, token[0]
        length = token.end()
        if kind == "number" or kind == "name":
            number = _number_of(piece, names, highest)
            if number is not None:
                highest = max(highest, number)
                numbered += (text[copied : token.start()], f"?{number}")
                copied = length
            if highest > LARGEST_NUMBER:
                # SQLite refuses it, whatever follows.
                length = len(text)
        empty = empty and kind in ("skip", "end")
        if kind != "skip" and trigger.ends(kind == "end", piece):
            break
    if not names:
        return Statement(text[:length], highest, empty)
    return Statement("".join((*numbered, text[copied:length])), highest, empty)


def _number_of(piece: str, names: dict[str, int], highest: int) -> int | None:
    """Return the number of a parameter; ``None`` for one that SQLite is to refuse."""
    if piece == "?":
        return highest + 1
    if piece.startswith("?"):
        digits = piece[1:].lstrip("0")
        number = int(digits) if 0 < len(digits) < 6 else 0
        return number if 0 < number <= LARGEST_NUMBER else None
    return names.setdefault(piece, highest + 1)


class _Trigger:
    """Tells where a statement ends: at ``;``, or at ``; END ;`` in ``CREATE TRIGGER``."""

    # By what was read last: where each word leads, and where every other token does.
    _NEXT: Mapping[str, tuple[Mapping[str, str], str]] = {
        "start": ({"EXPLAIN": "explain", "CREATE": "create"}, "normal"),
        "explain": (
            {
                "CREATE": "create",
                **dict.fromkeys(("EXPLAIN", *_TEMPORARY, "TRIGGER", "END"), "normal"),
            },
            "explain",
        ),
        "create": ({**dict.fromkeys(_TEMPORARY, "create"), "TRIGGER": "trigger"}, "normal"),
        "normal": ({}, "normal"),
        "trigger": ({}, "trigger"),
        "semicolon": ({"END": "end"}, "trigger"),
        "end": ({}, "trigger"),
    }

    def __init__(self) -> None:
        self._state = "start"

    @property
    def out_of_question(self) -> bool:
        """Whether this is no trigger, so that the next semicolon is the end."""
        return self._state == "normal"

    def ends(self, semicolon: bool, piece: str) -> bool:
        """Take the next token; return whether it is the last of the statement."""
        if semicolon:
            inside = self._state in ("trigger", "semicolon")
            self._state = "semicolon" if inside else "start"
            return not inside
        words, otherwise = self._NEXT[self._state]
        self._state = words.get(piece.upper(), otherwise) if len(piece) < 10 else otherwise
        return False
