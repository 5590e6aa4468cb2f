"""Where ``runtime-config.toml`` puts SQLite databases."""

from pathlib import Path

import pytest

from edgezero_spin.host.errors import RuntimeConfigError
from edgezero_spin.host.factors.sqlite.config import configured_databases
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.manifest.runtime_config import RuntimeConfig, load_runtime_config


def config(tmp_path: Path, text: str) -> RuntimeConfig:
    """A runtime configuration in the folder ``etc``."""
    path = tmp_path / "etc" / "runtime-config.toml"
    path.parent.mkdir()
    path.write_text(text)
    return load_runtime_config(path)


def test_the_default_database(tmp_path: Path) -> None:
    """It is in the state directory, or in memory where there is none (DB-2)."""
    assert configured_databases(None, None) == {"default": Database(label="default")}
    assert configured_databases(None, tmp_path)["default"].path == tmp_path / "sqlite_db.db"


def test_databases_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are below the working directory, not beside the file (DB-1)."""
    monkeypatch.chdir(tmp_path)
    found = configured_databases(
        config(
            tmp_path,
            """
            [sqlite_database.default]
            type = "spin"
            [sqlite_database.a]
            type = "spin"
            path = "data/a.db"
            allow_attach_file = true
            """,
        ),
        tmp_path,
    )
    assert found == {
        "default": Database(label="default"),
        "a": Database(label="a", path=tmp_path / "data" / "a.db", allow_attach_file=True),
    }


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_what_a_commit_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, synchronous: int
) -> None:
    """That it is on the disk (FULL), unless the operator gives that up (NORMAL)."""
    monkeypatch.chdir(tmp_path)
    text = '[sqlite_database.a]\ntype = "spin"\npath = "a.db"\n'
    found = configured_databases(config(tmp_path, text), tmp_path, durable=durable)
    for database in found.values():
        connection = database.connect()
        assert connection.execute("PRAGMA synchronous", max_bytes=100)[1] == [(synchronous,)]
        connection.close()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('type = "libsql"\nurl = "libsql://x"\ntoken = ""', "unexpected libSQL URL 'libsql://x'"),
        ('type = "libsql"\nurl = "https://x"\ntoken = ""', "does not provide databases of type"),
        ('type = "mysql"', "Unknown database kind: mysql"),
        ('type = "spin"\npaht = "x"', "unknown field(s): paht"),
        ('type = "spin"\npath = 1', "`path` must be a string"),
        ('type = "spin"\nallow_attach_file = "no"', "must be true or false"),
    ],
)
def test_what_cannot_be_had(tmp_path: Path, table: str, message: str) -> None:
    """Every fault is named with its table before anything starts."""
    text = f"[sqlite_database.a]\n{table}\n[sqlite_database.b]\n{table}"
    with pytest.raises(RuntimeConfigError) as caught:
        configured_databases(config(tmp_path, text), None)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "sqlite_database.a",
        "sqlite_database.b",
    ]
    assert message in str(caught.value)
