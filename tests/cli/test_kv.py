"""``edgezero kv``: entries of local stores, as a component sees them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import edgezero, refusal
from tests.host.support import SCRIPT

MANIFEST = """\
spin_manifest_version = 2
application.name = "a"
[[trigger.http]]
route = "/..."
component = { source = "guest.wat", key_value_stores = ["default"] }
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an application, in which everything runs."""
    (tmp_path / "spin.toml").write_text(MANIFEST)
    (tmp_path / "guest.wat").write_text(SCRIPT.read_text())
    (tmp_path / "runtime-config.toml").write_text(
        "[key_value_store.other]\ntype = 'spin'\npath = 'data/other.db'\n"
        "[key_value_store.lost]\ntype = 'spin'\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kv(*arguments: str, typed: str | None = None) -> str:
    """What a command that works says."""
    done = edgezero("kv", *arguments, typed=typed)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_entries_are_written_listed_read_and_removed(app: Path) -> None:
    """In the order of their keys, a store apart from another."""
    (app / "file").write_text("from a file")
    kv("put", "b", "1")
    kv("put", "a/x", "@file")
    kv("put", "a/y", "-", typed="typed")
    kv("put", "--store", "other", "c", "3")
    assert kv("list") == "a/x\na/y\nb\n"
    assert kv("list", "--prefix", "a/") == "a/x\na/y\n"
    assert [kv("get", "a/x"), kv("get", "a/y")] == ["from a file", "typed"]
    kv("delete", "b")
    kv("delete", "b")
    assert json.loads(kv("export")) == {"a/x": "from a file", "a/y": "typed"}
    assert json.loads(kv("export", "--store", "other")) == {"c": "3"}
    assert (app / "data" / "other.db").is_file()
    done = edgezero("kv", "get", "b")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no key 'b'" in done.stderr


def test_bytes_stay_what_they_are(app: Path) -> None:
    """What is not text is written as it is, and exported as base64; keys are escaped."""
    (app / "raw").write_bytes(b"\xff\x00\n")
    kv("put", "line\nbreak", "@raw")
    done = subprocess.run(
        [sys.executable, "-m", "edgezero_spin.cli", "kv", "get", "line\nbreak"],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"\xff\x00\n"
    assert kv("list") == "line\\nbreak\n"
    assert json.loads(kv("export")) == {"line\nbreak": {"base64": "/wAK"}}


def test_reading_makes_nothing(app: Path) -> None:
    """A store that nobody wrote to is empty, and stays without a file."""
    before = sorted(app.rglob("*"))
    assert kv("list") == ""
    assert kv("export", "--store", "other") == "{}\n"
    assert sorted(app.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list", "--store", "nope"), "there is none; define [key_value_store.nope]"),
        (("list", "--store", "lost"), "it is kept in memory"),
        (("list", "--state-dir", ""), "it is kept in memory"),
        (("list", "--from", "gone"), "there is no manifest"),
    ],
)
def test_what_cannot_be_looked_into(app: Path, arguments: tuple[str, ...], expected: str) -> None:
    """A label that does not exist, and one without a place."""
    assert expected in refusal(edgezero("kv", *arguments))
