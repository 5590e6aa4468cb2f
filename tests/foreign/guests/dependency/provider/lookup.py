"""The resources of the interface; componentize-py looks for them in a module of its name."""

from wit_world import exports
from wit_world.exports.lookup import Entry

WORDS = {"bread": ["food", "money"], "brew": ["to make a drink"], "grüße": ["regards"]}


def entry_of(word: str) -> Entry:
    """Everything about a word."""
    return Entry(word, WORDS[word], len(word) if len(word) < 6 else None)


class Reader(exports.lookup.Reader):  # type: ignore[misc]
    """The words that begin alike, one after the other."""

    def __init__(self, prefix: str) -> None:
        self.words = [word for word in WORDS if word.startswith(prefix)]

    def next(self) -> Entry | None:
        return entry_of(self.words.pop(0)) if self.words else None
