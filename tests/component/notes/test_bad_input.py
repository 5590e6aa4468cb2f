"""What a person gets wrong around a working component: one clear message each, status 1."""

import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.cli.running import edgezero, refusal
from tests.component.notes.conftest import GRANTS
from tests.component.notes.serving import serving


def serve(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``edgezero serve`` where it must refuse to start."""
    return edgezero(
        *("serve", "--engine", "embedded", "--listen", "127.0.0.1:0", *arguments), cwd=folder
    )


def test_a_label_that_nothing_configures_is_refused_at_the_start(notes: Path) -> None:
    """A granted label without a stanza is an error that names label, component and file."""
    runtime = notes / "runtime-config.toml"
    kept = runtime.read_text().replace("[key_value_store.views]", "[key_value_store.other]")
    runtime.write_text(kept)
    done = edgezero("serve", "--engine", "embedded", "--listen", "127.0.0.1:0", *GRANTS, cwd=notes)
    message = refusal(done)
    assert 'unknown key_value_stores label "views"' in message  # KV-2
    assert 'component "notes"' in message


def test_a_missing_secret_is_refused_at_the_start(notes: Path) -> None:
    """A required variable without a value stops the start and is named."""  # VAR-7
    done = edgezero("serve", "--engine", "embedded", "--listen", "127.0.0.1:0", cwd=notes)
    assert "no provider resolved required variable(s): admin_token" in refusal(done)


def test_a_port_in_use_is_named(notes: Path) -> None:
    """The address that is taken is in the message."""  # OUT-8
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = edgezero(*("serve", "--engine", "embedded", "--listen", address, *GRANTS), cwd=notes)
    assert f"{address} is already in use" in refusal(done)


@pytest.mark.parametrize("address", ["3000", "127.0.0.1", "127.0.0.1:many", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_named(notes: Path, address: str) -> None:
    """A slip in ``--listen`` is told from a port in use."""
    done = edgezero(*("serve", "--engine", "embedded", "--listen", address, *GRANTS), cwd=notes)
    assert address in refusal(done)


def test_a_missing_component_says_how_to_build_it(notes: Path) -> None:
    """The file that is not there is named, and so is what makes it."""
    (notes / "app.wasm").unlink()
    message = refusal(serve(notes, *GRANTS))
    assert str(notes / "app.wasm") in message
    assert "Build the component first" in message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not wasm", id="text"),
        pytest.param(b"\0asm\x0d\0\x01\0" + b"\xff" * 64, id="damaged component"),
        pytest.param(b"\0asm\x01\0\0\0", id="core module"),
    ],
)
def test_a_corrupt_component_is_named(notes: Path, content: bytes) -> None:
    """What is not a component is refused with its path, however it is broken."""
    (notes / "app.wasm").write_bytes(content)
    assert str(notes / "app.wasm") in refusal(serve(notes, *GRANTS))


def test_a_corrupt_database_is_named(notes: Path) -> None:
    """A file that is not a SQLite database is refused at the start and left as it is."""
    database = notes / ".spin" / "notes.db"
    for beside in database.parent.glob("notes.db-*"):
        beside.unlink()
    database.write_bytes(b"this is not a database" * 100)
    before = database.read_bytes()
    assert str(database) in refusal(serve(notes, *GRANTS))
    assert database.read_bytes() == before


def test_a_locked_database_is_a_clear_answer_and_passes(notes: Path) -> None:
    """While another program holds the file, a request gets a 500 that says nothing of it."""
    with serving(notes, *GRANTS) as running:
        other = sqlite3.connect(notes / ".spin" / "notes.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        target = f"{running.url}/notes/bread"
        answer = httpx.put(target, json={"title": "Bake bread"}, timeout=60)
        other.execute("ROLLBACK")
        other.close()
        assert answer.status_code == 500
        assert answer.json()["error"]["kind"] == "internal"
        after = httpx.put(target, json={"title": "Bake bread"}, timeout=60)
        assert after.status_code == 201


def test_a_database_that_cannot_be_written_is_named(notes: Path) -> None:
    """A read-only folder is refused at the start."""
    folder = notes / ".spin"
    shutil.rmtree(folder)
    # A folder in which not even root can make a file.
    folder.symlink_to("/sys", target_is_directory=True)
    assert str(folder) in refusal(serve(notes, *GRANTS))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param('route = "/..."', 'rout = "/..."', "'rout'", id="unknown key"),
        pytest.param('component = "notes"', 'component = "gone"', "gone", id="unknown component"),
        pytest.param('"/..."', '"/*rest"', "/*rest", id="route"),
        pytest.param('source = "app.wasm"', "", "source", id="missing source"),
        pytest.param('"{{ admin_token }}"', '"{{ other }}"', "other", id="unknown variable"),
    ],
)
def test_a_wrong_manifest_names_file_and_key(notes: Path, old: str, new: str, said: str) -> None:
    """Each slip in spin.toml is refused before anything runs."""
    manifest = notes / "spin.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))
    message = refusal(serve(notes, *GRANTS))
    assert said in message
    assert str(manifest) in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("[key_value_store", "line 1", id="not TOML"),
        pytest.param('[key_value_store.notes]\ntype = "x"', "key_value_store.notes", id="type"),
        pytest.param("[key_value_store.notes]\npath = 3", "key_value_store.notes", id="no type"),
    ],
)
def test_a_wrong_runtime_configuration_names_file_and_key(
    notes: Path, text: str, said: str
) -> None:
    """Each slip in runtime-config.toml is refused before anything runs."""
    (notes / "runtime-config.toml").write_text(text)
    message = refusal(serve(notes, *GRANTS))
    assert said in message
    assert str(notes / "runtime-config.toml") in message


def test_a_runtime_configuration_that_is_not_there(notes: Path) -> None:
    """A file that was named and does not exist stops the start."""  # STATE-5
    assert "gone.toml" in refusal(serve(notes, "--runtime-config-file", "gone.toml", *GRANTS))


@pytest.mark.parametrize(
    ("variable", "said"),
    [("admin_token", "admin_token"), ("@gone.toml", "gone.toml"), ("admin_token=@gone", "gone")],
)
def test_a_variable_that_cannot_be_read_is_named(notes: Path, variable: str, said: str) -> None:
    """``--variable`` takes three forms; a slip in any is one message."""  # VAR-20
    assert said in refusal(serve(notes, "--variable", variable))
