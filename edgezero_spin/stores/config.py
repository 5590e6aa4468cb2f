"""Configuration: text by dotted key, or all of it, from a key-value store that the operator fills.

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
from edgezero_spin.stores.config_envelope import has_entries, is_envelope, read_envelope
from edgezero_spin.stores.errors import (
    ConfigUnavailableError,
    InvalidConfigKeyError,
    StoreOpenError,
)
from edgezero_spin.stores.validation import check_text

__all__ = ["ConfigStore"]


class ConfigStore:
    """Read-only configuration: ``await config.default.get("service.timeout_ms")``."""

    __slots__ = ("_awaits", "_backend", "_id", "_key", "_label", "_looked")

    def __init__(
        self,
        backend: KeyValueBackend | AsyncKeyValueBackend,
        label: str = "default",
        id: str | None = None,
        key: str | None = None,
    ) -> None:
        """Put the facade over a backend.

        Args:
            backend: Where entries are.
            label: For messages.
            id: For messages, and the key of the whole configuration unless ``key`` is given.
            key: The key of the entry that holds the whole configuration.
        """
        self._backend: Any = backend
        self._awaits = is_async(backend)
        self._id = id
        self._key = id if key is None else key
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
        text = await self._read(key)
        if text is None and key != self._key:
            await self._refuse_one_entry()
        return text

    async def whole(self, key: str | None = None) -> dict[str, Any] | None:
        """Return the whole configuration, as ``config push`` and EdgeZero write it in one entry.

        Secret fields hold the names of secrets. ``AppConfig[T]`` gives a handler the same, typed
        and with the secrets.

        Args:
            key: The entry; the id of the store, or what ``EDGEZERO__STORES__CONFIG__<ID>__KEY``
                says, unless given.

        Returns:
            The configuration, ``None`` where there is no such entry.

        Raises:
            ConfigInternalError: The entry is not a configuration, or was changed.
            ConfigUnavailableError: The host failed, or the value is not UTF-8.
        """
        text = await self._read(self.key if key is None else key)
        return None if text is None else read_envelope(text)

    @property
    def key(self) -> str:
        """The key of the entry that holds the whole configuration."""
        return self._label if self._key is None else self._key

    async def _read(self, key: str) -> str | None:
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
            return None if data is None else str(data.decode())
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
        """Look, at the first miss, whether the configuration is in one entry and nowhere else."""
        if self._key is None or self._looked:
            return
        self._looked = True
        text = await self._read(self._key)
        if text is not None and is_envelope(text) and not has_entries(text):
            raise ConfigUnavailableError(
                f"store `{self._label}` holds the whole configuration in its entry `{self._key}`, "
                "as current versions of EdgeZero write it, and no entry for each key: write them "
                "with `edgezero config push`, or ask for AppConfig[...]"
            )

    def _open_failure(self, error: BackendOpenError) -> StoreOpenError:
        return StoreOpenError("config", self._id or self._label, self._label, error.message)
