"""The Redis writer, against a real server where there is one, and without any."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from edgezero_spin.manifest.app_config import ConfigEntry
from edgezero_spin.project.config_changes import ConfigPushError
from edgezero_spin.project.config_push import PushRequest, push_config
from edgezero_spin.project.config_redis import RedisTarget
from tests.project.config_project import AppConfig, ConfigProject

TWO = (ConfigEntry("greeting", "héllo"), ConfigEntry("service.timeout_ms", "1500"))
ATTEMPTS = 200


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis with a password, its data in a folder of its own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    port = free_port()
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", "hidden"]
    folder = tmp_path_factory.mktemp("redis")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *settings, "--save", "", "--dir", str(folder)], stdout=log, stderr=log
        )
        url = f"redis://:hidden@127.0.0.1:{port}"
        try:
            _await_answer(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


def _await_answer(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(ATTEMPTS):
        assert process.poll() is None
        try:
            with redis.Redis.from_url(url) as client:
                client.ping()
            return
        except redis.ConnectionError:
            # The only wait in these tests: nothing tells when a server is ready.
            time.sleep(0.05)
    raise AssertionError("redis-server does not answer")


@pytest.fixture
def database(server: str) -> Iterator[Any]:
    """A client of the server, whose databases are empty."""
    with redis.Redis.from_url(server) as client:
        client.flushall()
        yield client


@pytest.mark.usefixtures("database")
def test_entries_are_where_spin_looks(server: str, database: Any) -> None:
    """Each under its own key, as bytes, over what was there."""  # PSH-14, beyond the contract
    target = RedisTarget(server, "app_config")
    database.set("greeting", "old")
    line = target.write(TWO)
    assert line.startswith("pushed 2 entries to Spin Redis KV at redis://:***@127.0.0.1:")
    assert database.get("greeting") == "héllo".encode()
    assert sorted(database.keys()) == [b"greeting", b"service.timeout_ms"]


def test_the_database_in_the_url_counts(server: str, database: Any) -> None:
    """Spin follows the same part of it."""
    RedisTarget(f"{server}/3", "app_config").write(TWO)
    assert database.keys() == []
    with redis.Redis.from_url(f"{server}/3") as other:
        assert len(other.keys()) == 2


def test_a_push_is_one_transaction(server: str, database: Any) -> None:
    """When one entry is refused, none is written."""
    database.config_set("maxmemory", "1")
    try:
        with pytest.raises(ConfigPushError, match="cannot use the Redis"):
            RedisTarget(server, "app_config").write(TWO)
    finally:
        database.config_set("maxmemory", "0")
    assert database.keys() == []


def test_reading_tells_what_is_there(server: str, database: Any) -> None:
    """Keys that are absent are left out, and other keys of the database are not touched."""
    database.set("greeting", "x")
    database.set("other", "y")
    target = RedisTarget(server, "app_config")
    assert target.stored(("greeting", "none")) == {"greeting": b"x"}
    assert target.stored(()) == {}


def test_dry_run_shows_what_would_change(server: str, database: Any) -> None:
    """Neither the password nor a value is shown, and nothing is written."""
    database.set("greeting", "x")
    lines = RedisTarget(server, "prod").preview("app_config", TWO)
    assert "`prod`" in lines[0] and "`app_config`" in lines[0] and "hidden" not in lines[0]
    assert lines[1:] == [
        "would set `greeting` (changed)",
        "would set `service.timeout_ms` (new)",
    ]
    assert database.keys() == [b"greeting"]


def test_a_project_is_pushed(server: str, database: Any, config_project: ConfigProject) -> None:
    """The stanza of the label decides, from one end to the other."""
    config_project.write(
        "app/runtime-config.toml",
        f'[key_value_store.app_config]\ntype = "redis"\nurl = "{server}"',
    )
    manifest = config_project.folder / "edgezero.toml"
    push_config(PushRequest(manifest=manifest, model=AppConfig, environ={}))
    assert database.get("service.timeout_ms") == b"1500"
    assert database.get("api_token") is None


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("redis://localhost:{port}", id="nobody there"),
        pytest.param("http://localhost:{port}", id="no redis url"),
        pytest.param("", id="none"),
    ],
)
def test_a_server_that_cannot_be_used(url: str) -> None:
    """The command that sets an entry by hand is named, with url and label."""
    url = url.format(port=free_port())  # PSH-14, TV-159, TV-161
    target = RedisTarget(url, "app_config")
    for attempt in (lambda: target.write(TWO), lambda: target.preview("id", TWO)):
        with pytest.raises(ConfigPushError) as caught:
            attempt()
        assert f"redis-cli -u {url or '<url>'} SET <key> <value>" in str(caught.value)
        assert "`app_config`" in str(caught.value)
        assert "éllo" not in str(caught.value)  # PSH-8


def test_a_password_is_never_shown() -> None:
    """Nor where the server refuses it."""
    target = RedisTarget(f"redis://user:s3cret@localhost:{free_port()}/2", "l")
    assert "s3cret" not in repr(target)
    with pytest.raises(ConfigPushError) as caught:
        target.write(TWO)
    assert "s3cret" not in str(caught.value)
    assert "redis://user:***@localhost" in str(caught.value)


def test_a_wrong_password_is_told(server: str) -> None:
    """What the server says reaches the person, without the password."""
    with pytest.raises(ConfigPushError) as caught:
        RedisTarget(server.replace("hidden", "guess"), "l").write(TWO)
    assert "guess" not in str(caught.value)
    assert "password" in str(caught.value)


def test_without_redis_py(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra to install and the command to use instead are named."""
    monkeypatch.setitem(sys.modules, "redis", None)  # PSH-14
    with pytest.raises(ConfigPushError) as caught:
        RedisTarget("redis://localhost", "app_config").write(TWO)
    assert 'pip install "edgezero-spin[redis]"' in str(caught.value)
    assert "redis-cli -u redis://localhost SET <key> <value>" in str(caught.value)


def test_labels_share_a_database(server: str, database: Any) -> None:
    """Spin has no label in a key, so what a push writes under one is seen under another."""
    RedisTarget(server, "one").write(TWO)
    assert len(RedisTarget(server, "two").stored(("greeting",))) == 1
