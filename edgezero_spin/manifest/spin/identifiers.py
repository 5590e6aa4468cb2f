"""The rules for component ids, variable names and store labels.

An identifier is made of words with one separator between them, ``-`` (kebab case) or ``_``
(snake case). A word starts with an ASCII letter, goes on with ASCII letters and digits,
and its letters are all lower-case or all upper-case.

In: a text. Out: what is wrong with it, or ``None``.

Source: contract spin-host.md, MAN-40 and MAN-50 to MAN-57.
"""

__all__ = ["kebab_fault", "label_fault", "package_fault", "snake_fault"]


def kebab_fault(text: str) -> str | None:
    """Say why a text is not a kebab-case identifier; ``None`` when it is one."""
    return _fault(text, "-", "_")


def snake_fault(text: str, *, lower: bool = False) -> str | None:
    """Say why a text is not a snake-case identifier; ``None`` when it is one.

    Args:
        lower: Whether upper-case words are refused, as they are in names of variables.
    """
    fault = _fault(text, "_", "-")
    if fault is None and lower and text != text.lower():
        return f'Lower-case identifiers must be all lowercase; got "{text}"'
    return fault


def package_fault(text: str) -> str | None:
    """Say why a text is not a name of a package, ``namespace:name``; ``None`` when it is one.

    Both parts are lower case, unlike the identifiers of components.
    """
    namespace, colon, name = text.partition(":")
    if not colon:
        return "a namespace and ':' must stand before the name"
    for part in (namespace, name):
        fault = kebab_fault(part)
        if fault is None and part != part.lower():
            fault = f'must be all lowercase; got "{part}"'
        if fault is not None:
            return fault
    return None


def label_fault(text: str) -> str | None:
    """Say why a text is not a label of a store or database; ``None`` when it is one."""
    if kebab_fault(text) is None or snake_fault(text) is None:
        return None
    return "expected kebab-case or snake_case"


def _fault(text: str, separator: str, wrong: str) -> str | None:
    if not text:
        return "empty"
    if wrong in text:
        return f"words must be separated with '{separator}', not '{wrong}'"
    for word in text.split(separator):
        fault = _word_fault(word)
        if fault is not None:
            return f"'{separator}'-separated words {fault}"
    return None


def _word_fault(word: str) -> str | None:
    if not word:
        return "must not be empty"
    if not (word[0].isascii() and word[0].isalpha()):
        return f"must start with an ASCII letter; got '{word[0]}'"
    for letter in word:
        if not (letter.isascii() and letter.isalnum()):
            return f"may only contain alphanumeric ASCII; got '{letter}'"
        if letter.isalpha() and letter.isupper() != word[0].isupper():
            return f'must be all lowercase or all UPPERCASE; got "{word}"'
    return None
