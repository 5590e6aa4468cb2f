"""Redis, for guests and as a key-value store, against a real server."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value.backends.redis import RedisKeyValue
from edgezero_spin.host.factors.key_value.batches import BatchBackend
from edgezero_spin.host.factors.key_value.factor import KeyValueStores
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.outbound_networking.blocked import parse_blocked
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.factors.redis import interface as outbound_redis
from edgezero_spin.host.factors.redis.address import RedisAddress
from edgezero_spin.host.factors.redis.client import RedisConnection
from edgezero_spin.host.factors.redis.interface import RedisConnectionResource
from edgezero_spin.host.factors.redis.pool import RedisPool
from edgezero_spin.host.factors.variables.providers import StaticProvider
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.manifest.spin.locked_app import LockedVariable
from edgezero_spin.stores.backend import BackendError
from tests.host.redis_server import free_port, running_redis
from tests.host.support import call, error_of, instance_state

REDIS = "fermyon:spin/redis@2.0.0 "
OPEN = f"{REDIS}[static]connection.open"
INVALID = ("invalid-address", None)


@pytest.fixture
def port(redis_port: int) -> int:
    """The port of an empty server."""
    connection = RedisConnection(RedisAddress("127.0.0.1", redis_port))
    connection.call("FLUSHALL")
    connection.close()
    return redis_port


@pytest.fixture
def state(port: int) -> InstanceState:
    """An instance that may connect to the server."""
    return instance_state(outbound=OutboundHosts([f"redis://localhost:{port}"]))


@pytest.fixture
def connection(state: InstanceState, port: int) -> Iterator[RedisConnectionResource]:
    """An open connection."""
    opened: RedisConnectionResource = call(state, OPEN, f"redis://localhost:{port}")
    yield opened
    opened.drop(state)


def on(
    state: InstanceState, method: str, connection: RedisConnectionResource, *arguments: Any
) -> Any:
    """Call a method of a connection."""
    return call(state, f"{REDIS}[method]connection.{method}", connection, *arguments)


def refused(
    state: InstanceState, method: str, connection: RedisConnectionResource, *arguments: Any
) -> Any:
    """Call a method that fails; return the error."""
    return error_of(state, f"{REDIS}[method]connection.{method}", connection, *arguments)


def test_the_sequence_of_the_conformance_test(
    state: InstanceState, connection: RedisConnectionResource
) -> None:
    """Set, count, delete and execute as CONF-5 has it (DB-4)."""
    on(state, "set", connection, "spin-example-get-set", b"Eureka!")
    assert on(state, "get", connection, "spin-example-get-set") == b"Eureka!"
    on(state, "set", connection, "spin-example-incr", b"0")
    assert on(state, "incr", connection, "spin-example-incr") == 1
    keys = ["spin-example-get-set", "spin-example-incr"]
    assert on(state, "del", connection, keys) == 2
    assert on(state, "get", connection, keys[0]) is None
    key = ("binary", b"spin-example")
    for command, expected, *arguments in [
        ("set", ("status", "OK"), key, ("binary", b"Eureka! ")),
        ("append", ("int64", 20), key, ("binary", b"I've got it!")),
        ("get", ("binary", b"Eureka! I've got it!"), key),
    ]:
        assert on(state, "execute", connection, command, arguments) == [expected]


def test_sets_and_messages(state: InstanceState, connection: RedisConnectionResource) -> None:
    """Members are counted when they are new, and when they were there."""
    assert on(state, "sadd", connection, "s", ["a", "b", "a"]) == 2
    assert on(state, "srem", connection, "s", ["b", "c"]) == 1
    assert on(state, "smembers", connection, "s") == ["a"]
    assert on(state, "smembers", connection, "none") == []
    on(state, "publish", connection, "channel", b"\0\xff")


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("GET", [("binary", b"none")], [("nil", None)]),
        ("PING", [], [("status", "PONG")]),
        ("ECHO", [("int64", -5)], [("binary", b"-5")]),
        ("MGET", [("binary", b"none"), ("binary", b"none")], [("nil", None)] * 2),
        (
            "EVAL",
            [("binary", b"return {1,{'a',{2}},false}"), ("int64", 0)],
            [("int64", 1), ("binary", b"a"), ("int64", 2), ("nil", None)],
        ),
    ],
)
def test_any_command(
    state: InstanceState,
    connection: RedisConnectionResource,
    command: str,
    arguments: list[tuple[str, Any]],
    expected: list[tuple[str, Any]],
) -> None:
    """Replies keep their kinds, and lists become flat (DB-4)."""
    assert on(state, "execute", connection, command, arguments) == expected


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("incr", ("text",), ("type-error", None)),
        ("sadd", ("text", ["a"]), ("type-error", None)),
        ("smembers", ("text",), ("type-error", None)),
        ("smembers", ("bytes",), ("type-error", None)),
        ("get", ("bytes",), ("type-error", None)),
        ("execute", ("nonsense", []), ("other", "ERR unknown command 'nonsense'")),
        ("del", ([],), ("other", "ERR wrong number of arguments for 'del' command")),
    ],
)
def test_what_the_server_refuses(
    state: InstanceState,
    connection: RedisConnectionResource,
    method: str,
    arguments: tuple[Any, ...],
    expected: tuple[str, Any],
) -> None:
    """A wrong type has a case of its own; the connection lives on (DB-4)."""
    on(state, "set", connection, "text", b"abc")
    on(state, "execute", connection, "SADD", [("binary", b"bytes"), ("binary", b"\xff")])
    case, message = refused(state, method, connection, *arguments)
    assert case == expected[0]
    assert (message or "").startswith(expected[1] or "")
    assert on(state, "get", connection, "text") == b"abc"


def test_an_error_inside_a_list(state: InstanceState, connection: RedisConnectionResource) -> None:
    """A transaction of which one part failed is an error as a whole."""
    on(state, "set", connection, "text", b"abc")
    on(state, "execute", connection, "MULTI", [])
    on(state, "execute", connection, "INCR", [("binary", b"text")])
    assert refused(state, "execute", connection, "EXEC", []) == ("type-error", None)


def test_a_transaction_queues_what_has_no_number_yet(
    state: InstanceState, connection: RedisConnectionResource
) -> None:
    """The server says QUEUED where a number or a list belongs; that is a type, and no trap."""
    on(state, "execute", connection, "MULTI", [])
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("incr", ("n",)),
        ("del", (["n"],)),
        ("sadd", ("s", ["a"])),
        ("smembers", ("s",)),
        ("srem", ("s", ["a"])),
    ]
    for method, arguments in calls:
        assert refused(state, method, connection, *arguments) == ("type-error", None)
    on(state, "set", connection, "k", b"v")
    on(state, "publish", connection, "c", b"x")
    assert on(state, "get", connection, "k") == b"QUEUED"
    assert on(state, "execute", connection, "EXEC", [])[-1] == ("binary", b"v")


def test_results_are_bounded(
    state: InstanceState, connection: RedisConnectionResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that is too large is refused before it is read."""
    monkeypatch.setattr(outbound_redis, "MAX_RESULT_BYTES", 1000)
    on(state, "set", connection, "big", b"x" * 2000)
    assert refused(state, "get", connection, "big") == (
        "other",
        "query result exceeds limit of 1000 bytes",
    )


@pytest.mark.parametrize(
    ("allowed", "address", "error"),
    [
        pytest.param([], "redis://localhost:{port}", INVALID, id="nothing allowed"),
        pytest.param(["redis://localhost:1"], "redis://localhost:{port}", INVALID, id="port"),
        pytest.param(["http://localhost:{port}"], "redis://localhost:{port}", INVALID, id="scheme"),
        pytest.param(["*://*:*"], "localhost:{port}", INVALID, id="no scheme"),
        pytest.param(["*://*:*"], "http://localhost:{port}", INVALID, id="not redis"),
        pytest.param(["*://*:*"], "nonsense://", INVALID, id="no address"),
        pytest.param(["*://*:*"], "redis://localhost:{port}/x", INVALID, id="no database"),
        pytest.param(["redis://localhost:{port}"], "redis://localhost:{port}", None, id="allowed"),
        pytest.param(["*://*:*"], "redis://127.0.0.1:{port}/2", None, id="anything"),
        pytest.param(["*://127.0.0.0/24:*"], "redis://127.0.0.1:{port}", None, id="network"),
    ],
)
def test_only_allowed_servers(
    port: int, allowed: list[str], address: str, error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What the manifest does not list is not a valid address (NET-22, CONF-6)."""
    entries = [entry.format(port=port) for entry in allowed]
    state = instance_state(outbound=OutboundHosts(entries))
    with caplog.at_level(logging.WARNING, "edgezero_spin.host"):
        if error is None:
            call(state, OPEN, address.format(port=port)).drop(state)
        else:
            assert error_of(state, OPEN, address.format(port=port)) == error
    denied = f"disallowed destination 'redis://localhost:{port}'" in caplog.text  # NET-30
    assert denied == (error is not None and "*" not in entries[:1] and "*://*:*" not in entries)
    assert state.held.get("redis connection", 0) == 0


def test_hosts_from_variables(port: int) -> None:
    """Entries are templates over the application's variables (CONF-7)."""
    variables = VariableResolver(
        {"redis_host": LockedVariable(default="localhost")}, {}, [StaticProvider({})]
    )
    hosts = OutboundHosts(["redis://{{ redis_host }}:" + str(port)], variables=variables)
    state = instance_state(outbound=hosts)
    call(state, OPEN, f"redis://localhost:{port}").drop(state)


def test_without_any_grant() -> None:
    """A component without network is denied."""
    assert error_of(instance_state(), OPEN, "redis://localhost") == INVALID


def test_connections_are_bounded(port: int) -> None:
    """By the application's limit, and by 256 for one instance (NET-43)."""
    address = f"redis://localhost:{port}"
    full = ("too-many-connections", None)
    slots = ConnectionSlots(1)
    hosts = OutboundHosts(["*://*:*"])
    rules = NetworkRules(redis_slots=slots)
    first, second = (instance_state(outbound=hosts, network=rules) for _ in range(2))
    connection = call(first, OPEN, address)
    assert error_of(second, OPEN, address) == full
    connection.drop(first)
    call(second, OPEN, address).drop(second)
    second.held["redis connection"] = 256
    assert error_of(second, OPEN, address) == full
    assert slots.claim()


def test_a_server_in_a_blocked_network_is_not_reached(port: int) -> None:
    """Its addresses are what counts, not its name (NET-41)."""
    rules = NetworkRules(blocked=parse_blocked(["127.0.0.0/8", "::1/128"]))
    state = instance_state(outbound=OutboundHosts(["*://*:*"]), network=rules)
    case, message = error_of(state, OPEN, f"redis://localhost:{port}")
    assert (case, "prohibits its address" in message) == ("other", True)
    other = attrs.evolve(rules, blocked=parse_blocked(["10.0.0.0/8"]))
    state = instance_state(outbound=OutboundHosts(["*://*:*"]), network=other)
    call(state, OPEN, f"redis://localhost:{port}").drop(state)


def test_a_server_that_is_not_there() -> None:
    """It is an error of the interface, and no place stays taken."""
    slots = ConnectionSlots(1)
    rules = NetworkRules(redis_slots=slots)
    state = instance_state(outbound=OutboundHosts(["*://*:*"]), network=rules)
    case, message = error_of(state, OPEN, f"redis://127.0.0.1:{free_port()}")
    assert (case, "cannot connect" in message) == ("other", True)
    assert state.held == {"redis connection": 0}
    assert slots.claim()


def test_a_wait_ends_with_its_instance(state: InstanceState, port: int) -> None:
    """A command that blocks on the server is cut at the deadline (LIFE-7)."""
    sleeps: list[bool] = []
    timed = InstanceState(state.grants, deadline_ns=time.monotonic_ns() + 50_000_000)
    timed.around_wait = sleeps.append
    connection = call(timed, OPEN, f"redis://localhost:{port}")
    with pytest.raises(DeadlineExceeded):
        on(timed, "execute", connection, "BLPOP", [("binary", b"none"), ("int64", 0)])
    assert sleeps.count(True) == sleeps.count(False) > 0
    connection.drop(timed)


class TestKeyValue:
    """``type = "redis"``."""

    @pytest.fixture
    def stores(self, port: int) -> Iterator[KeyValueStores]:
        """Two labels on one server."""
        place = RedisAddress("127.0.0.1", port)
        opened = KeyValueStores({"test": ["a", "b"]}, {"a": place, "b": place}, None)
        yield opened
        opened.close()

    @pytest.fixture
    def store(self, stores: KeyValueStores) -> BatchBackend:
        """The store of one label."""
        backend = stores.backends["a"]
        assert isinstance(backend, BatchBackend)
        return backend

    def test_entries(self, store: BatchBackend) -> None:
        """Set, get, list and delete (KV-5, KV-6)."""
        assert store.get("a") is None
        store.set("a", b"")
        store.set("ä\0\r\n", b"\0\xff\r\n")
        assert store.get("a") == b""
        assert store.get("ä\0\r\n") == b"\0\xff\r\n"
        assert sorted(store.keys()) == ["a", "ä\0\r\n"]
        assert (store.exists("a"), store.exists("b")) == (True, False)
        store.delete("a")
        store.delete("a")
        assert store.exists("a") is False

    def test_batches(self, store: BatchBackend) -> None:
        """Many in one step, missing keys left out, none at all (KV-23, KV-24, KV-51)."""
        store.set_many([("a", b"1"), ("b", b"2"), ("a", b"3")])
        assert list(store.get_many(["b", "none", "a", "b"])) == [("b", b"2"), ("a", b"3")]
        store.delete_many(["a", "none"])
        assert list(store.keys()) == ["b"]
        store.set_many([])
        store.delete_many([])
        assert list(store.get_many([])) == []

    def test_a_counter_is_text(self, store: BatchBackend) -> None:
        """Redis counts in decimals (KV-51)."""
        assert store.increment("n", 10) == 10
        assert store.increment("n", -15) == -5
        assert store.get("n") == b"-5"
        store.set("n", b"abc")
        with pytest.raises(BackendError, match="not an integer"):
            store.increment("n", 1)

    def test_compare_and_set(self, store: BatchBackend) -> None:
        """Only the value that is expected is replaced (KV-27)."""
        store.set("a", b"1")
        assert store.compare_and_set("a", b"0", b"2") is False
        assert store.compare_and_set("a", b"1", b"2") is True
        assert store.get("a") == b"2"

    def test_a_swap_that_another_client_disturbs(
        self, store: RedisKeyValue, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A write between the look and the swap makes it fail (KV-27)."""
        store.set("a", b"1")
        plain = RedisConnection.call

        def disturbed(self: RedisConnection, *command: Any, **limits: Any) -> Any:
            if command[0] == "MULTI":
                other = RedisConnection(RedisAddress("127.0.0.1", port))
                plain(other, "SET", "a", "theirs")
                other.close()
            return plain(self, *command, **limits)

        monkeypatch.setattr(RedisConnection, "call", disturbed)
        assert store.compare_and_set("a", b"1", b"mine") is False
        assert store.get("a") == b"theirs"

    def test_a_value_of_another_program(self, store: RedisKeyValue) -> None:
        """A list under a key is an error, and does not spoil the next call."""
        with store.pool.connection() as connection:
            connection.call("RPUSH", "list", "x")
        with pytest.raises(BackendError, match="WRONGTYPE"):
            store.get("list")
        with pytest.raises(BackendError, match="WRONGTYPE"):
            store.compare_and_set("list", b"", b"")
        assert store.get("none") is None

    def test_a_key_of_another_program(self, store: RedisKeyValue) -> None:
        """A key that is not text cannot be listed."""
        with store.pool.connection() as connection:
            connection.call("SET", b"\xff", "x")
        with pytest.raises(BackendError, match="not UTF-8"):
            store.keys()

    def test_labels_share_the_server(self, stores: KeyValueStores) -> None:
        """Keys carry no label, so two labels are one store (KV-51)."""
        stores.backends["a"].set("x", b"1")
        assert stores.backends["b"].get("x") == b"1"
        assert stores.default_file is None

    def test_a_wait_lets_others_compute(self, stores: KeyValueStores) -> None:
        """Every call of a guest counts its thread as asleep while the server works."""
        sleeps: list[bool] = []
        state = instance_state(stores={"default": stores.backends["a"]})
        state.around_wait = sleeps.append
        names = ("store", "batch", "atomics")
        store, batch, atomics = (f"wasi:keyvalue/{name}@0.2.0-draft2 " for name in names)
        bucket = call(state, f"{store}open", "default")
        for function, arguments, expected in (
            (f"{store}[method]bucket.set", ("a", b"1"), None),
            (f"{store}[method]bucket.get", ("a",), b"1"),
            (f"{store}[method]bucket.exists", ("a",), True),
            (f"{store}[method]bucket.list-keys", (None,), {"keys": ["a"], "cursor": None}),
            (f"{atomics}increment", ("a", 1), 2),
            (f"{batch}set-many", ([("b", b"")],), None),
            (f"{batch}get-many", (["b"],), [("b", b"")]),
            (f"{batch}delete-many", (["b"],), None),
            (f"{store}[method]bucket.delete", ("b",), None),
        ):
            sleeps.clear()
            assert call(state, function, bucket, *arguments) == expected
            assert sleeps == [True, False]
        cas = call(state, f"{atomics}[static]cas.new", bucket, "a")
        assert call(state, f"{atomics}[method]cas.current", cas) == b"2"
        sleeps.clear()
        call(state, f"{atomics}swap", cas, b"3")
        assert sleeps == [True, False]

    def test_a_server_that_comes_back(self, tmp_path: Path) -> None:
        """The store fails while the server is away, and works again after."""
        with running_redis(tmp_path) as port:
            store = RedisKeyValue(RedisPool(RedisAddress("127.0.0.1", port)))
            store.set("a", b"1")
        with pytest.raises(BackendError, match=r"closed|cannot connect|reset"):
            store.get("a")
        with running_redis(tmp_path, "--port", str(port)):
            assert store.get("a") is None
        store.pool.close()
