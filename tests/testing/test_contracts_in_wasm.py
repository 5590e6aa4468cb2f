"""The contracts once more, kept by the facades and bindings inside a component."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.stores import ConfigStore, ConfigUnavailableError
from edgezero_spin.stores.backend import KeyValueBackend, SecretBackend, SecretNameInvalid
from edgezero_spin.testing import ComponentClient
from edgezero_spin.testing.contracts import ConfigContract, KeyValueContract, SecretContract

pytestmark = pytest.mark.component

ERRORS = {error.__name__: error for error in (ConfigUnavailableError, SecretNameInvalid)}


def call(client: ComponentClient, operation: str, key: str = "", value: bytes = b"") -> Any:
    """Make one call of a store inside the component."""
    asked = {"operation": operation, "key": key, "value": b64encode(value).decode()}
    return _said(client, "/backend", asked)["value"]


def look_up(client: ComponentClient, operation: str, key: str) -> Any:
    """Look a value up inside the component; what that raises there is raised here."""
    said = _said(client, "/value", {"operation": operation, "key": key})
    if "error" in said:
        raise ERRORS[said["error"]](said["message"])
    return said["value"]


def _said(client: ComponentClient, target: str, asked: dict[str, str]) -> Any:
    answer = client.post(target, json=asked)
    assert answer.status == 200, answer.text
    return answer.json()


class Clients:
    """Clients of the component, closed at the end of the test."""

    @pytest.fixture(autouse=True)
    def clients(self, wasm: Path) -> Iterator[None]:
        """None yet."""
        self.wasm = wasm
        self.opened: list[ComponentClient] = []
        yield
        for client in self.opened:
            client.close()

    def client(self, **stores: Any) -> ComponentClient:
        """One more."""
        self.opened.append(ComponentClient(self.wasm, **stores))
        return self.opened[-1]


class WasmKeyValue:
    """The key-value bindings inside the component."""

    def __init__(self, client: ComponentClient) -> None:
        self.client = client

    def get(self, key: str) -> bytes | None:
        value = call(self.client, "get", key)
        return None if value is None else b64decode(value)

    def set(self, key: str, value: bytes) -> None:
        call(self.client, "set", key, value)

    def delete(self, key: str) -> None:
        call(self.client, "delete", key)

    def exists(self, key: str) -> bool:
        return bool(call(self.client, "exists", key))

    def keys(self) -> list[str]:
        return list(call(self.client, "keys"))


class TestInWasm(Clients, KeyValueContract):
    """Key-value stores."""

    examples = 3
    writers = 2

    def make_backend(self) -> KeyValueBackend:
        if not self.opened:
            self.client(kv={"notes": {}})
        self.opened[0].kv["notes"].clear()
        return WasmKeyValue(self.opened[0])


class WasmConfig(ConfigStore):
    """The facade over configuration inside the component."""

    def __init__(self, client: ComponentClient) -> None:
        self.client = client

    async def get(self, key: str) -> str | None:
        value: str | None = look_up(self.client, "config", key)
        return value


class TestConfigInWasm(Clients, ConfigContract):
    """Configuration: facade and bindings both run in the component."""

    def make_store(self, entries: Mapping[str, bytes]) -> ConfigStore:
        return WasmConfig(self.client(kv={"settings": entries}))


class WasmVariables:
    """The bindings of variables inside the component."""

    def __init__(self, client: ComponentClient) -> None:
        self.client = client

    def get(self, name: str) -> str | None:
        value: str | None = look_up(self.client, "variable", name)
        return value


class TestSecretsInWasm(Clients, SecretContract):
    """Secrets, which are variables of the component."""

    def make_backend(self, values: Mapping[str, str]) -> SecretBackend:
        return WasmVariables(self.client(secrets=values))
