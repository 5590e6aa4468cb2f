"""Names and texts that should not be shown, as far as can be guessed.

Nothing is refused here: the guess decides only whether a message quotes a value.

Source: our own; contract edgezero.md, PSH-8 and SAN-9.
"""

import re
from itertools import pairwise

__all__ = ["looks_like_a_secret", "quoted_reference"]

_SECRET_WORDS = frozenset(
    {
        "apikey",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
        "secrets",
        "token",
    }
)
_SECRET_PAIRS = frozenset(
    {("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key")}
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Words of letters with a number at either end at most, as people name things.
_NAME = re.compile(r"[0-9]{0,2}[A-Za-z]+[0-9]{0,2}([-_.][A-Za-z]*[0-9]{0,2})*|[-_]?[A-Za-z]*")
_MOST_SHOWN = 40


def looks_like_a_secret(key: str) -> bool:
    """Whether the last part of an entry key reads like the name of a secret."""
    words = [word.lower() for word in _WORD.findall(key.rpartition(".")[2])]
    return not _SECRET_WORDS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairwise(words))


def quoted_reference(text: str) -> str:
    """Return what should be the name of a secret in quotes, if it reads like a name.

    A person who puts the secret itself where its name belongs finds its length instead.
    """
    if len(text) <= _MOST_SHOWN and _NAME.fullmatch(text):
        return repr(text)
    return f"what is there ({len(text)} characters, not shown)"
