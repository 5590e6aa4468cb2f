"""Provisioning: which labels are added where, what is said, and what stops it."""

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import assume, given, settings

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import load_app_manifest
from edgezero_spin.project.provision import Provisioned, provision
from tests.project.toml_documents import COMPONENT, documents, is_toml
from tests.rights import public_folder, without_rights

SPIN = """\
# kept
[component.app]
source = "app.wasm"
"""
ADAPTER = "[adapters.spin.adapter]\nmanifest = 'spin.toml'\n"
KV = "[stores.kv]\nids = ['sessions', 'cache']\ndefault = 'cache'\n"
CONFIG = "[stores.config]\nids = ['app_config']\n"
SECRETS = "[stores.secrets]\nids = ['default']\n"


def run(
    folder: Path,
    stores: str,
    spin: str | None = SPIN,
    *,
    adapter: str = ADAPTER,
    dry_run: bool = False,
    **environ: str,
) -> Provisioned:
    """Write both manifests and provision; ``spin=None`` keeps what is there."""
    (folder / "edgezero.toml").write_text(stores + adapter)
    if spin is not None:
        (folder / "spin.toml").write_bytes(spin.encode())
    names = {f"EDGEZERO__STORES__{name}__NAME": value for name, value in environ.items()}
    return provision(load_app_manifest(folder / "edgezero.toml"), names, dry_run=dry_run)


def text(folder: Path) -> str:
    """The ``spin.toml`` as it is now."""
    return (folder / "spin.toml").read_bytes().decode()


def test_labels_are_added_in_the_order_of_declaration(tmp_path: Path) -> None:
    """Key-value ids first, then config ids, each reported with label, id, place and file."""
    # PRV-3, PRV-10, TV-137
    done = run(tmp_path, KV + CONFIG)
    assert text(tmp_path) == SPIN + 'key_value_stores = ["sessions", "cache", "app_config"]\n'
    place = f"to [component.app].key_value_stores in {tmp_path / 'spin.toml'}"
    assert list(done.lines()) == [
        f"added KV label `sessions` (logical id `sessions`) {place}",
        f"added KV label `cache` (logical id `cache`) {place}",
        f"added config label `app_config` (logical id `app_config`) {place}",
    ]


def test_the_platforms_name_is_written_and_not_the_id(tmp_path: Path) -> None:
    """The environment says what the platform calls a store; the line names both."""
    # PRV-3, TV-139
    done = run(tmp_path, CONFIG, CONFIG__APP_CONFIG="prod_config")
    assert text(tmp_path) == SPIN + 'key_value_stores = ["prod_config"]\n'
    (line,) = done.lines()
    assert "`prod_config` (logical id `app_config`)" in line


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    """What is listed is said to be, and the file is not even opened for writing."""
    # PRV-4, PRV-11, TV-138
    run(tmp_path, KV)
    path = tmp_path / "spin.toml"
    before = path.stat()
    lines = list(run(tmp_path, KV, None).lines())
    assert path.stat() == before
    assert [line.partition(" in ")[0].endswith("already present") for line in lines] == [True] * 2
    assert all(line.endswith("; skipping") for line in lines)


def test_only_what_lacks_is_added(tmp_path: Path) -> None:
    """A list that has one of two labels gets the other."""  # PRV-4
    done = run(tmp_path, KV, SPIN + "key_value_stores = ['cache']\n")
    assert text(tmp_path) == SPIN + "key_value_stores = ['cache', 'sessions']\n"
    assert [store.present for store in done.labels] == [False, True]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """Each id has its line, present or not, and the bytes are equal."""  # PRV-7, PRV-9, TV-140
    spin = SPIN + "key_value_stores = ['cache']\n"
    done = run(tmp_path, KV, spin, dry_run=True)
    assert text(tmp_path) == spin
    place = f"is in [component.app].key_value_stores in {tmp_path / 'spin.toml'}"
    assert list(done.lines()) == [
        f"would ensure KV label `sessions` (logical id `sessions`) {place}",
        f"would ensure KV label `cache` (logical id `cache`) {place}",
    ]


@pytest.mark.parametrize("dry_run", [True, False])
def test_secrets_are_for_a_person(dry_run: bool, tmp_path: Path) -> None:
    """The lines to paste are shown and nothing is written for them."""  # PRV-6, PRV-12, TV-142
    done = run(tmp_path, CONFIG + SECRETS, dry_run=dry_run, SECRETS__DEFAULT="vault")
    first, second, *paste = done.lines()
    assert "config label" in first
    assert "key_value_stores" in first
    for part in ("spin secret id `default`", "`vault`", "requires manual"):
        assert part in second
    assert "[variables].* secret = true" in second
    assert paste == [
        "    [variables]",
        "    my_secret = { required = true, secret = true }",
        "",
        "    [component.app.variables]",
        '    my_secret = "{{ my_secret }}"',
    ]
    assert "secret" not in text(tmp_path)


def test_secrets_that_the_project_names_are_the_ones_to_paste(tmp_path: Path) -> None:
    """Those that spin.toml declares already are left out; all declared, nothing to paste."""
    # PRV-12
    named = "[[environment.secrets]]\nname = 'API_TOKEN'\n[[environment.secrets]]\nname = 'other'\n"
    spin = SPIN + "[variables]\nother = { required = true }\n"
    (store,) = run(tmp_path, SECRETS + named, spin).secrets
    assert store.lines[:2] == ("[variables]", "api_token = { required = true, secret = true }")
    assert not any("other" in line for line in store.lines)
    (store,) = run(tmp_path, SECRETS + named, spin + "api_token = { required = true }\n").secrets
    assert store.lines == ()


def test_secrets_that_are_declared_are_named(tmp_path: Path) -> None:
    """Where a project names none, what spin.toml has is taken to be all of it."""  # PRV-12
    spin = SPIN + "[variables]\ntoken = { required = true, secret = true }\nx = { default = 'y' }\n"
    (line,) = run(tmp_path, SECRETS, spin).lines()
    assert "requires manual" in line
    assert line.endswith("(declared: token)")


def test_nothing_declared(tmp_path: Path) -> None:
    """One line says so, and a list that cannot be edited does not matter."""
    # PRV-8, PRV-13, TV-143
    done = run(tmp_path, "", SPIN + "key_value_stores = 1\n")
    assert list(done.lines()) == ["spin has no declared stores to provision"]


@pytest.mark.parametrize(
    ("stores", "spin", "adapter", "said"),
    [
        # TV-143, CMP-1, CMP-3, CMP-5
        (KV, SPIN, "[adapters.spin.adapter]\n", ["spin.toml"]),
        (KV, "", ADAPTER, ["no [component.*] declarations found"]),
        (KV, SPIN, ADAPTER + "component = 'missing'\n", ["missing", "(available: app)"]),
        (KV, "[component.a]\n[component.b]\n", ADAPTER, ["component is unset", "a, b"]),
        # TV-144
        ("[stores.secrets]\nids = ['a', 'b']\ndefault = 'a'\n", SPIN, ADAPTER,
         ["Single-capable for secrets"]),
        (KV + "[[triggers.http]]\npath = '/'\nhandler = 'not_a_path'\n", SPIN, ADAPTER,
         ["not_a_path"]),
        # TV-146
        ("[stores.kv]\nids = ['shared']\n[stores.config]\nids = ['shared']\n", SPIN, ADAPTER,
         ["shared", "[stores.kv]", "[stores.config]"]),
        # PRV-14
        (KV, "[component]\napp = 1\n", ADAPTER, ["spin.toml", "[component.app] is not a table"]),
        (KV, SPIN + "key_value_stores = 1\n", ADAPTER,
         ["spin.toml", "[component.app]", "key_value_stores is not an array"]),
    ],
)  # fmt: skip
def test_what_stops_it_stops_it_before_anything_is_written(
    stores: str, spin: str, adapter: str, said: list[str], tmp_path: Path
) -> None:
    """The message says what and where; the file is as it was, in a dry run too."""  # PRV-2
    for dry_run in (True, False):
        with pytest.raises(ProjectError) as caught:
            run(tmp_path, stores, spin, adapter=adapter, dry_run=dry_run)
        assert [part for part in said if part not in str(caught.value)] == []
        assert text(tmp_path) == spin
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edgezero.toml", "spin.toml"]


def test_two_stores_with_one_label_are_refused(tmp_path: Path) -> None:
    """Both ids and the label are named."""  # PRV-2, TV-147
    with pytest.raises(ProjectError) as caught:
        run(tmp_path, KV + CONFIG, KV__SESSIONS="shared", CONFIG__APP_CONFIG="shared")
    for part in ("`shared`", "[stores.kv].sessions", "[stores.config].app_config"):
        assert part in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """One run finds the handler, the component and the label."""  # PRV-2
    stores = KV + CONFIG + "[[triggers.http]]\npath = '/'\nhandler = 'nope'\n"
    with pytest.raises(ProjectError) as caught:
        run(tmp_path, stores, "", KV__SESSIONS="shared", CONFIG__APP_CONFIG="shared")
    message = str(caught.value)
    assert "3 problems" in message
    positions = [message.index(part) for part in ("nope", "[component.*]", "`shared`")]
    assert positions == sorted(positions)


def test_several_config_stores_are_accepted(tmp_path: Path) -> None:
    """Spin keeps configuration in key-value stores, of which there can be many."""  # TV-145
    run(tmp_path, "[stores.config]\nids = ['a', 'b']\ndefault = 'b'\n")
    assert 'key_value_stores = ["a", "b"]' in text(tmp_path)


def test_the_runtime_configuration_is_read_and_left(tmp_path: Path) -> None:
    """Each label without a stanza is named with the lines to add; ``default`` needs none."""
    # PRV-6
    stores = "[stores.kv]\nids = ['default', 'cache', 'gone']\ndefault = 'cache'\n"
    config = "[key_value_store.cache]\ntype = 'redis'\nurl = 'redis://x'\n"
    path = tmp_path / "runtime-config.toml"
    path.write_text(config)
    (notice,) = run(tmp_path, stores).notices
    assert path.read_text() == config
    assert notice.splitlines() == [
        f"{path} has no [key_value_store.gone], so `spin up` would not start. Add:",
        "    [key_value_store.gone]",
        '    type = "spin"',
        '    path = ".spin/sqlite_key_value.db"',
    ]
    path.write_text("[key_value_store")
    (notice,) = run(tmp_path, stores, None).notices
    assert "failed to parse runtime-config at" in notice
    path.unlink()
    assert len(run(tmp_path, stores, None).notices) == 2
    assert not path.exists()


def test_line_ends_and_a_byte_order_mark_survive(tmp_path: Path) -> None:
    """A file from another system stays one."""  # PRV-5
    spin = "\ufeff" + SPIN.replace("\n", "\r\n") + "# fin\u00e9"
    run(tmp_path, CONFIG, spin)
    added = 'key_value_stores = ["app_config"]\r\n'
    assert text(tmp_path) == "\ufeff" + SPIN.replace("\n", "\r\n") + added + "# fin\u00e9"


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """It is named and stays as it is."""
    (tmp_path / "spin.toml").write_bytes(b"[component.app]\n# \xff\n")
    with pytest.raises(ProjectError, match=r"spin\.toml.*UTF-8"):
        run(tmp_path, CONFIG, None)
    assert (tmp_path / "spin.toml").read_bytes() == b"[component.app]\n# \xff\n"


def test_mode_and_links_stay(tmp_path: Path) -> None:
    """A link still is one, and what it points to keeps its mode."""
    real = tmp_path / "real.toml"
    real.write_text(SPIN)
    real.chmod(0o640)
    (tmp_path / "spin.toml").symlink_to("real.toml")
    run(tmp_path, CONFIG, None)
    assert (tmp_path / "spin.toml").is_symlink()
    assert "app_config" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_write_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the file and the reason; no scratch file is left."""

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "spin.toml").write_text(SPIN)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProjectError, match=r"cannot write .*spin\.toml: No space left on device"):
        run(tmp_path, CONFIG, None)
    assert text(tmp_path) == SPIN
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edgezero.toml", "spin.toml"]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_read_only_is_not_replaced(what: str) -> None:
    """A read-only file or folder is respected, though a rename could get around the first."""
    with public_folder() as folder:
        target = folder / "spin.toml" if what == "file" else folder
        (folder / "spin.toml").write_text(SPIN)
        (folder / "edgezero.toml").write_text(CONFIG + ADAPTER)
        manifest = load_app_manifest(folder / "edgezero.toml")
        # For the file, the folder is one that everyone may write to.
        folder.chmod(0o777)
        target.chmod(0o555 if what == "folder" else 0o444)
        with without_rights(), pytest.raises(ProjectError, match="cannot write"):
            provision(manifest, {})
        folder.chmod(0o755)
        assert text(folder) == SPIN
        assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("label", ["My Label", "app.config", "appConfig", "a__b", "1st"])
def test_a_label_that_spin_refuses_is_not_written(label: str, tmp_path: Path) -> None:
    """The manifest would not load any more; the message says what to set instead."""
    with pytest.raises(ProjectError) as caught:
        run(tmp_path, CONFIG, CONFIG__APP_CONFIG=label)
    assert f"no label `{label}` (config id `app_config`)" in str(caught.value)
    assert "EDGEZERO__STORES__CONFIG__APP_CONFIG__NAME" in str(caught.value)
    assert text(tmp_path) == SPIN


@settings(max_examples=150)
@given(document=documents())
def test_any_manifest_survives_on_disk(
    document: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Both labels are listed afterwards, every other byte is there, and a second run adds none."""
    # PRV-4, PRV-5
    assume(is_toml(document))
    folder = tmp_path_factory.mktemp("any")
    adapter = f"{ADAPTER}component = '{COMPONENT}'\n"
    done = run(folder, KV, document, adapter=adapter)
    after = (folder / "spin.toml").read_bytes()
    listed = tomllib.loads(after.decode().removeprefix("\ufeff"))["component"][COMPONENT]
    assert listed["key_value_stores"][-2:] == ["sessions", "cache"]
    kept = iter(after.decode())
    assert all(character in kept for character in document)
    assert len(after) - len(document.encode()) < 100
    assert not any(store.present for store in done.labels)
    again = run(folder, KV, None, adapter=adapter)
    assert all(store.present for store in again.labels)
    assert (folder / "spin.toml").read_bytes() == after


DATABASES = """\
[databases.sqlite]
ids = ["default", "reports"]
default = "default"
[databases.postgres]
ids = ["database_url"]
"""


def test_databases_are_labels_and_variables(tmp_path: Path) -> None:
    """SQLite is granted by label; the address of a server is for a person to declare."""
    done = run(tmp_path, DATABASES + CONFIG)
    assert text(tmp_path) == SPIN + (
        'key_value_stores = ["app_config"]\nsqlite_databases = ["default", "reports"]\n'
    )
    lines = list(done.lines())
    place = f"[component.app].sqlite_databases in {tmp_path / 'spin.toml'}"
    assert lines[1] == f"added SQLite label `default` (logical id `default`) to {place}"
    assert lines[3].startswith("postgres id `database_url` requires manual work: its address is ")
    assert '    database_url = "{{ database_url }}"' in lines
    assert any("[sqlite_database.reports]" in notice for notice in done.notices)
    assert not any("[sqlite_database.default]" in notice for notice in done.notices)
    (tmp_path / "runtime-config.toml").write_text("[sqlite_database")
    done = run(tmp_path, "[databases.sqlite]\nids = ['reports']\n", None)
    assert ["failed to parse runtime-config at" in notice for notice in done.notices] == [True]


def test_a_server_whose_address_is_declared_is_not_mentioned(tmp_path: Path) -> None:
    """Nothing is left to do."""
    spin = SPIN + '[component.app.variables]\ndatabase_url = "{{ database_url }}"\n'
    done = run(tmp_path, "[databases.postgres]\nids = ['database_url']\n", spin)
    assert list(done.lines()) == ["spin has no declared stores to provision"]
