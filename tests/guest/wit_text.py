"""Take WIT text apart as far as comparing interfaces needs.

In: the text of a ``.wit`` file. Out: for each interface its items as text without
comments, white space and trailing commas, so that only names, cases, types and
signatures are left.
"""

import re
from pathlib import Path

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PACKAGE = re.compile(r"^\s*package\s+([^;]+);", re.MULTILINE)
_INTERFACE = re.compile(r"\binterface\s+([\w-]+)\s*\{")
_GATE = re.compile(r"@(?:since|unstable|deprecated)\([^)]*\)\s*")


def interfaces(text: str) -> dict[str, str]:
    """Return each interface of a file by its name, normalised."""
    text = _GATE.sub("", _COMMENT.sub("", text))
    found: dict[str, str] = {}
    for match in _INTERFACE.finditer(text):
        depth, at = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        body = re.sub(r"\s+", " ", text[match.end() : at - 1])
        body = re.sub(r",\s*([)}])", r"\1", body)
        found[match[1]] = re.sub(r"\s*([(){}<>,;:=]|->)\s*", r"\1", body).strip()
    return found


def package_of(entry: Path) -> str:
    """Return the package that a file or the files of a folder belong to (``wasi:io@0.2.0``)."""
    for path in _files(entry):
        match = _PACKAGE.search(_COMMENT.sub("", path.read_text(encoding="utf-8")))
        if match:
            return match[1].strip()
    raise ValueError(f"{entry}: no file names a package")


def package_interfaces(entry: Path) -> dict[str, str]:
    """Return every interface of a package's file or folder."""
    found: dict[str, str] = {}
    for path in _files(entry):
        found |= interfaces(path.read_text(encoding="utf-8"))
    return found


def _files(entry: Path) -> list[Path]:
    return sorted(entry.glob("*.wit")) if entry.is_dir() else [entry]
