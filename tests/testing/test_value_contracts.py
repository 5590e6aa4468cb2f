"""Configuration over every key-value backend, secrets over every source of variables.

Those inside a component are in ``test_contracts_in_wasm``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from edgezero_spin.host.factors.key_value.backends.redis import RedisKeyValue
from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteFile, SqliteKeyValue
from edgezero_spin.host.factors.redis.address import RedisAddress
from edgezero_spin.host.factors.redis.client import RedisConnection
from edgezero_spin.host.factors.redis.pool import RedisPool
from edgezero_spin.host.factors.variables.errors import VariableError
from edgezero_spin.host.factors.variables.providers import (
    EnvironmentProvider,
    StaticProvider,
    VariableProvider,
)
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.manifest.spin.locked_app import LockedVariable
from edgezero_spin.stores import ConfigStore, MemoryKeyValue, MemorySecrets
from edgezero_spin.stores.backend import (
    BackendError,
    KeyValueBackend,
    SecretBackend,
    SecretNameInvalid,
)
from edgezero_spin.testing.contracts import ConfigContract, SecretContract
from tests.host.factors.variables.vault_stand_in import Vault, running_vault


def filled(backend: KeyValueBackend, entries: Mapping[str, bytes]) -> ConfigStore:
    """The facade over a store with these entries."""
    for key, value in entries.items():
        backend.set(key, value)
    return ConfigStore(backend, "app_config")


class TestMemoryConfig(ConfigContract):
    """The facade over the dictionary."""

    def make_store(self, entries: Mapping[str, bytes]) -> ConfigStore:
        return filled(MemoryKeyValue(), entries)


class TestSqliteConfig(ConfigContract):
    """The facade over the file of the embedded host; stores are labels of one file."""

    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path) -> Iterator[None]:
        """A file, closed at the end."""
        self.opened = SqliteFile(tmp_path / "stores.db")
        self.count = 0
        yield
        self.opened.close()

    def make_store(self, entries: Mapping[str, bytes]) -> ConfigStore:
        self.count += 1
        return filled(SqliteKeyValue(self.opened, f"config-{self.count}"), entries)


class TestRedisConfig(ConfigContract):
    """The facade over a server; stores are databases of it."""

    @pytest.fixture(autouse=True)
    def pools(self, redis_port: int) -> Iterator[None]:
        """Pools that are closed at the end."""
        self.port = redis_port
        self.opened: list[RedisPool] = []
        connection = RedisConnection(RedisAddress("127.0.0.1", redis_port))
        connection.call("FLUSHALL")
        connection.close()
        yield
        for pool in self.opened:
            pool.close()

    def make_store(self, entries: Mapping[str, bytes]) -> ConfigStore:
        number = len(self.opened)
        self.opened.append(RedisPool(RedisAddress("127.0.0.1", self.port, database=number)))
        return filled(RedisKeyValue(self.opened[-1]), entries)


class TestMemorySecrets(SecretContract):
    """Variables in a dictionary."""

    def make_backend(self, values: Mapping[str, str]) -> SecretBackend:
        return MemorySecrets(values)


class Resolved:
    """Variables of a component, as its bindings see what the host answers."""

    def __init__(self, resolver: VariableResolver) -> None:
        self.resolver = resolver

    def get(self, name: str) -> str | None:
        try:
            return self.resolver.get("app", name)
        except VariableError as error:
            if error.case == "undefined":
                return None
            if error.case == "invalid-name":
                raise SecretNameInvalid(error.message) from error
            raise BackendError(error.message) from error


class OverVariables(SecretContract):
    """Required variables of an application whose values providers have."""

    def providers(self, values: Mapping[str, str]) -> list[VariableProvider]:
        """What has these values, in the order in which it is asked."""
        raise NotImplementedError

    def make_backend(self, values: Mapping[str, str]) -> SecretBackend:
        declared = {name: LockedVariable() for name in values}
        templates = {name: f"{{{{ {name} }}}}" for name in values}
        return Resolved(VariableResolver(declared, {"app": templates}, self.providers(values)))


class TestStaticSecrets(OverVariables):
    """``--variable`` and ``type = "static"``."""

    def providers(self, values: Mapping[str, str]) -> list[VariableProvider]:
        return [StaticProvider(values)]


def in_capitals(values: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of some variables."""
    return {f"SPIN_VARIABLE_{name.upper()}": value for name, value in values.items()}


class TestEnvironmentSecrets(OverVariables):
    """``SPIN_VARIABLE_*``."""

    def providers(self, values: Mapping[str, str]) -> list[VariableProvider]:
        return [EnvironmentProvider(environ=in_capitals(values))]


class TestDotenvSecrets(OverVariables):
    """The lines of a ``.env`` file."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        """Where the file goes."""
        self.path = tmp_path / ".env"

    def providers(self, values: Mapping[str, str]) -> list[VariableProvider]:
        lines = (f"{name}='{value}'\n" for name, value in in_capitals(values).items())
        self.path.write_text("".join(lines), encoding="utf-8")
        return [EnvironmentProvider(environ={}, dotenv_path=self.path)]


class TestVaultSecrets(OverVariables):
    """Secrets of a Vault server, which the stand-in is as far as reading goes."""

    @pytest.fixture(autouse=True)
    def vault(self) -> Iterator[None]:
        """A server of this test."""
        with running_vault() as server:
            self.server: Vault = server
            yield

    def providers(self, values: Mapping[str, str]) -> list[VariableProvider]:
        for name, value in values.items():
            self.server.secrets[f"secret/data/{name}"] = {"value": value}
        return [self.server.provider()]


class TestSecretsOfAChain(OverVariables):
    """Some values with one provider, the rest with the next."""

    def providers(self, values: Mapping[str, str]) -> list[VariableProvider]:
        names = list(values)
        half = {name: values[name] for name in names[::2]}
        rest = {name: values[name] for name in names[1::2]}
        return [StaticProvider(half), EnvironmentProvider(environ=in_capitals(rest))]
