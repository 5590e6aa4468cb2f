"""What a manifest and a runtime configuration give an application: databases and servers."""

from pathlib import Path
from typing import Any

import apsw
import pytest

from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.errors import RuntimeConfigError
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value.backends.redis import RedisKeyValue
from edgezero_spin.host.factors.redis.address import RedisAddress
from edgezero_spin.host.factors.sqlite.factor import StatementError, UnknownDatabaseError
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.outbound import OutgoingRequest
from edgezero_spin.manifest import InvalidManifestError
from tests.host.factors.outbound_http.asking import settled
from tests.host.redis_server import free_port
from tests.host.support import SCRIPT, call

MANIFEST = """spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "guest"
[component.guest]
source = "guest.wat"
"""


def started(
    tmp_path: Path,
    grants: str,
    config: str = "",
    machine: dict[str, Any] | None = None,
    **options: Any,
) -> Host:
    """A host of the script guest with these lines in its table and this configuration."""
    (tmp_path / "guest.wat").write_text(SCRIPT.read_text())
    (tmp_path / "spin.toml").write_text(MANIFEST + grants)
    runtime = tmp_path / "runtime-config.toml"
    runtime.write_text(config)
    settings = HostSettings(
        cache_dir=tmp_path / "cache", max_instances=2, pooling=False, **(machine or {})
    )
    return Host.from_manifest(tmp_path, runtime_config=runtime, settings=settings, **options)


def grants_of(host: Host) -> Any:
    """What the component may use."""
    return host.application.components["guest"].grants


def test_databases_of_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each label its file, the statements run, the default file named (DB-1, DB-2, OUT-2)."""
    monkeypatch.chdir(tmp_path)
    with started(
        tmp_path,
        'sqlite_databases = ["default", "other"]\nai_models = ["llama2"]',
        '[sqlite_database.other]\ntype = "spin"\npath = "data/other.db"',
        sqlite=["CREATE TABLE t(v)"],
    ) as host:
        file = tmp_path / ".spin" / "sqlite_db.db"
        assert f'Storing default SQLite data to "{file}".' in host.notices
        grants = grants_of(host)
        assert sorted(grants.databases) == ["default", "other"]
        assert grants.databases["other"].path == tmp_path / "data" / "other.db"
        assert grants.ai_models == ("llama2",)
        reader = apsw.Connection(str(file))
        assert reader.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]
        reader.close()


@pytest.mark.parametrize(("machine", "synchronous"), [({}, 2), ({"durable_writes": False}, 1)])
def test_writes_are_durable_unless_the_operator_says_otherwise(
    tmp_path: Path, machine: dict[str, Any], synchronous: int
) -> None:
    """The setting reaches every file that components write."""
    both = 'key_value_stores = ["default"]\nsqlite_databases = ["default"]'
    with started(tmp_path, both, machine=machine) as host:
        grants = grants_of(host)
        store = grants.key_value["default"].file.connection()
        assert store.pragma("synchronous") == synchronous
        connection = grants.databases["default"].connect()
        assert connection.execute("PRAGMA synchronous", max_bytes=99)[1] == [(synchronous,)]
        connection.close()


def test_the_memory_of_an_instance_is_known_to_databases(tmp_path: Path) -> None:
    """What SQLite holds for it ends where its own memory does (LIFE-9)."""
    machine = {"max_instance_memory": 64 << 20}
    with started(tmp_path, 'sqlite_databases = ["default"]', machine=machine) as host:
        assert grants_of(host).memory_bytes == 64 << 20


def test_notices_come_in_the_order_of_spin(tmp_path: Path) -> None:
    """The configuration, the logs, then the databases and the stores (OUT-1 to OUT-3)."""
    grants = 'key_value_stores = ["default"]\nsqlite_databases = ["default"]'
    with started(tmp_path, grants, "[outbound_http]\nmax_connections = 3") as host:
        assert [notice.rpartition(" ")[0] for notice in host.notices] == [
            "Using runtime config [outbound_http: max_connections=3] from",
            "Logging component stdio to",
            "Storing default SQLite data to",
            "Storing default key-value data to",
        ]


def test_a_component_gets_what_it_lists(tmp_path: Path) -> None:
    """Without a label nothing is granted, and no file is named."""
    with started(tmp_path, "") as host:
        assert grants_of(host).databases == {}
        assert not [notice for notice in host.notices if "SQLite" in notice]
    assert not (tmp_path / ".spin" / "sqlite_db.db").exists()


def test_redis_of_a_configuration(tmp_path: Path) -> None:
    """A label on a server needs no server to start; connections are limited (KV-51, NET-42)."""
    port = free_port()
    with started(
        tmp_path,
        'key_value_stores = ["cache"]',
        f'[key_value_store.cache]\ntype = "redis"\nurl = "redis://localhost:{port}/3"\n'
        "[outbound_redis]\nmax_connections = 7",
    ) as host:
        store = grants_of(host).key_value["cache"]
        assert isinstance(store, RedisKeyValue)
        assert store.pool.address == RedisAddress("localhost", port, database=3)
        assert grants_of(host).network.redis_slots.most == 7


def test_rules_of_a_configuration_hold_for_requests(tmp_path: Path) -> None:
    """What the operator blocks is out of reach of what the manifest allows (NET-41, OUTH-10)."""
    port = free_port()
    with started(
        tmp_path,
        f'allowed_outbound_hosts = ["http://127.0.0.1:{port}"]',
        '[outbound_networking]\nblock_networks = "private"\n'
        "[outbound_http]\nmax_concurrent_requests = 3",
    ) as host:
        notices = [notice for notice in host.notices if "deprecated" in notice]
        assert sum("outbound_http.max_concurrent_requests" in notice for notice in notices) == 1
        state = InstanceState(grants_of(host))
        request = OutgoingRequest(Fields())
        request.scheme, request.authority = ("HTTP", None), f"127.0.0.1:{port}"
        request.path = "/"
        future = call(state, "wasi:http/outgoing-handler handle", request, None)
        assert settled(state, future) == ("destination-IP-prohibited", None)


@pytest.mark.parametrize(
    ("grants", "config", "options", "error"),
    [
        ('sqlite_databases = ["x"]', "", {}, UnknownDatabaseError),
        ("", '[sqlite_database.x]\ntype = "mysql"', {}, RuntimeConfigError),
        ("", "[outbound_redis]\nmax_connections = -1", {}, InvalidManifestError),
        ("", "", {"sqlite": ["nonsense"]}, StatementError),
    ],
)
def test_what_cannot_be_given_is_refused_at_the_start(
    tmp_path: Path, grants: str, config: str, options: dict[str, Any], error: type[Exception]
) -> None:
    """Never by a request (DB-3)."""
    with pytest.raises(error):
        started(tmp_path, grants, config, **options).close()
