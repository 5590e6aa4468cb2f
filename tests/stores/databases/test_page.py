"""The page about databases: what it shows passes its own tests, on real servers."""

import os
import subprocess
import sys
from pathlib import Path

from tests.documents import File, read_session
from tests.host.debian_servers import running_postgres
from tests.host.redis_server import running_redis

PAGE = Path(__file__).parents[3] / "docs" / "databases.md"

TABLE = """\
CREATE TABLE entries (
    id serial PRIMARY KEY, account text NOT NULL, amount int4 NOT NULL CHECK (amount <> 0)
)"""


def test_a_reader_who_saves_the_files_sees_the_tests_pass(tmp_path: Path) -> None:
    """Every module has its test, and nothing warns."""
    files = [step for step in read_session(PAGE) if isinstance(step, File)]
    names = {file.name for file in files}
    assert names == {"notes.py", "test_notes.py", "ledger.py", "test_ledger.py"}
    for file in files:
        (tmp_path / file.name).write_text(file.text, encoding="utf-8")
    (tmp_path / "redis").mkdir()
    with running_postgres() as postgres, running_redis(tmp_path / "redis") as redis:
        address = f"postgres://postgres:postgres@127.0.0.1:{postgres}/postgres?sslmode=disable"
        _create(address)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
            cwd=tmp_path,
            env={
                **os.environ,
                "DATABASE_URL": address,
                "CACHE_URL": f"redis://127.0.0.1:{redis}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def _create(address: str) -> None:
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(TABLE)
