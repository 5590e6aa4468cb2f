"""Adding a store to a project: three files agree afterwards, and nothing else changes."""

from pathlib import Path

import pytest

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.manifest import load_app_manifest
from edgezero_spin.project.add_store import AddedStore, StoreKind, add_store

SPIN = '# spin\n[component.app]\nsource = "a.wasm" # built\n'
APP = """\
# app
[stores.kv]
ids = ["notes"] # the first
[adapters.spin.adapter]
manifest = "spin.toml"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one store and no runtime configuration."""
    (tmp_path / "edgezero.toml").write_text(APP)
    (tmp_path / "spin.toml").write_text(SPIN)
    return tmp_path


def add(folder: Path, kind: StoreKind, id: str, **environ: str) -> AddedStore:
    """Add one store."""
    return add_store(load_app_manifest(folder / "edgezero.toml"), kind, id, environ)


def test_a_second_store(folder: Path) -> None:
    """It is declared with a default, listed with the first one, and has a stanza."""
    # MAN-18 (g), PRV-3
    done = add(folder, "kv", "cache")
    assert (folder / "edgezero.toml").read_text() == APP.replace(
        '["notes"] # the first\n', '["notes", "cache"] # the first\ndefault = "notes"\n'
    )
    assert (folder / "spin.toml").read_text() == SPIN + 'key_value_stores = ["notes", "cache"]\n'
    assert (folder / "runtime-config.toml").read_text() == (
        '[key_value_store.cache]\ntype = "spin"\npath = ".spin/sqlite_key_value.db"\n'
    )
    lines = list(done.lines())
    assert lines[0] == f"added `cache` to [stores.kv] in {folder / 'edgezero.toml'}"
    assert lines[-1] == f"added [key_value_store.cache] to {folder / 'runtime-config.toml'}"
    assert load_app_manifest(folder / "edgezero.toml").stores.kv is not None


def test_a_second_run_changes_nothing(folder: Path) -> None:
    """What is there is said to be, and no file is written."""  # PRV-4
    add(folder, "config", "flags")
    before = {path.name: path.stat() for path in folder.iterdir()}
    done = add(folder, "config", "flags")
    assert {path.name: path.stat() for path in folder.iterdir()} == before
    assert not done.declared
    (line,) = done.lines()
    assert line.endswith("; skipping")


def test_a_kind_that_is_new(folder: Path) -> None:
    """Its table is made; the platform's name is what Spin's files get."""
    add(folder, "config", "flags", EDGEZERO__STORES__CONFIG__FLAGS__NAME="prod_flags")
    assert (folder / "edgezero.toml").read_text() == APP + '\n[stores.config]\nids = ["flags"]\n'
    assert '"prod_flags"' in (folder / "spin.toml").read_text()
    assert "[key_value_store.prod_flags]" in (folder / "runtime-config.toml").read_text()


def test_a_secret_store_is_declared_only(folder: Path) -> None:
    """Its secrets are for a person; no label and no stanza."""  # PRV-6, PRV-12
    done = add(folder, "secrets", "default")
    assert any("requires manual" in line for line in done.lines())
    assert not (folder / "runtime-config.toml").exists()
    assert '[stores.secrets]\nids = ["default"]' in (folder / "edgezero.toml").read_text()


def test_the_label_default_needs_no_stanza(folder: Path) -> None:
    """Every host has it."""  # KV-41
    assert add(folder, "kv", "default").stanzas == ()
    assert not (folder / "runtime-config.toml").exists()


@pytest.mark.parametrize(
    ("kind", "id", "said"),
    [
        ("kv", "a b", "portable segment"),  # MAN-18 (d)
        ("kv", "NOTES", "case-insensitive duplicate"),  # MAN-18 (f)
        ("config", "notes", "[stores.kv] and [stores.config]"),  # VAL-5
        ("kv", "", "non-empty and printable"),  # MAN-18 (c)
        ("kv", "appConfig", "Spin takes no label"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    kind: StoreKind, id: str, said: str, folder: Path
) -> None:
    """Every rule is checked before the first file is written."""
    with pytest.raises(EdgeZeroError) as caught:
        add(folder, kind, id)
    assert said in str(caught.value)
    assert (folder / "edgezero.toml").read_text() == APP
    assert (folder / "spin.toml").read_text() == SPIN
    assert len(list(folder.iterdir())) == 2


def test_two_secret_stores_are_one_too_many(folder: Path) -> None:
    """Spin has one set of variables."""  # VAL-7
    add(folder, "secrets", "default")
    with pytest.raises(EdgeZeroError, match="Single-capable for secrets"):
        add(folder, "secrets", "other")
