"""Values of the option ``--variable``.

Source: contract spin-host.md, VAR-20.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from edgezero_spin.host.factors.variables.errors import VariableSetupError
from edgezero_spin.manifest.decoding import decode_json, decode_toml

__all__ = ["read_variable_options"]


def read_variable_options(options: Iterable[str]) -> dict[str, str]:
    """Return names and values; of several for one name the last counts.

    Args:
        options: Each ``name=value``, ``name=@file`` for the content of a file,
            ``@file.json`` or ``@file.toml`` for a file of names and values.

    Raises:
        VariableSetupError: An option has another form, or its file cannot be read.
    """
    values: dict[str, str] = {}
    for option in options:
        if option.startswith("@"):
            values.update(_read_map(Path(option[1:])))
            continue
        name, equals, value = option.partition("=")
        if not equals:
            raise VariableSetupError(
                f"variables must be in the form 'key=value' or '@file', got {option!r}"
            )
        values[name] = _read(Path(value[1:])) if value.startswith("@") else value
    return values


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as err:
        raise VariableSetupError(f'Failed to read "{path}": {err.strerror or err}.') from None
    except UnicodeDecodeError:
        raise VariableSetupError(f'Failed to read "{path}": it is not UTF-8 text.') from None


def _read_map(path: Path) -> dict[str, str]:
    readers: dict[str, tuple[str, Callable[[str], Any]]] = {
        ".json": ("JSON", decode_json),
        ".toml": ("TOML", decode_toml),
    }
    if path.suffix not in readers:
        raise VariableSetupError(
            f'variable files must end in .json or .toml, and "{path}" does not'
        )
    kind, read = readers[path.suffix]
    try:
        found: Any = read(_read(path))
    except ValueError as err:
        raise VariableSetupError(f'Failed to parse {kind} from "{path}": {err}') from None
    if not isinstance(found, dict):
        raise VariableSetupError(f'Failed to parse {kind} from "{path}": it is not a table.')
    wrong = [name for name, value in found.items() if not isinstance(value, str)]
    if wrong:
        raise VariableSetupError(
            f'Failed to parse {kind} from "{path}": the value of '
            f"{', '.join(wrong)} is not a string."
        )
    return found
