"""The unversioned interfaces, and ``wasi:config/store``: other spellings of the same things."""

from typing import Any

import pytest

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.variables.errors import ProviderError
from edgezero_spin.host.factors.variables.providers import StaticProvider
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.manifest.spin.locked_app import LockedVariable
from edgezero_spin.stores.backend import BackendError
from edgezero_spin.stores.memory import MemoryKeyValue
from tests.host.support import call, error_of, instance_state

KV = "fermyon:spin/key-value "
GET_CONFIG = "fermyon:spin/config get-config"
CONFIG = "wasi:config/store@0.2.0-draft-2024-09-27 "


@pytest.fixture
def state() -> InstanceState:
    """The state of an instance that may open ``default``."""
    return instance_state(stores={"default": MemoryKeyValue()})


def test_a_store_by_number(state: InstanceState) -> None:
    """The old functions do what the new ones do, by number (KV-5, KV-13)."""
    assert error_of(state, f"{KV}open", "forbidden") == ("access-denied", None)
    store = call(state, f"{KV}open", "default")
    assert isinstance(store, int)
    assert error_of(state, f"{KV}get", store, "a") == ("no-such-key", None)
    call(state, f"{KV}set", store, "a", b"")
    assert call(state, f"{KV}get", store, "a") == b""
    assert call(state, f"{KV}exists", store, "a") is True
    assert call(state, f"{KV}get-keys", store) == ["a"]
    call(state, f"{KV}delete", store, "a")
    call(state, f"{KV}delete", store, "a")
    assert call(state, f"{KV}exists", store, "a") is False


def test_numbers_that_mean_no_store(state: InstanceState) -> None:
    """Closed, invented, or the handle of something else: ``invalid-store`` (KV-13)."""
    closed = call(state, f"{KV}open", "default")
    call(state, f"{KV}close", closed)
    call(state, f"{KV}close", closed)
    resource = state.table.push(
        call(state, "fermyon:spin/key-value@2.0.0 [static]store.open", "default")
    )
    for number in (closed, 99, resource):
        assert error_of(state, f"{KV}get", number, "a") == ("invalid-store", None)
        call(state, f"{KV}close", number)
    state.table.get(resource)


def test_closing_makes_room(state: InstanceState) -> None:
    """Numbers count among the 256 open stores until they are closed (KV-4)."""
    numbers = [call(state, f"{KV}open", "default") for _ in range(256)]
    assert error_of(state, f"{KV}open", "default") == ("store-table-full", None)
    call(state, f"{KV}close", numbers[7])
    call(state, f"{KV}open", "default")


def test_a_failing_store_is_io(state: InstanceState, monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong below has another name here (KV-13)."""

    def fail(self: object, key: str) -> bytes | None:
        raise BackendError("disk on fire")

    monkeypatch.setattr(MemoryKeyValue, "get", fail)
    store = call(state, f"{KV}open", "default")
    assert error_of(state, f"{KV}get", store, "a") == ("io", "disk on fire")


class Failing(StaticProvider):
    """Knows one value and fails for the name ``broken``."""

    def get(self, name: str) -> str | None:
        """Return the value, or fail."""
        if name == "broken":
            raise ProviderError("vault is sealed")
        return super().get(name)


def variables(templates: dict[str, str]) -> InstanceState:
    """An instance whose component has these variables over ``host`` and ``broken``."""
    declared = {name: LockedVariable(default=None) for name in ("host", "broken")}
    resolver = VariableResolver(declared, {"test": templates}, [Failing({"host": "example.com"})])
    return instance_state(variables=resolver)


TEMPLATES = {"url": "https://{{ host }}/", "fixed": "1", "bad": "{{ broken }}"}


@pytest.mark.parametrize(
    ("name", "config", "legacy"),
    [
        pytest.param("url", "https://example.com/", "https://example.com/", id="found"),
        pytest.param("none", None, ("provider", 'no variable for "test"."none"'), id="undefined"),
        pytest.param("No", None, ("invalid-key", '"No": invalid character'), id="invalid name"),
        pytest.param(
            "bad", ("upstream", "vault is sealed"), ("other", "vault is sealed"), id="provider"
        ),
    ],
)
def test_one_variable(name: str, config: Any, legacy: Any) -> None:
    """Each interface has its own words for what is missing or wrong (VAR-12, VAR-14)."""
    state = variables(TEMPLATES)
    for function, expected in ((f"{CONFIG}get", config), (GET_CONFIG, legacy)):
        if isinstance(expected, tuple):
            case, message = error_of(state, function, name)
            assert (case, expected[1] in message) == (expected[0], True)
        else:
            assert call(state, function, name) == expected


def test_all_variables() -> None:
    """Every name of the component with its value, templates filled in (VAR-13)."""
    templates = {key: TEMPLATES[key] for key in ("url", "fixed")}
    assert call(variables(templates), f"{CONFIG}get-all") == [
        ("url", "https://example.com/"),
        ("fixed", "1"),
    ]
    assert error_of(variables(TEMPLATES), f"{CONFIG}get-all") == ("upstream", "vault is sealed")


def test_a_component_without_variables(state: InstanceState) -> None:
    """Nothing is defined (VAR-15)."""
    assert call(state, f"{CONFIG}get", "url") is None
    assert call(state, f"{CONFIG}get-all") == []
    assert error_of(state, GET_CONFIG, "url") == ("provider", 'no variable for "test"."url"')


def test_a_database_by_number() -> None:
    """SQL through a number, until it is closed (DB-1)."""
    sqlite = "fermyon:spin/sqlite "
    state = instance_state(databases={"default": Database(label="default")})
    assert error_of(state, f"{sqlite}open", "forbidden") == ("access-denied", None)
    number = call(state, f"{sqlite}open", "default")
    answer = {"columns": ["?"], "rows": [{"values": [("text", "x")]}]}
    assert call(state, f"{sqlite}execute", number, "SELECT ?", [("text", "x")]) == answer
    call(state, f"{sqlite}close", number)
    call(state, f"{sqlite}close", number)
    assert state.held == {"sqlite connection": 0}
    for unknown in (number, 99):
        assert error_of(state, f"{sqlite}execute", unknown, "SELECT 1", []) == (
            "invalid-connection",
            None,
        )


def test_redis_without_handles(redis_port: int) -> None:
    """Every call connects, does one thing and leaves; every failure is ``error`` (DB-4)."""
    redis = "fermyon:spin/redis "
    state = instance_state(outbound=OutboundHosts([f"redis://localhost:{redis_port}"]))
    address = f"redis://localhost:{redis_port}/5"
    call(state, f"{redis}set", address, "a", b"1")
    assert call(state, f"{redis}incr", address, "a") == 2
    assert call(state, f"{redis}get", address, "a") == b"2"
    assert call(state, f"{redis}get", address, "none") == b""
    assert call(state, f"{redis}del", address, ["a"]) == 1
    assert call(state, f"{redis}execute", address, "PING", []) == [("status", "PONG")]
    assert error_of(state, f"{redis}execute", address, "nonsense", []) == "error"
    assert error_of(state, f"{redis}get", "redis://elsewhere", "a") == "error"
    assert state.held == {"redis connection": 0}
