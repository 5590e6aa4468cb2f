"""The modules of the standard library that no component has imported yet, as an archive.

Made inside a component that is being built, because only that has the library and the
compiler of CPython as componentize-py bundles it. Code loses its docstrings and assertions
(``python -OO``) and the columns of its line table; lines in tracebacks stay.

``edgezero componentize`` has it made once for a release of componentize-py
(``python_code=True``); other builds carry compressed source, which needs no time to compile
and more when it is imported.
"""

import marshal
import os
import sys
from collections.abc import Iterator
from types import CodeType

from edgezero_spin.bundle.archive import ArchiveWriter
from edgezero_spin.bundle.unavailable import NOT_BUNDLED, UNAVAILABLE

__all__ = ["lines_only", "standard_library"]

_LIBRARY = "/python"
_LEFT_OUT = frozenset({"__pycache__", "site-packages", "config-3.14-wasm32-wasi", "tests", "test"})
_LEFT_OUT_MODULES = frozenset(
    {
        *("asyncio.windows_events", "asyncio.windows_utils", "asyncio.proactor_events"),
        *("encodings.mbcs", "encodings.oem", "unittest.__main__"),
    }
)
# Line table, Objects/locations.md of CPython: 0x80, four bits of kind, three of length.
_NO_COLUMNS = 0x80 | 13 << 3
_NO_LINE = 0x80 | 15 << 3
_LONGEST = 8


def standard_library(*, python_code: bool) -> ArchiveWriter:
    """Collect for an archive what is not loaded now and could be imported later.

    Args:
        python_code: Whether to compile it now; source otherwise.
    """
    writer = ArchiveWriter()
    for name, path, is_package in sorted(_modules(_LIBRARY, "")):
        if name in sys.modules:
            continue
        with open(path, "rb") as file:
            data = file.read()
        if python_code:
            code = compile(data, path, "exec", dont_inherit=True, optimize=2)
            data = marshal.dumps(lines_only(code))
        writer.add_module(
            name,
            data,
            path=path,
            is_package=is_package,
            is_source=not python_code,
            group=name.partition(".")[0] if "." in name or is_package else "",
        )
    return writer


def _modules(folder: str, prefix: str) -> Iterator[tuple[str, str, bool]]:
    for entry in sorted(os.listdir(folder)):
        path = f"{folder}/{entry}"
        name = prefix + entry.removesuffix(".py")
        if name in UNAVAILABLE or name in NOT_BUNDLED or name in _LEFT_OUT_MODULES:
            continue
        if entry.endswith(".py"):
            if entry != "__init__.py":
                yield name, path, False
        elif entry not in _LEFT_OUT and os.path.isfile(f"{path}/__init__.py"):
            yield name, f"{path}/__init__.py", True
            yield from _modules(path, f"{name}.")


def lines_only(code: CodeType) -> CodeType:
    """Return code whose line table says lines and no columns, all functions in it as well."""
    table = bytearray()
    line = code.co_firstlineno
    units = [start for start, _, _, _ in code.co_positions()]
    at = 0
    while at < len(units):
        here = units[at]
        until = at
        while until < len(units) and until - at < _LONGEST and units[until] == here:
            until += 1
        if here is None:
            table.append(_NO_LINE | until - at - 1)
        else:
            table.append(_NO_COLUMNS | until - at - 1)
            table += _signed(here - line)
            line = here
        at = until
    constants = tuple(
        lines_only(each) if isinstance(each, CodeType) else each for each in code.co_consts
    )
    return code.replace(co_linetable=bytes(table), co_consts=constants)


def _signed(number: int) -> bytes:
    """Encode a signed number in groups of six bits, the sign in the lowest one."""
    value = -number << 1 | 1 if number < 0 else number << 1
    groups = bytearray()
    while value >= 64:
        groups.append(64 | value & 63)
        value >>= 6
    groups.append(value)
    return bytes(groups)
