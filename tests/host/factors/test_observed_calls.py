"""Names of what is behind stores, databases and models."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgezero_spin.host.factors.key_value.backends.dynamo import DynamoKeyValue
from edgezero_spin.host.factors.key_value.backends.redis import RedisKeyValue
from edgezero_spin.host.factors.key_value.cloud import DynamoTable
from edgezero_spin.host.factors.key_value.factor import KeyValueStores, StoreLocation
from edgezero_spin.host.factors.llm.client import LlmClient
from edgezero_spin.host.factors.llm.config import LlmServer
from edgezero_spin.host.factors.observed_calls import backend_namer
from edgezero_spin.host.factors.redis.address import parse_redis_address
from edgezero_spin.host.factors.redis.pool import RedisPool
from edgezero_spin.host.factors.sqlite.factor import Database

KEY_VALUE = ("fermyon:spin/key-value@2.0.0", "[static]store.open")


def named(interface: str, function: str, *arguments: Any, **grants: Any) -> str:
    """The name that a call is given."""
    name = backend_namer(interface, function)
    assert name is not None
    known: dict[str, Any] = {"key_value": {}, "databases": {}, "llm": None, **grants}
    return name(SimpleNamespace(grants=SimpleNamespace(**known)), arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_file", [True, False])
def test_stores_of_this_machine(tmp_path: Path, is_file: bool) -> None:
    """Are named by their file, or said to be in memory (TEL-23)."""
    place: StoreLocation = tmp_path / "a.db" if is_file else None
    stores = KeyValueStores({"a": ["default"]}, {"default": place})
    expected = f'"{tmp_path / "a.db"}"' if is_file else "a temporary in-memory store"
    assert named(*KEY_VALUE, "default", key_value=stores.backends) == expected
    assert named(*KEY_VALUE, "other", key_value=stores.backends) == "unknown"
    stores.close()


def test_stores_elsewhere() -> None:
    """Are named by what they are and where, without a password."""
    pool = RedisPool(parse_redis_address("redis://me:hush@cache.example:7000/1"))
    table = DynamoTable(region="eu-1", table="notes", access_key="a", secret_key="hush")
    backends = {"redis": RedisKeyValue(pool), "dynamo": DynamoKeyValue(table)}
    assert named(*KEY_VALUE, "redis", key_value=backends) == "Redis at cache.example:7000"
    expected = "AWS DynamoDB region: eu-1, table: notes"
    assert named(*KEY_VALUE, "dynamo", key_value=backends) == expected


def test_databases(tmp_path: Path) -> None:
    """Are named when they are opened, and at each statement (TEL-25)."""
    databases = {
        "default": Database(label="default", path=tmp_path / "a.db"),
        "b": Database(label="b"),
    }
    interface = "spin:sqlite/sqlite@3.1.0"
    opened = named(interface, "[static]connection.open", "default", databases=databases)
    assert opened == f'"{tmp_path / "a.db"}"'
    connection = SimpleNamespace(native=databases["b"].connect())
    said = named(interface, "[method]connection.execute-async", connection, "select 1", [])
    assert said == "a temporary in-memory database"
    assert backend_namer(interface, "[method]connection.changes") is None


def test_models() -> None:
    """Are named by their server, or the engine that this host does not have (TEL-30)."""
    client = LlmClient(LlmServer("https://me:hush@models.example/v1", "token"))
    call = ("fermyon:spin/llm@2.0.0", "infer")
    assert named(*call, "llama", llm=client) == "model at https://models.example/v1"
    assert named(*call, "llama") == "noop model"
