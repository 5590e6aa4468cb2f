"""A key-value store in a container of Azure Cosmos DB, in the form that Spin uses.

A document has the key as ``id``, which is its partition as well, and the value as a list of
numbers, one for each byte. A counter has a number in that place and can only be counted.

Source: contract spin-host.md, KV-52; the documents that Spin writes.
"""

import contextlib
import logging
import re
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.cosmos import ContainerProxy, CosmosClient
from azure.identity import DefaultAzureCredential

from edgezero_spin.host.factors.key_value.batches import counter_value
from edgezero_spin.host.factors.key_value.cloud import CosmosContainer
from edgezero_spin.stores.backend import BackendError

__all__ = ["CosmosKeyValue"]

logger = logging.getLogger("edgezero_spin.host")

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30

ILLEGAL = "/\\?#"
"""Characters that no id may have, and neither tabs nor line ends (KV-52)."""

# The service takes a blank at the end for none.
_POSSIBLE = re.compile(r"[^/\\?#\t\r\n]*[^/\\?#\t\r\n ]")

GET_BATCH = 100
COUNTER_TRIES = 10

_NOT_FOUND = 404
_CONFLICT = 409
_CHANGED = 412


class CosmosKeyValue:
    """The documents of a container; a ``BatchBackend``.

    Attributes:
        place: Where they are.
        summary: The same for traces.
    """

    remote = True

    def __init__(self, place: CosmosContainer, *, url: str | None = None) -> None:
        """Connect to nothing yet.

        Args:
            url: Where the account answers; the public cloud when ``None``.
        """
        self.place = place
        self.summary = f"Azure CosmosDB database: {place.database}, collection: {place.container}"
        self._url = url or place.url
        self._lock = threading.Lock()
        self._open = contextlib.ExitStack()
        self._container: ContainerProxy | None = None

    def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""
        document = self._read(key)
        return None if document is None else _value_of(document)

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""
        document = _document(key, value)
        with self._answered():
            self._documents().upsert_item(document)

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        if not _is_possible(key):
            return
        try:
            with self._answered():
                self._documents().delete_item(key, partition_key=key)
        except _StatusError as error:
            if error.status != _NOT_FOUND:
                raise

    def exists(self, key: str) -> bool:
        """Tell whether the key is there."""
        if not _is_possible(key):
            return False
        found = self._query(
            "SELECT VALUE c.id FROM c WHERE c.id = @key", {"@key": key}, partition_key=key
        )
        return next(iter(found), None) is not None

    def keys(self) -> Iterator[str]:
        """Yield every key once, a page of the container at a time."""
        yield from self._query("SELECT VALUE c.id FROM c", {})

    def get_many(self, keys: Sequence[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield the entries that exist, in no promised order."""
        wanted = [key for key in dict.fromkeys(keys) if _is_possible(key)]
        for start in range(0, len(wanted), GET_BATCH):
            found = self._query(
                "SELECT * FROM c WHERE ARRAY_CONTAINS(@keys, c.id)",
                {"@keys": wanted[start : start + GET_BATCH]},
            )
            for document in found:
                yield document["id"], _value_of(document)

    def set_many(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write one entry after the other (KV-24)."""
        for key, value in entries:
            self.set(key, value)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove one key after the other (KV-24)."""
        for key in keys:
            self.delete(key)

    def increment(self, key: str, delta: int) -> int:
        """Add to a counter and return its new value; one that is absent begins at 0."""
        _check(key)
        change = [{"op": "incr", "path": "/value", "value": delta}]
        for _ in range(COUNTER_TRIES):
            try:
                with self._answered():
                    changed = self._documents().patch_item(
                        key, partition_key=key, patch_operations=change
                    )
                return _number_of(changed)
            except _StatusError as error:
                if error.status != _NOT_FOUND:
                    raise
            try:
                with self._answered():
                    self._documents().create_item({"id": key, "value": delta})
                return delta
            except _StatusError as error:
                # Somebody else began it.
                if error.status != _CONFLICT:
                    raise
        raise BackendError("others made and removed the counter at each try")

    def compare_and_set(self, key: str, expected: bytes, value: bytes) -> bool:
        """Write the value if the store still holds the expected one."""
        document = self._read(key)
        if document is None or _value_of(document) != expected:
            return False
        try:
            with self._answered():
                self._documents().replace_item(
                    key,
                    _document(key, value),
                    etag=document["_etag"],
                    match_condition=MatchConditions.IfNotModified,
                )
        except _StatusError as error:
            if error.status in (_CHANGED, _NOT_FOUND):
                return False
            raise
        return True

    def close(self) -> None:
        """Close the connections. Twice is harmless."""
        with self._lock:
            self._container = None
            self._open.close()

    def _documents(self) -> ContainerProxy:
        """The container; the client asks the account about itself when it is made."""
        container = self._container
        if container is None:
            with self._lock:
                if self._container is None:
                    place = self.place
                    credential: Any = place.key
                    if credential is None:
                        credential = self._open.enter_context(DefaultAzureCredential())
                    client = CosmosClient(
                        self._url,
                        credential,
                        connection_timeout=CONNECT_TIMEOUT_S,
                        read_timeout=READ_TIMEOUT_S,
                    )
                    self._open.enter_context(client)
                    database = client.get_database_client(place.database)
                    self._container = database.get_container_client(place.container)
                container = self._container
        return container

    def _read(self, key: str) -> dict[str, Any] | None:
        if not _is_possible(key):
            return None
        try:
            with self._answered():
                return dict(self._documents().read_item(key, partition_key=key))
        except _StatusError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def _query(
        self, text: str, parameters: dict[str, Any], partition_key: str | None = None
    ) -> Iterator[Any]:
        where: dict[str, Any] = (
            {"enable_cross_partition_query": True}
            if partition_key is None
            else {"partition_key": partition_key}
        )
        with self._answered():
            pages: Iterable[Any] = self._documents().query_items(
                text,
                parameters=[{"name": name, "value": value} for name, value in parameters.items()],
                **where,
            )
            yield from pages

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Turn the client's errors into ``BackendError``, without anything secret."""
        try:
            yield
        except ClientAuthenticationError:
            raise BackendError(
                "Azure gave no token: set AZURE_TENANT_ID, AZURE_CLIENT_ID and "
                "AZURE_CLIENT_SECRET, or `key` in the runtime configuration"
            ) from None
        except HttpResponseError as error:
            # Messages repeat what was signed; the status says what to do.
            status = error.status_code or 0
            if status not in (_NOT_FOUND, _CONFLICT, _CHANGED):
                logger.warning("Cosmos DB answered with the status %d", status)
            raise _StatusError(status, str(error.reason or "")) from None
        except AzureError as error:
            logger.warning("Cosmos DB cannot be asked: %s", type(error).__name__)
            raise BackendError(f"Cosmos DB cannot be asked: {type(error).__name__}") from None


class _StatusError(BackendError):
    """The service answered with an error.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"Cosmos DB: {status} {reason}".rstrip())
        self.status = status


def _is_possible(key: str) -> bool:
    return _POSSIBLE.fullmatch(key) is not None


def _check(key: str) -> None:
    if not key:
        raise BackendError("a key of Cosmos DB may not be empty")
    if key.endswith(" "):
        raise BackendError("a key of Cosmos DB may not end with a blank")
    if not _is_possible(key):
        raise BackendError(
            f"Key contains an illegal character. Keys must not include any of: {ILLEGAL}"
        )


def _document(key: str, value: bytes) -> dict[str, Any]:
    _check(key)
    return {"id": key, "value": list(value)}


def _value_of(document: dict[str, Any]) -> bytes:
    value = document.get("value")
    try:
        if isinstance(value, list):
            return bytes(value)
    except (TypeError, ValueError):
        pass
    kind = "a counter" if isinstance(value, int) else "no list of bytes"
    raise BackendError(f"the value is {kind}")


def _number_of(document: dict[str, Any]) -> int:
    value = document.get("value")
    if not isinstance(value, int):
        raise BackendError("the value is not a counter")
    return counter_value(value)
