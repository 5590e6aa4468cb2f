"""Providers of the values of application variables.

Source: contract spin-host.md, VAR-5 and VAR-20 to VAR-24.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from edgezero_spin.host.factors.variables.dotenv import DotenvError, parse_dotenv
from edgezero_spin.host.factors.variables.errors import ProviderError

__all__ = [
    "DEFAULT_PREFIX",
    "ClosingProvider",
    "EnvironmentProvider",
    "StaticProvider",
    "VariableProvider",
]

DEFAULT_PREFIX = "SPIN_VARIABLE"
"""What the environment variable of ``name`` starts with: ``SPIN_VARIABLE_NAME``."""


class VariableProvider(Protocol):
    """One place to look a value up. May be asked from any thread, at every call of a guest.

    A provider that asks another machine says so by an attribute ``remote``.
    """

    def get(self, name: str) -> str | None:
        """Return the value, ``None`` when this provider has none.

        Raises:
            ProviderError: It cannot tell.
        """


@runtime_checkable
class ClosingProvider(VariableProvider, Protocol):
    """A provider that holds connections until the application ends."""

    def close(self) -> None:
        """Close them. Twice is harmless."""


class StaticProvider:
    """Values that were given at the start: ``--variable`` and ``type = "static"``."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def get(self, name: str) -> str | None:
        """Return the value that was given."""
        return self._values.get(name)


class EnvironmentProvider:
    """Environment variables, and below them the lines of a ``.env`` file.

    The environment is read at each call, the file once, when the environment does not
    have a name for the first time. A file that is missing has no lines.
    """

    def __init__(
        self,
        prefix: str = DEFAULT_PREFIX,
        *,
        dotenv_path: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Look values up below a prefix.

        Args:
            prefix: Joined to the upper-case name with an underscore.
            dotenv_path: The file, if there may be one.
            environ: The environment; this process's own when ``None``.
        """
        self._prefix = prefix
        self._dotenv_path = dotenv_path
        self._environ = os.environ if environ is None else environ
        self._lines: Mapping[str, str] | None = None

    def get(self, name: str) -> str | None:
        """Return the value from the environment, or else from the file."""
        key = f"{self._prefix}_{name.upper()}"
        value = self._environ.get(key)
        if value is None:
            return self._from_file().get(key)
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ProviderError(f"failed to resolve env var {key}") from None
        return value

    def _from_file(self) -> Mapping[str, str]:
        # Two threads may read the file at once; both find the same.
        if self._lines is None:
            self._lines = self._read_file()
        return self._lines

    def _read_file(self) -> Mapping[str, str]:
        path = self._dotenv_path
        if path is None:
            return {}
        try:
            return parse_dotenv(path.read_bytes().decode(), self._environ)
        except UnicodeDecodeError:
            raise ProviderError(f"{path} is not UTF-8 text") from None
        except DotenvError as err:
            raise ProviderError(f"{path}: {err}") from None
        except PermissionError:
            raise ProviderError(f"{path} cannot be read: permission denied") from None
        except OSError:
            return {}
