"""The typed key-value store that handlers use.

Every method checks its arguments first, then makes exactly one call to the backend; a listing
fetches all keys each time, and ``read_modify_write`` reads and writes. Over a backend with
plain methods none of them suspends; over an asynchronous one they wait for the host.

Source: contract edgezero.md, KV-9 to KV-30.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn, TypeVar, overload

from edgezero_spin.environment import DEFAULT_MAX_LIST_KEYS
from edgezero_spin.errors import StoreError
from edgezero_spin.stores.backend import (
    AsyncKeyValueBackend,
    BackendError,
    BackendOpenError,
    KeyValueBackend,
    is_async,
)
from edgezero_spin.stores.errors import (
    KeyValueInternalError,
    KeyValueSerializationError,
    KeyValueUnsupportedError,
    StoreOpenError,
)
from edgezero_spin.stores.json_values import JsonValueError, decode, encode
from edgezero_spin.stores.paging import (
    KeyPage,
    collect_keys,
    decode_cursor,
    encode_cursor,
    keys_with_prefix,
    page_of,
)
from edgezero_spin.stores.structuring import structurer
from edgezero_spin.stores.validation import (
    MAX_LIST_LIMIT,
    check_key,
    check_limit,
    check_prefix,
    check_ttl,
    check_value_size,
)

__all__ = ["KeyIterator", "KeyValueStore"]

T = TypeVar("T")
BytesBuffer = bytes | bytearray | memoryview


class KeyValueStore:
    """Values by key: JSON of a type, or raw bytes.

    Objects over the same backend see each other's writes. Neither listings nor
    ``read_modify_write`` are protected against writers at the same time.
    """

    __slots__ = ("_awaits", "_backend", "_id", "_label", "_max_list_keys")

    def __init__(
        self,
        backend: KeyValueBackend | AsyncKeyValueBackend,
        label: str = "default",
        max_list_keys: int = DEFAULT_MAX_LIST_KEYS,
        id: str | None = None,
    ) -> None:
        """Put the facade over a backend.

        Args:
            backend: Where the bytes live.
            label: The platform's name of the store, for messages.
            max_list_keys: Most keys that one listing may match; 0 for any number.
            id: The app's name of the store, for messages; the label when not given.
        """
        self._backend: Any = backend
        self._awaits = is_async(backend)
        self._id = id
        self._label = label
        self._max_list_keys = max_list_keys

    def __repr__(self) -> str:
        return f"KeyValueStore({self._label!r})"

    async def open(self) -> None:
        """Open the store now, where the platform would open it at its first use.

        Raises:
            StoreOpenError: The platform cannot open it.
        """
        if self._awaits:
            await self._completed("open", self._backend.open())

    @overload
    async def get(self, key: str) -> Any: ...
    @overload
    async def get(self, key: str, as_type: type[T]) -> T | None: ...
    @overload
    async def get(self, key: str, as_type: Any) -> Any: ...
    async def get(self, key: str, as_type: Any = None) -> Any:
        """Return the JSON value of a key as an object of a type, or ``None`` when missing.

        Without a type the decoded value is returned as it is.

        Raises:
            KeyValueValidationError: The key breaks a rule.
            KeyValueSerializationError: The stored bytes are not JSON of that type.
            KeyValueInternalError: The host failed.
        """
        data = self._read(key)
        if self._awaits:
            data = await self._completed("get", data)
        return None if data is None else _loaded(data, as_type)

    @overload
    async def get_or(self, key: str, default: T) -> T: ...
    @overload
    async def get_or(self, key: str, default: T, as_type: type[T]) -> T: ...
    @overload
    async def get_or(self, key: str, default: Any, as_type: Any) -> Any: ...
    async def get_or(self, key: str, default: Any, as_type: Any = None) -> Any:
        """Return the JSON value of a key, or the default when the key is missing.

        A stored ``null`` is not missing. Raises as ``get``.
        """
        data = self._read(key)
        if self._awaits:
            data = await self._completed("get", data)
        return default if data is None else _loaded(data, as_type)

    async def get_bytes(self, key: str) -> bytes | None:
        """Return the raw bytes of a key, or ``None`` when missing.

        Raises:
            KeyValueValidationError: The key breaks a rule.
            KeyValueInternalError: The host failed.
        """
        data: bytes | None = self._read(key)
        if self._awaits:
            data = await self._completed("get", data)  # type: ignore[arg-type]
        return data

    async def put(self, key: str, value: Any) -> None:
        """Write a value as JSON, replacing what was there.

        Raises:
            KeyValueValidationError: The key breaks a rule or the text is over 25 MiB.
            KeyValueSerializationError: The value has no JSON form.
            KeyValueInternalError: The host failed.
        """
        check_key(key)
        written = self._write(key, _dumped(value))
        if self._awaits:
            await self._completed("set", written)

    async def put_bytes(self, key: str, data: BytesBuffer) -> None:
        """Write raw bytes, replacing what was there.

        Raises:
            KeyValueValidationError: The key breaks a rule or there are over 25 MiB.
            KeyValueInternalError: The host failed.
        """
        check_key(key)
        written = self._write(key, data if type(data) is bytes else _buffer(data).tobytes())
        if self._awaits:
            await self._completed("set", written)

    async def put_with_ttl(self, key: str, value: Any, ttl_s: float) -> NoReturn:
        """Refuse to write a JSON value that expires, which Spin's stores cannot.

        Args:
            key: As for ``put``.
            value: As for ``put``.
            ttl_s: Seconds to live, 60 to 31536000.

        Raises:
            KeyValueValidationError: The key, the time or the size breaks a rule.
            KeyValueSerializationError: The value has no JSON form.
            KeyValueUnsupportedError: In all other cases. Nothing is written.
        """
        check_key(key)
        check_ttl(ttl_s)
        check_value_size(len(_dumped(value)))
        raise KeyValueUnsupportedError("put_bytes_with_ttl")

    async def put_bytes_with_ttl(self, key: str, data: BytesBuffer, ttl_s: float) -> NoReturn:
        """Refuse to write raw bytes that expire; see ``put_with_ttl``."""
        check_key(key)
        check_ttl(ttl_s)
        check_value_size(_buffer(data).nbytes)
        raise KeyValueUnsupportedError("put_bytes_with_ttl")

    async def delete(self, key: str) -> None:
        """Remove a key; a missing one is fine.

        Raises:
            KeyValueValidationError: The key breaks a rule.
            KeyValueInternalError: The host failed.
        """
        check_key(key)
        try:
            deleted = self._backend.delete(key)
        except BackendError as error:
            raise self._failure("delete", error) from error
        if self._awaits:
            await self._completed("delete", deleted)

    async def exists(self, key: str) -> bool:
        """Tell whether a key is there.

        Raises:
            KeyValueValidationError: The key breaks a rule.
            KeyValueInternalError: The host failed.
        """
        check_key(key)
        try:
            found = self._backend.exists(key)
        except BackendError as error:
            raise self._failure("exists", error) from error
        if self._awaits:
            found = await self._completed("exists", found)
        return bool(found)

    @overload
    async def read_modify_write(self, key: str, default: T, change: Callable[[T], T]) -> T: ...
    @overload
    async def read_modify_write(
        self, key: str, default: T, change: Callable[[T], T], as_type: type[T]
    ) -> T: ...
    @overload
    async def read_modify_write(
        self, key: str, default: Any, change: Callable[[Any], Any], as_type: Any
    ) -> Any: ...
    async def read_modify_write(
        self, key: str, default: Any, change: Callable[[Any], Any], as_type: Any = None
    ) -> Any:
        """Read a value or take the default, change it, write it and return the new one.

        Not atomic: of two at the same time one may be lost. Nothing is written when ``change``
        raises. Raises as ``get`` and ``put``.
        """
        data = self._read(key)
        if self._awaits:
            data = await self._completed("get", data)
        value = change(default if data is None else _loaded(data, as_type))
        written = self._write(key, _dumped(value))
        if self._awaits:
            await self._completed("set", written)
        return value

    async def list_keys_page(
        self, prefix: str = "", cursor: str | None = None, limit: int = MAX_LIST_LIMIT
    ) -> KeyPage:
        """Return one page of the keys with a prefix, in order.

        Args:
            prefix: What the keys start with; empty for all.
            cursor: The ``cursor`` of the page before, or ``None`` for the first page.
            limit: Most keys to return, 1 to 1000.

        Raises:
            KeyValueValidationError: An argument breaks a rule.
            KeyValueLimitError: More keys match than the store's ``max_list_keys``.
            KeyValueInternalError: The host failed.
        """
        check_prefix(prefix)
        check_limit(limit)
        after = decode_cursor(prefix, cursor)
        cap = self._max_list_keys
        try:
            listed = self._backend.keys()
            if self._awaits:
                listed = await collect_keys(
                    listed, prefix=prefix, after=after, limit=limit, cap=cap
                )
            keys, last = page_of(listed, prefix=prefix, after=after, limit=limit, cap=cap)
        except BackendError as error:
            raise self._failure("get_keys", error) from error
        return KeyPage(keys, None if last is None else encode_cursor(prefix, last))

    def iter_keys(self, prefix: str = "") -> "KeyIterator":
        """Return an async iterator over all keys with a prefix, in order.

        The host lists its keys once, when the first one is asked for; ``max_list_keys``
        applies.

        Raises:
            KeyValueValidationError: The prefix breaks a rule. The errors of
                ``list_keys_page`` come with the first key.
        """
        check_prefix(prefix)
        return KeyIterator(lambda: self._all_keys(prefix))

    async def _all_keys(self, prefix: str) -> list[str]:
        cap = self._max_list_keys
        try:
            listed = self._backend.keys()
            if self._awaits:
                listed = await collect_keys(listed, prefix=prefix, cap=cap)
            return keys_with_prefix(listed, prefix=prefix, cap=cap)
        except BackendError as error:
            raise self._failure("get_keys", error) from error

    # What these two return is still to be awaited where the backend is asynchronous: a
    # coroutine more for each call would be paid by every component that needs none.

    def _read(self, key: str) -> Any:
        check_key(key)
        try:
            return self._backend.get(key)
        except BackendError as error:
            raise self._failure("get", error) from error

    def _write(self, key: str, data: bytes) -> Any:
        check_value_size(len(data))
        try:
            return self._backend.set(key, data)
        except BackendError as error:
            raise self._failure("set", error) from error

    async def _completed(self, operation: str, answer: Awaitable[Any]) -> Any:
        try:
            return await answer
        except BackendError as error:
            raise self._failure(operation, error) from error

    def _failure(self, operation: str, error: BackendError) -> StoreError:
        if isinstance(error, BackendOpenError):
            return StoreOpenError("kv", self._id or self._label, self._label, error.message)
        return KeyValueInternalError(f"{operation} failed: {error.message}")


class KeyIterator:
    """All keys of one listing, one after the other. Made by ``KeyValueStore.iter_keys``."""

    __slots__ = ("_keys", "_list")

    def __init__(self, list_keys: Callable[[], Awaitable[list[str]]]) -> None:
        """Take what lists the keys; it is called once, at the first step."""
        self._list = list_keys
        self._keys: Iterator[str] | None = None

    def __aiter__(self) -> "KeyIterator":
        return self

    async def __anext__(self) -> str:
        if self._keys is None:
            self._keys = iter(await self._list())
        for key in self._keys:
            return key
        raise StopAsyncIteration


def _buffer(data: Any) -> memoryview:
    try:
        return memoryview(data)
    except TypeError:
        hint = "write .encode(), or put(key, value) for JSON"
        raise TypeError(f"put_bytes takes bytes, got {type(data).__name__}; {hint}") from None


def _loaded(data: bytes, as_type: Any) -> Any:
    try:
        value = decode(data)
        return value if as_type is None else structurer(as_type)(value)
    except JsonValueError as error:
        raise KeyValueSerializationError(str(error)) from error


def _dumped(value: Any) -> bytes:
    try:
        return encode(value)
    except JsonValueError as error:
        raise KeyValueSerializationError(str(error)) from error
