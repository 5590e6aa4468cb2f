"""A key-value store in a table of Amazon DynamoDB, in the form that Spin uses.

An item has the key as ``PK`` (text) and the value as ``VAL`` (binary). ``VER`` (a number)
counts compare-and-swap writes, so that Spin, which compares it, notices ours. Nothing says
which store a key belongs to: two labels with one table are one store.

Source: contract spin-host.md, KV-53; the items that Spin writes.
"""

import logging
import re
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from edgezero_spin.host.factors.key_value.batches import counter_value
from edgezero_spin.host.factors.key_value.cloud import DynamoTable
from edgezero_spin.stores.backend import BackendError

__all__ = ["DynamoKeyValue"]

logger = logging.getLogger("edgezero_spin.host")

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
CONNECTIONS = 64

# What one request may hold, by the service's own rules.
GET_BATCH = 100
WRITE_BATCH = 25

COUNTER_TRIES = 10

_NUMBER = re.compile(rb"[+-]?[0-9]{1,19}")

_CONDITION = "ConditionalCheckFailedException"


class DynamoKeyValue:
    """The items of a table; a ``BatchBackend``.

    Attributes:
        table: Where they are.
        summary: The same for traces.
        remote: It is on another machine.
    """

    remote = True

    def __init__(self, table: DynamoTable) -> None:
        """Connect to nothing yet."""
        self.table = table
        self.summary = f"AWS DynamoDB region: {table.region}, table: {table.table}"
        given = {}
        if table.access_key is not None and table.secret_key is not None:
            given = {
                "aws_access_key_id": table.access_key,
                "aws_secret_access_key": table.secret_key,
                "aws_session_token": table.token,
            }
        # The default session of the process belongs to whoever embeds this host.
        self._client: Any = boto3.session.Session(region_name=table.region, **given).client(
            "dynamodb",
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                max_pool_connections=CONNECTIONS,
                retries={"mode": "standard"},
            ),
        )
        self._pause = threading.Event()

    def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""
        return _value_of(self._item(key, "VAL", self.table.consistent_read))

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""
        with self._answered():
            self._client.put_item(TableName=self.table.table, Item=_item(key, value))

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        with self._answered():
            self._client.delete_item(TableName=self.table.table, Key=_key(key))

    def exists(self, key: str) -> bool:
        """Tell whether the key is there."""
        return "PK" in self._item(key, "PK", self.table.consistent_read)

    def keys(self) -> Iterator[str]:
        """Yield every key once, a page of the table at a time."""
        last: dict[str, Any] = {}
        while True:
            with self._answered():
                page = self._client.scan(
                    TableName=self.table.table,
                    ProjectionExpression="PK",
                    ConsistentRead=self.table.consistent_read,
                    **last,
                )
            for item in page.get("Items", ()):
                if "S" in item.get("PK", {}):
                    yield item["PK"]["S"]
            if "LastEvaluatedKey" not in page:
                return
            last = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def get_many(self, keys: Sequence[str]) -> Generator[tuple[str, bytes], None, None]:
        """Yield the entries that exist, in no promised order."""
        name = self.table.table
        for batch in _batches(list(dict.fromkeys(keys)), GET_BATCH):
            wanted = {
                "Keys": [_key(key) for key in batch],
                "ProjectionExpression": "PK,VAL",
                "ConsistentRead": self.table.consistent_read,
            }
            request = {name: wanted}
            for _ in self._tries("DynamoDB left some of the keys unread"):
                with self._answered():
                    answer = self._client.batch_get_item(RequestItems=request)
                for item in answer.get("Responses", {}).get(name, ()):
                    value = _value_of(item)
                    if value is not None:
                        yield item["PK"]["S"], value
                request = answer.get("UnprocessedKeys") or {}
                if not request:
                    break

    def set_many(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write every entry, some at a time; the last of one key counts."""
        self._write(
            [{"PutRequest": {"Item": _item(key, value)}} for key, value in dict(entries).items()]
        )

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove every key, some at a time."""
        self._write([{"DeleteRequest": {"Key": _key(key)}} for key in dict.fromkeys(keys)])

    def increment(self, key: str, delta: int) -> int:
        """Add to a counter, which is decimal text here, and return its new value."""
        for _ in self._tries("others changed the counter at each try"):
            stored = _value_of(self._item(key, "VAL", consistent=True))
            total = counter_value(_number(stored) + delta)
            new = str(total).encode()
            if self._update(key, "SET #VAL = :new", stored, {":new": {"B": new}}):
                break
        return total

    def compare_and_set(self, key: str, expected: bytes, value: bytes) -> bool:
        """Write the value if the store still holds the expected one."""
        return self._update(
            key,
            "SET #VAL = :new ADD #VER :one",
            expected,
            {":new": {"B": value}, ":one": {"N": "1"}},
        )

    def close(self) -> None:
        """Close the connections. Twice is harmless."""
        self._pause.set()
        self._client.close()

    def _item(self, key: str, attributes: str, consistent: bool) -> dict[str, Any]:
        with self._answered():
            answer = self._client.get_item(
                TableName=self.table.table,
                Key=_key(key),
                ProjectionExpression=attributes,
                ConsistentRead=consistent,
            )
        found: dict[str, Any] = answer.get("Item") or {}
        return found

    def _update(self, key: str, change: str, stored: bytes | None, values: dict[str, Any]) -> bool:
        """Change an item if its value is this one; ``False`` when it is another."""
        names = {"#VAL": "VAL"}
        if "#VER" in change:
            names["#VER"] = "VER"
        condition = "attribute_not_exists (#VAL)"
        if stored is not None:
            condition = "#VAL = :stored"
            values = {**values, ":stored": {"B": stored}}
        try:
            with self._answered():
                self._client.update_item(
                    TableName=self.table.table,
                    Key=_key(key),
                    UpdateExpression=change,
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=values,
                )
        except _ConditionError:
            return False
        return True

    def _write(self, requests: list[dict[str, Any]]) -> None:
        name = self.table.table
        for batch in _batches(requests, WRITE_BATCH):
            left = {name: batch}
            for _ in self._tries("DynamoDB left some of the entries unwritten"):
                with self._answered():
                    answer = self._client.batch_write_item(RequestItems=left)
                left = answer.get("UnprocessedItems") or {}
                if not left:
                    break

    def _tries(self, problem: str) -> Iterator[None]:
        """Yield as often as something is tried, and raise the problem behind the last time."""
        for turn in range(COUNTER_TRIES):
            yield
            # What was left over or changed by others is asked for again after a while.
            self._pause.wait(0.01 * 2**turn)
        raise BackendError(problem)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Turn the client's errors into ``BackendError``, without anything secret."""
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "an error"))
            if code == _CONDITION:
                raise _ConditionError(code) from None
            # Messages on signatures repeat headers, a session's token among them.
            logger.warning("DynamoDB refused %s: %s", error.operation_name, code)
            raise BackendError(f"DynamoDB: {code}") from None
        except NoCredentialsError:
            raise BackendError(
                "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "access_key and secret_key in the runtime configuration"
            ) from None
        except BotoCoreError as error:
            logger.warning("DynamoDB cannot be asked: %s", type(error).__name__)
            raise BackendError(f"DynamoDB cannot be asked: {type(error).__name__}") from None


class _ConditionError(BackendError):
    """The value of an item is another one."""


def _key(key: str) -> dict[str, Any]:
    if not key:
        raise BackendError("a key of DynamoDB may not be empty")
    return {"PK": {"S": key}}


def _item(key: str, value: bytes) -> dict[str, Any]:
    return {**_key(key), "VAL": {"B": value}}


def _value_of(item: dict[str, Any]) -> bytes | None:
    value: bytes | None = item.get("VAL", {}).get("B")
    return value


def _number(stored: bytes | None) -> int:
    if stored is None:
        return 0
    if _NUMBER.fullmatch(stored) is None:
        raise BackendError("the value is not a counter: it is not a decimal number")
    return int(stored)


def _batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
