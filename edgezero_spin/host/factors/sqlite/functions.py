"""Functions of SQLite whose time grows with the product of two arguments, in linear time.

SQLite cannot be stopped inside a function. ``replace`` and ``instr`` of a megabyte each take
minutes as SQLite writes them, and seconds here; the others refuse an argument that no one
writes by hand. The results are SQLite's own.

Source: https://sqlite.org/lang_corefunc.html.
"""

import re
from collections.abc import Callable

import apsw

__all__ = ["MAX_SET_CHARACTERS", "replace_functions"]

MAX_SET_CHARACTERS = 256
"""Different characters that ``trim`` and ``unhex`` may be told to pass over."""

_FLAGS = apsw.SQLITE_INNOCUOUS

SqlValue = None | int | float | str | bytes


def replace_functions(connection: apsw.Connection) -> None:
    """Put these functions in the place of SQLite's own."""
    for name, count, function in _FUNCTIONS:
        connection.create_scalar_function(name, function, count, deterministic=True, flags=_FLAGS)


def _text(value: SqlValue) -> str:
    """Return what ``sqlite3_value_text`` does."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, int):
        return str(value)
    return str(_by_sqlite("SELECT CAST(? AS TEXT)", (value,)))


def _by_sqlite(query: str, values: tuple[SqlValue, ...]) -> SqlValue:
    connection = apsw.Connection(":memory:")
    try:
        return connection.execute(query, values).get  # type: ignore[no-any-return]
    finally:
        connection.close()


def _replace(text: SqlValue, old: SqlValue, new: SqlValue) -> SqlValue:
    if text is None or old is None:
        return None
    searched, wanted = _text(text), _text(old)
    if not wanted or wanted.startswith("\0"):
        return searched
    return None if new is None else searched.replace(wanted, _text(new))


def _instr(text: SqlValue, wanted: SqlValue) -> SqlValue:
    if text is None or wanted is None:
        return None
    if isinstance(text, bytes) and isinstance(wanted, bytes):
        return text.find(wanted) + 1
    return _text(text).find(_text(wanted)) + 1


def _trimming(name: str) -> Callable[[SqlValue, SqlValue], SqlValue]:
    strip: Callable[[str, str], str] = getattr(str, name)

    def trim(text: SqlValue, characters: SqlValue) -> SqlValue:
        if text is None or characters is None:
            return None
        # SQLite reads the characters up to a zero.
        return strip(_text(text), _few(_text(characters).partition("\0")[0]))

    return trim


def _unhex(text: SqlValue, ignored: SqlValue) -> SqlValue:
    if text is None or ignored is None:
        return None
    return _by_sqlite("SELECT unhex(?, ?)", (_text(text), _few(_text(ignored))))


def _few(characters: str) -> str:
    different = dict.fromkeys(characters)
    if len(different) > MAX_SET_CHARACTERS:
        raise apsw.TooBigError(f"more than {MAX_SET_CHARACTERS} different characters")
    return "".join(different)


_FIRST_LETTER = re.compile("[A-Za-z]")

_CODES = {
    letter: str(code)
    for code, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), start=1)
    for letter in letters
}


def _soundex(text: SqlValue) -> str:
    start = None if text is None else _FIRST_LETTER.search(_text(text))
    if start is None:
        return "?000"
    found, last = start[0].upper(), _CODES.get(start[0].lower())
    for letter in start.string[start.end() :]:
        code = _CODES.get(letter.lower())
        if code is not None and code != last:
            found += code
            if len(found) == 4:
                break
        last = code
    return found.ljust(4, "0")


_FUNCTIONS: tuple[tuple[str, int, Callable[..., SqlValue]], ...] = (
    ("replace", 3, _replace),
    ("instr", 2, _instr),
    ("trim", 2, _trimming("strip")),
    ("ltrim", 2, _trimming("lstrip")),
    ("rtrim", 2, _trimming("rstrip")),
    ("unhex", 2, _unhex),
    # Spin's SQLite has it, this one does not.
    ("soundex", 1, _soundex),
)
