"""Globs of a manifest, as regular expressions.

In: patterns of ``files``, ``exclude_files`` and ``build.watch``. Out: what tells whether a path
matches. It looks at no file.

Source: contract spin-host.md, MAN-66, MAN-68, CLI-17; the crate ``glob`` 0.3.
"""

import re

__all__ = ["fixed_part", "path_regex", "text_regex"]

_MAGIC = re.compile(r"[*?\[]")


def fixed_part(text: str) -> tuple[str, str]:
    """Return the folders that a glob begins with outright, and the rest."""
    parts = text.split("/")
    plain = 0
    while plain < len(parts) and not _MAGIC.search(parts[plain]):
        plain += 1
    return "/".join(parts[:plain]), "/".join(parts[plain:])


def path_regex(glob: str) -> re.Pattern[str]:
    """Compile a glob whose ``*`` and ``?`` stop at slashes and whose ``**`` does not."""
    regex = ""
    index = 0
    while index < len(glob):
        if glob.startswith("**/", index):
            regex += "(?:.*/)?"
            index += 3
            continue
        if glob.startswith("**", index):
            regex += ".*"
            index += 2
            continue
        letter = glob[index]
        index += 1
        if letter == "[" and (found := _character_class(glob, index)):
            letters, index = found
            # It never means a slash.
            regex += f"(?!/){letters}"
        else:
            regex += {"*": "[^/]*", "?": "[^/]"}.get(letter, re.escape(letter))
    return re.compile(regex, re.DOTALL)


def text_regex(text: str) -> re.Pattern[str]:
    """Compile a glob in which ``*`` and ``?`` also match slashes, as Spin's excludes do."""
    regex = ""
    index = 0
    while index < len(text):
        letter = text[index]
        index += 1
        if letter == "*":
            while text[index : index + 1] == "*":
                index += 1
            # `**/` also stands for no folder at all.
            if text[index - 2 : index + 1] == "**/":
                regex += "(?:.*/)?"
                index += 1
            else:
                regex += ".*"
        elif letter == "?":
            regex += "."
        elif letter == "[" and (found := _character_class(text, index)):
            letters, index = found
            regex += letters
        else:
            regex += re.escape(letter)
    return re.compile(regex, re.DOTALL)


def _character_class(text: str, start: int) -> tuple[str, int] | None:
    """Translate the brackets in a glob.

    Args:
        text: The glob.
        start: Where what is in them begins.

    Returns:
        The regular expression, and where the glob goes on; ``None`` where they are not closed.
    """
    negated = text.startswith("!", start)
    index = start + negated
    end = text.find("]", index + 1)
    if end < 0:
        return None
    letters = ""
    while index < end:
        if text[index + 1] == "-" and index + 2 < end:
            # A range that ends before it begins has no letters.
            if text[index] <= text[index + 2]:
                letters += f"{re.escape(text[index])}-{re.escape(text[index + 2])}"
            index += 3
        else:
            letters += re.escape(text[index])
            index += 1
    if not letters:
        return "." if negated else "(?!)", end + 1
    return f"[{'^' if negated else ''}{letters}]", end + 1
