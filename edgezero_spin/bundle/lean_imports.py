"""Imports without docstrings and assertions, while a component is built.

In: what the standard library and the packages of every component are imported from. Out: their code
as ``python -OO`` compiles it, which is a third of a megabyte of the snapshot. The app and its own
libraries are compiled as they are: their assertions count, and their docstrings may be read.

Source: measured with ``benchmarks``; the archive of the standard library does the same.
"""

from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any

__all__ = ["install"]

_LIBRARY = "/python/"
_PACKAGES = ("/attr/", "/attrs/", "/cattrs/", "/edgezero_spin/", "/typing_extensions.py")
_WITHOUT_DOCSTRINGS = 2


def install() -> None:
    """Compile what is imported from now on so. Inside a component that is being built only."""
    known: Any = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        path = str(self.get_filename(fullname))
        if path.startswith(_LIBRARY) or any(part in path for part in _PACKAGES):
            # Not from ``__pycache__``, where it has its docstrings.
            data: Any = self.get_data(path)
            return self.source_to_code(data, path, _optimize=_WITHOUT_DOCSTRINGS)
        code: CodeType | None = known(self, fullname)
        return code

    SourceFileLoader.get_code = get_code  # type: ignore[assignment]
