"""Configuration text by dotted key, read from a key-value store that the operator fills.

Source: contract edgezero.md, CFG-1 to CFG-6.
"""

from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.stores.errors import ConfigUnavailableError, InvalidConfigKeyError
from edgezero_spin.stores.validation import check_text

__all__ = ["ConfigStore"]


class ConfigStore:
    """Read-only configuration: ``await config.default.get("service.timeout_ms")``."""

    __slots__ = ("_backend", "_label")

    def __init__(self, backend: KeyValueBackend, label: str = "default") -> None:
        """Put the facade over a backend; the label appears in messages."""
        self._backend = backend
        self._label = label

    def __repr__(self) -> str:
        return f"ConfigStore({self._label!r})"

    async def get(self, key: str) -> str | None:
        """Return the text at a key, or ``None`` when there is none.

        The key goes to the host as it is: dots and case are kept, and no rule limits it.

        Raises:
            ConfigUnavailableError: The host failed, or the value is not UTF-8.
            InvalidConfigKeyError: The key holds half of a surrogate pair.
            TypeError: The key is not text.
        """
        if type(key) is not str:
            check_text("config key", key)
        if not key:
            return None
        try:
            if not key.isascii():
                key.encode()
            data = self._backend.get(key)
            return None if data is None else data.decode()
        except BackendError as error:
            raise ConfigUnavailableError(f"store `{self._label}`: {error.message}") from error
        except UnicodeDecodeError as error:
            raise ConfigUnavailableError(
                f"store `{self._label}`: non-utf8 value for `{key}` at byte {error.start}"
            ) from error
        except UnicodeEncodeError as error:
            raise InvalidConfigKeyError("config key is not valid Unicode text") from error
