"""A dictionary, as a component that others use."""

import os

from componentize_py_types import Err
from lookup import WORDS, Reader, entry_of  # type: ignore[import-not-found]
from wit_world import exports
from wit_world.exports.lookup import Entry, Error_Unknown


class Lookup(exports.Lookup):  # type: ignore[misc]
    """The functions of the interface."""

    def define(self, word: str) -> Entry:
        if word not in WORDS:
            raise Err(Error_Unknown(word))
        return entry_of(word)

    def fork(self, one: Reader) -> Reader:
        other = Reader("nothing begins like this")
        other.words = list(one.words)
        return other

    def environment(self) -> list[tuple[str, str]]:
        return sorted(os.environ.items())
