"""Configuration text by dotted key, read from a key-value store that the operator fills.

Source: contract edgezero.md, CFG-1 to CFG-6, BLB-1 and BLB-2.
"""

from typing import Any

from edgezero_spin.stores.backend import (
    AsyncKeyValueBackend,
    BackendError,
    BackendOpenError,
    KeyValueBackend,
    is_async,
)
from edgezero_spin.stores.errors import (
    ConfigUnavailableError,
    InvalidConfigKeyError,
    StoreOpenError,
)
from edgezero_spin.stores.validation import check_text

__all__ = ["ConfigStore"]

# Members of the entry in which EdgeZero keeps a whole configuration.
_ENVELOPE = (b'"data"', b'"sha256"', b'"version"')


class ConfigStore:
    """Read-only configuration: ``await config.default.get("service.timeout_ms")``."""

    __slots__ = ("_awaits", "_backend", "_id", "_label", "_looked")

    def __init__(
        self,
        backend: KeyValueBackend | AsyncKeyValueBackend,
        label: str = "default",
        id: str | None = None,
    ) -> None:
        """Put the facade over a backend; label and id appear in messages."""
        self._backend: Any = backend
        self._awaits = is_async(backend)
        self._id = id
        self._label = label
        self._looked = False

    def __repr__(self) -> str:
        return f"ConfigStore({self._label!r})"

    async def open(self) -> None:
        """Open the store now, where the platform would open it at its first use.

        Raises:
            StoreOpenError: The platform cannot open it.
        """
        if self._awaits:
            try:
                await self._backend.open()
            except BackendOpenError as error:
                raise self._open_failure(error) from error

    async def get(self, key: str) -> str | None:
        """Return the text at a key, or ``None`` when there is none.

        The key goes to the host as it is: dots and case are kept, and no rule limits it.

        Raises:
            ConfigUnavailableError: The host failed, the value is not UTF-8, or the store holds
                the whole configuration in one entry, as current versions of EdgeZero write it.
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
            if self._awaits:
                data = await data
            if data is None:
                await self._refuse_one_entry()
                return None
            return str(data.decode())
        except BackendOpenError as error:
            raise self._open_failure(error) from error
        except BackendError as error:
            raise ConfigUnavailableError(f"store `{self._label}`: {error.message}") from error
        except UnicodeDecodeError as error:
            raise ConfigUnavailableError(
                f"store `{self._label}`: non-utf8 value for `{key}` at byte {error.start}"
            ) from error
        except UnicodeEncodeError as error:
            raise InvalidConfigKeyError("config key is not valid Unicode text") from error

    async def _refuse_one_entry(self) -> None:
        """Look, at the first miss, whether the configuration is all in the entry of the id."""
        if self._id is None or self._looked:
            return
        self._looked = True
        data = self._backend.get(self._id)
        if self._awaits:
            data = await data
        if data is not None and data[:1] == b"{" and all(name in data for name in _ENVELOPE):
            raise ConfigUnavailableError(
                f"store `{self._label}` holds the whole configuration in its entry `{self._id}`, "
                "as current versions of EdgeZero write it; this app reads one entry for each "
                "key: write them with `edgezero config push`"
            )

    def _open_failure(self, error: BackendOpenError) -> StoreOpenError:
        return StoreOpenError("config", self._id or self._label, self._label, error.message)
