"""Databases of an app on both hosts: the same component, servers and answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.world import WASI_VERSIONS, Wasi
from tests.host.debian_servers import running_mariadb, running_postgres
from tests.host.redis_server import running_redis
from tests.spin.applications import probe_manifest
from tests.spin.conftest import Both, Serve
from tests.stores.databases.test_on_servers import EMPTY

GUEST = Path(__file__).parents[1] / "component" / "guests" / "databases"

GRANTS = """
sqlite_databases = ["default", "reports"]
allowed_outbound_hosts = ["*://127.0.0.1:*"]
[component.probe.variables]
cache_url = "{{ cache }}"
postgres_url = "{{ postgres }}"
mysql_url = "{{ mysql }}"
"""
RUNTIME = '[sqlite_database.reports]\ntype = "spin"\npath = "reports.db"\n'


@pytest.fixture(scope="module", params=WASI_VERSIONS)
def both(
    request: pytest.FixtureRequest, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    """The component of one WASI, on real servers."""
    wasi: Wasi = request.param
    folder = tmp_path_factory.mktemp(f"databases-{wasi}")
    (folder / "redis").mkdir()
    componentize_app("app", output=folder / "app.wasm", folder=GUEST, wasi=wasi)
    with (
        running_redis(folder / "redis") as redis,
        running_postgres() as postgres,
        running_mariadb() as mysql,
    ):
        addresses = {
            "cache": f"redis://127.0.0.1:{redis}",
            "postgres": (
                f"postgres://postgres:postgres@127.0.0.1:{postgres}/postgres?sslmode=disable"
            ),
            "mysql": f"mysql://spin:spin@127.0.0.1:{mysql}/spin_dev",
        }
        lines = [f'{name} = {{ default = "{value}" }}' for name, value in addresses.items()]
        more = "\n".join(["[variables]", *lines, ""])
        probe_manifest(folder, folder / "app.wasm", GRANTS, more=more)
        (folder / "runtime.toml").write_text(RUNTIME)
        with serve(folder, ["--runtime-config-file", "runtime.toml"]) as programs:
            yield programs


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sqlite"),
        ("POST", "/postgres"),
        ("POST", "/postgres/types"),
        ("GET", "/postgres/stream"),
        ("POST", "/mysql"),
        ("POST", "/redis"),
    ],
)
def test_both_hosts_give_the_same(both: Both, method: str, path: str) -> None:
    """Rows, transactions, types, streams and commands."""
    answer = both.same(path, method=method)
    assert answer.status == 200, answer.body
    assert b"false" not in answer.body


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_both_hosts_say_the_same_of_an_empty_statement(both: Both, kind: str) -> None:
    """Whether its rows are read or not."""
    for statement in (*EMPTY, "; SELECT 1"):
        for reads in (False, True):
            asked = {"kind": kind, "statement": statement, "reads": reads}
            answer = both.same("/error", method="POST", body=json.dumps(asked).encode())
            assert answer.status == 200, answer.body
