"""Key-value stores in DynamoDB and Cosmos DB, and that Spin's data is read and written there.

DynamoDB is moto's server; Cosmos DB is the stand-in of ``cosmos_server``, no real account.
"""

import base64
import itertools
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.factors.key_value.backends import cosmos as cosmos_key_value
from edgezero_spin.host.factors.key_value.backends import dynamo as dynamo_key_value
from edgezero_spin.host.factors.key_value.backends.cosmos import CosmosKeyValue
from edgezero_spin.host.factors.key_value.backends.dynamo import DynamoKeyValue
from edgezero_spin.host.factors.key_value.batches import BatchBackend, with_batches
from edgezero_spin.host.factors.key_value.cloud import CosmosContainer, DynamoTable
from edgezero_spin.host.factors.key_value.factor import KeyValueStores
from edgezero_spin.host.factors.key_value.remote import RemoteStore, as_used_by
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.testing.contracts import KeyValueContract
from tests.host.factors.key_value.cosmos_server import (
    CONTAINER,
    DATABASE,
    KEY,
    Cosmos,
    running_cosmos,
)
from tests.host.factors.key_value.dynamo_server import running_dynamo
from tests.host.support import SCRIPT, instance_state

PLACE = CosmosContainer(account="acme", database=DATABASE, container=CONTAINER, key=KEY)

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def dynamo_url() -> Iterator[str]:
    """A server for all tests of this module; each has a table of its own."""
    with running_dynamo() as url:
        yield url


class Tables:
    """Makes tables, and closes what was opened on them."""

    def __init__(self) -> None:
        self.opened: list[DynamoKeyValue] = []

    def make(self) -> DynamoKeyValue:
        """An empty table, as Spin's documentation says to make it."""
        store = self.open(f"table-{next(_numbers)}")
        store._client.create_table(
            TableName=store.table.table,
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return store

    def open(self, name: str, **options: Any) -> DynamoKeyValue:
        """A store on a table."""
        table = DynamoTable(
            region="eu-west-1",
            table=name,
            consistent_read=True,
            **{"access_key": "AKIDEXAMPLE", "secret_key": "s3cret", **options},
        )
        self.opened.append(DynamoKeyValue(table))
        return self.opened[-1]


@pytest.fixture
def tables(dynamo_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    """Tables on the server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamo_url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Tables()
    yield made
    for store in made.opened:
        store.close()


@pytest.fixture
def cosmos(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cosmos]:
    """An empty account."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_cosmos() as account:
        yield account


@pytest.fixture
def container(cosmos: Cosmos) -> Iterator[CosmosKeyValue]:
    """A store on its container."""
    store = CosmosKeyValue(PLACE, url=cosmos.url)
    yield store
    store.close()


class TestDynamo(KeyValueContract):
    """A table of moto's DynamoDB; each handle has a client of its own."""

    examples = 3
    # An item may have 400 KB (KV-53).
    max_value_bytes = 400 * 1024

    @pytest.fixture(autouse=True)
    def on(self, tables: Tables) -> None:
        """Where the tables are."""
        self.tables = tables

    def make_backend(self) -> KeyValueBackend:
        self.store = self.tables.make()
        return self.store

    def another(self, backend: KeyValueBackend) -> KeyValueBackend:
        return self.tables.open(self.store.table.table)


class TestCosmos(KeyValueContract):
    """The stand-in for Cosmos DB; each handle has a client of its own."""

    examples = 3
    # A document may have 2 MB, and a byte of a value takes up to four (KV-52).
    max_value_bytes = 512 * 1024

    def takes_key(self, key: str) -> bool:
        # KV-52
        return not any(letter in "/\\?#" for letter in key) and not key.endswith(" ")

    @pytest.fixture(autouse=True)
    def on(self, cosmos: Cosmos) -> Iterator[None]:
        """The account, and what was opened on it."""
        self.cosmos = cosmos
        self.opened: list[CosmosKeyValue] = []
        yield
        for store in self.opened:
            store.close()

    def make_backend(self) -> KeyValueBackend:
        self.cosmos.documents.clear()
        # One client does for histories that follow each other.
        return self.opened[0] if self.opened else self.another(None)

    def another(self, backend: KeyValueBackend | None) -> KeyValueBackend:
        self.opened.append(CosmosKeyValue(PLACE, url=self.cosmos.url))
        return self.opened[-1]


@pytest.fixture(params=["dynamo", "cosmos"])
def store(request: pytest.FixtureRequest) -> BatchBackend:
    """An empty store of each kind."""
    if request.param == "dynamo":
        return with_batches(request.getfixturevalue("tables").make())
    return with_batches(request.getfixturevalue("container"))


def test_batches_are_of_any_size(store: BatchBackend) -> None:
    """More than the service takes at once, keys that repeat, and none (KV-23, KV-24)."""
    entries = [(f"key-{number:03}", b"%d" % number) for number in range(230)]
    store.set_many([("key-000", b"replaced"), *entries])
    keys = [key for key, _ in entries]
    assert sorted(store.get_many([*keys, "absent", keys[0]])) == entries
    store.delete_many([*keys[:229], keys[0], "absent"])
    assert list(store.keys()) == ["key-229"]
    assert list(store.get_many([])) == []
    store.set_many([])
    store.delete_many([])


def test_a_counter_counts(store: BatchBackend) -> None:
    """From nothing, up and down (KV-25)."""
    assert [store.increment("n", delta) for delta in (10, 5, -20)] == [10, 15, -5]


def test_counters_lose_nothing_between_threads(container: CosmosKeyValue) -> None:
    """What is added is added once (KV-25)."""
    # Not on moto, whose conditional updates are not atomic between threads of its own.
    store = container
    failures: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(5):
                store.increment("n", 1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.increment("n", 0) == 15


def test_a_counter_that_changes_in_between_is_read_again(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write needs the value that was read (KV-25)."""
    store = tables.make()
    other = tables.open(store.table.table)
    read = store._item
    others = iter([5, 7])

    def overtaken(*arguments: Any, **options: Any) -> dict[str, Any]:
        found = read(*arguments, **options)
        for delta in itertools.islice(others, 1):
            other.increment("n", delta)
        return found

    monkeypatch.setattr(store, "_item", overtaken)
    assert store.increment("n", 1) == 13


def test_what_is_no_counter_cannot_be_counted(store: BatchBackend) -> None:
    """It stays as it is (KV-25)."""
    store.set("text", b"not a number")
    with pytest.raises(BackendError):
        store.increment("text", 1)
    assert store.get("text") == b"not a number"


def test_a_counter_stays_in_the_range_of_its_interface(store: BatchBackend) -> None:
    """Past 64 bits there is no answer that a guest could be given (KV-25)."""
    store.increment("n", 2**62)
    store.increment("n", 2**62 - 1024)
    with pytest.raises(BackendError, match="leave the range of 64 bits"):
        store.increment("n", 2**62)


def test_a_swap_needs_the_value_that_is_there(store: BatchBackend) -> None:
    """Another one, or none, is not a match (KV-27)."""
    store.set("key", b"one")
    assert store.compare_and_set("key", b"other", b"two") is False
    assert store.compare_and_set("absent", b"one", b"two") is False
    assert store.compare_and_set("key", b"one", b"two") is True
    assert (store.get("key"), store.get("absent")) == (b"two", None)


def test_an_empty_key_is_refused(store: BatchBackend) -> None:
    """By the service's rules, before it is asked."""
    with pytest.raises(BackendError, match="may not be empty"):
        store.set("", b"value")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("a/b", "Key contains an illegal character"),
        ("a\tb", "Key contains an illegal character"),
        ("a ", "may not end with a blank"),
    ],
)
def test_keys_that_cosmos_cannot_have(
    cosmos: Cosmos, container: CosmosKeyValue, key: str, says: str
) -> None:
    """They are refused, and absent, without asking (KV-52)."""
    with pytest.raises(BackendError, match=says):
        container.set(key, b"value")
    with pytest.raises(BackendError, match=says):
        container.increment(key, 1)
    assert container.get(key) is None
    assert not container.exists(key)
    container.delete(key)
    assert list(container.get_many([key])) == []
    assert cosmos.asked == []


def test_guests_compute_while_it_answers(store: BatchBackend) -> None:
    """It counts as remote, like a Redis server."""
    assert isinstance(as_used_by(instance_state(), store), RemoteStore)


def test_spins_items_of_dynamo_are_read_and_written(tables: Tables) -> None:
    """`PK`, `VAL` and `VER`, counters as decimal text (KV-53)."""
    store = tables.make()
    name, client = store.table.table, store._client

    def item(key: str) -> dict[str, Any]:
        return dict(client.get_item(TableName=name, Key={"PK": {"S": key}})["Item"])

    client.put_item(TableName=name, Item={"PK": {"S": "a"}, "VAL": {"B": b"spin"}})
    client.put_item(TableName=name, Item={"PK": {"S": "n"}, "VAL": {"B": b"41"}})
    client.put_item(
        TableName=name, Item={"PK": {"S": "v"}, "VAL": {"B": b"old"}, "VER": {"N": "3"}}
    )
    # Without a value, as a swap of Spin's that was never finished may leave it.
    client.put_item(TableName=name, Item={"PK": {"S": "empty"}})
    assert (store.get("a"), store.get("empty"), store.exists("empty")) == (b"spin", None, True)
    assert store.increment("n", 1) == 42
    assert item("n") == {"PK": {"S": "n"}, "VAL": {"B": b"42"}}
    assert store.compare_and_set("v", b"old", b"new")
    # Spin compares the version, so it has to change.
    assert item("v") == {"PK": {"S": "v"}, "VAL": {"B": b"new"}, "VER": {"N": "4"}}
    store.set("b", b"\x00")
    assert item("b") == {"PK": {"S": "b"}, "VAL": {"B": b"\x00"}}


def test_spins_documents_of_cosmos_are_read_and_written(
    cosmos: Cosmos, container: CosmosKeyValue
) -> None:
    """`id` and `value`, a list of numbers; counters are one number (KV-52)."""
    cosmos.put({"id": "a", "value": [115, 112, 105, 110]})
    cosmos.put({"id": "n", "value": 41})
    assert container.get("a") == b"spin"
    assert container.increment("n", 1) == 42
    with pytest.raises(BackendError, match="a counter"):
        container.get("n")
    container.set("b", b"\x00\xff")
    kept = {key: value for key, value in cosmos.documents["b"].items() if key[0] != "_"}
    assert kept == {"id": "b", "value": [0, 255]}
    assert cosmos.documents["n"]["value"] == 42
    cosmos.put({"id": "odd", "value": [1, 256]})
    with pytest.raises(BackendError, match="no list of bytes"):
        container.get("odd")


def test_a_swap_notices_who_was_faster(cosmos: Cosmos, container: CosmosKeyValue) -> None:
    """The entity tag of what was compared has to be that of what is replaced (KV-52)."""
    container.set("key", b"one")

    def other() -> None:
        cosmos.before_write = lambda: None
        # The same value again, but another write.
        cosmos.put({"id": "key", "value": list(b"one")})

    cosmos.before_write = other
    assert container.compare_and_set("key", b"one", b"two") is False
    assert container.get("key") == b"one"
    cosmos.before_write = lambda: cosmos.documents.pop("key", None)
    assert container.compare_and_set("key", b"one", b"two") is False


def test_a_counter_that_somebody_else_begins_is_counted_on(
    cosmos: Cosmos, container: CosmosKeyValue
) -> None:
    """A conflict is not a failure, and nothing is lost (KV-25)."""

    def other() -> None:
        # Between the look for the counter and its making.
        if cosmos.asked[-1] == "POST ":
            cosmos.before_write = lambda: None
            cosmos.put({"id": "n", "value": 100})

    cosmos.before_write = other
    assert container.increment("n", 5) == 105


def test_a_busy_account_is_asked_again(cosmos: Cosmos, container: CosmosKeyValue) -> None:
    """429 says when (KV-52)."""
    container.set("key", b"value")
    cosmos.busy = 3
    assert container.get("key") == b"value"
    assert cosmos.busy == 0


def test_a_key_may_hold_what_has_a_meaning_in_queries(container: CosmosKeyValue) -> None:
    """Keys are parameters, no text of the query."""
    container.set("it's", b"one")
    container.set("' OR 1=1 --", b"two")
    assert container.exists("it's")
    assert not container.exists("' OR ''='")
    assert list(container.get_many(["it's"])) == [("it's", b"one")]


SECRET = base64.b64encode(b"a key that nobody may see").decode()


def test_no_secret_is_told_when_cosmos_refuses(
    cosmos: Cosmos, caplog: pytest.LogCaptureFixture
) -> None:
    """The error and the log have the status alone."""
    place = CosmosContainer(account="acme", database=DATABASE, container=CONTAINER, key=SECRET)
    store = CosmosKeyValue(place, url=cosmos.url)
    with caplog.at_level(logging.DEBUG), pytest.raises(BackendError) as raised:
        store.get("key")
    store.close()
    assert "401" in raised.value.message
    assert raised.value.__suppress_context__
    assert SECRET not in repr(place) + str(raised.value)
    ours = [record for record in caplog.records if record.name.startswith("edgezero")]
    assert SECRET not in "".join(record.getMessage() for record in ours)


def test_no_secret_is_told_when_dynamo_refuses(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    """The error and the log have the code alone."""
    store = tables.open("absent", secret_key="s3cret-key", token="s3cret-token")
    with caplog.at_level(logging.WARNING), pytest.raises(BackendError) as raised:
        store.get("key")
    assert raised.value.message == "DynamoDB: ResourceNotFoundException"
    assert raised.value.__suppress_context__
    assert "s3cret" not in repr(store.table) + str(raised.value) + caplog.text


def test_a_service_that_is_not_there_is_an_error_of_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No guest waits for long, and the reason is told."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    table = DynamoTable(region="eu-west-1", table="t", access_key="a", secret_key="b")
    dynamo = DynamoKeyValue(table)
    with pytest.raises(BackendError, match="DynamoDB cannot be asked: EndpointConnectionError"):
        dynamo.get("key")
    dynamo.close()
    dynamo.close()


def test_without_keys_the_environment_has_the_credentials(
    dynamo_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the service's own tools find them; where there are none, the error says what to set."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamo_url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    table = DynamoTable(region="eu-west-1", table="absent")
    store = DynamoKeyValue(table)
    with pytest.raises(BackendError, match="AWS_ACCESS_KEY_ID"):
        store.get("key")
    store.close()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    store = DynamoKeyValue(table)
    with pytest.raises(BackendError, match="ResourceNotFoundException"):
        store.get("key")
    store.close()


def test_two_labels_on_one_place_share_its_client(tables: Tables) -> None:
    """And the seed of the default store is written to the cloud (KV-45)."""
    place = tables.make().table
    stores = KeyValueStores(
        {"a": ["default", "other"]}, {"default": place, "other": place}, {"key": b"value"}
    )
    assert stores.backends["default"] is stores.backends["other"]
    assert stores.backends["other"].get("key") == b"value"
    assert stores.default_file is None
    stores.close()


MANIFEST = """\
spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "script"
[component.script]
source = "script.wat"
key_value_stores = ["cloud"]
"""


def test_an_application_has_a_store_in_the_cloud(
    shared_engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    """By `runtime-config.toml`, with the keys that Spin reads (KV-53)."""
    name = tables.make().table.table
    (tmp_path / "script.wat").write_text(SCRIPT.read_text())
    (tmp_path / "spin.toml").write_text(MANIFEST)
    config = tmp_path / "runtime-config.toml"
    config.write_text(
        f"""[key_value_store.cloud]
type = "aws_dynamo"
region = "eu-west-1"
table = {json.dumps(name)}
access_key = "AKIDEXAMPLE"
secret_key = "s3cret"
token = "s3cret-token"
consistent_read = true
"""
    )
    with Host.from_manifest(
        tmp_path,
        engine=shared_engine,
        settings=HostSettings(cache_dir=None),
        runtime_config=config,
    ) as host:
        backend = host.application.components["script"].grants.key_value["cloud"]
        backend.set("key", b"value")
        assert tables.open(name).get("key") == b"value"
        assert not any("s3cret" in notice for notice in host.notices)


def test_waits_between_tries_are_short() -> None:
    """A counter that everybody wants is given up after some seconds, not minutes."""
    tries = dynamo_key_value.COUNTER_TRIES
    assert sum(0.01 * 2**turn for turn in range(tries)) < 15
    assert tries >= cosmos_key_value.COUNTER_TRIES
