"""Repairs of ``spin.toml``, one after another as ``doctor --fix`` makes them."""

import tomllib
from pathlib import Path

import pytest

from edgezero_spin.errors import ManifestError, ProjectError
from edgezero_spin.manifest.spin import load_spin_manifest, parse_spin_manifest
from edgezero_spin.project.manifest_repair import examine_version, upgraded_manifest
from tests.manifest.spin.test_golden import LOCKS

VERSION_1 = """\
# What it is for.
spin_manifest_version = "1"
name = "old"
version = "1.0.0"
authors = ["a <a@example.com>"]
trigger = { type = "http", base = "/" }

[variables]
token = { required = true, secret = true }
color = { default = "red" }

[[component]]
id = "First_One"
source = "one.wasm"
description = "the first"
files = ["static/*", { source = "site", destination = "/" }]
exclude_files = ["**/secret"]
environment = { MODE = "x y" }
allowed_http_hosts = ["example.com", "self"]
key_value_stores = ["default"]
[component.config]
token = "{{ token }}"
[component.trigger]
route = "/a/..."
executor = { type = "wagi", argv = "a b" }
[component.build]
command = "make"
workdir = "one"
watch = ["*.py"]

[[component]]
id = "second"
source = { url = "https://example.com/b.wasm", digest = "sha256:0000" }
allowed_outbound_hosts = []
trigger = { route = "/" }
"""


def mended(path: Path) -> list[str]:
    """Mend what there is until nothing is left; return what was done."""
    done = []
    while fixes := [found.fix for found in examine_version(path) if found.fix is not None]:
        done.append(fixes[0].action.replace(str(path), path.name))
        fixes[0].apply()
        assert len(done) < 9
    return done


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the manifest is."""
    return tmp_path / "spin.toml"


def test_version_1_becomes_version_2_and_is_kept(path: Path) -> None:
    """It means the same, is laid out as a person would, and the old one is beside it (CLI-40)."""
    path.write_text(VERSION_1)
    before = load_spin_manifest(path)
    assert mended(path) == [
        "upgrade spin.toml to version 2; the old one is kept as spin.toml.v1_backup"
    ]
    assert path.with_name("spin.toml.v1_backup").read_text() == VERSION_1
    assert (
        path.read_text()
        == """\
spin_manifest_version = 2

[application]
name = "old"
version = "1.0.0"
authors = ["a <a@example.com>"]

[application.trigger.http]
base = "/"

[variables]
token = { required = true, secret = true }
color = { default = "red" }

[[trigger.http]]
id = "trigger-first-one"
component = "first-one"
route = "/a/..."
executor = { type = "wagi", argv = "a b" }

[[trigger.http]]
id = "trigger-second"
component = "second"
route = "/"

[component.first-one]
source = "one.wasm"
description = "the first"
files = ["static/*", { source = "site", destination = "/" }]
exclude_files = ["**/secret"]
environment = { MODE = "x y" }
key_value_stores = ["default"]
variables = { token = "{{ token }}" }
allowed_outbound_hosts = ["redis://*:*", "mysql://*:*", "postgres://*:*", \
"http://example.com", "https://example.com", "http://self"]

[component.first-one.build]
command = "make"
workdir = "one"
watch = ["*.py"]

[component.second]
source = { url = "https://example.com/b.wasm", digest = "sha256:0000" }
"""
    )
    after = load_spin_manifest(path)
    assert after.components == before.components
    assert after.triggers == before.triggers
    assert list(examine_version(path)) == []


@pytest.mark.parametrize("text", [path.read_text() for path in LOCKS if "version1" in path.name])
def test_whole_manifests_of_version_1_mean_the_same(text: str) -> None:
    """Those that are compared with Spin's locks."""
    upgraded = parse_spin_manifest(upgraded_manifest(text, Path("spin.toml")), Path("spin.toml"))
    before = parse_spin_manifest(text, Path("spin.toml"))
    assert (upgraded.components, upgraded.triggers) == (before.components, before.triggers)


def test_a_backup_is_not_written_over(path: Path) -> None:
    """What was kept before is somebody's; nothing changes."""
    path.write_text(VERSION_1)
    backup = path.with_name("spin.toml.v1_backup")
    backup.write_text("mine")
    [found] = examine_version(path)
    assert found.fix is not None
    with pytest.raises(ProjectError, match="is there already"):
        found.fix.apply()
    assert (path.read_text(), backup.read_text()) == (VERSION_1, "mine")


@pytest.mark.parametrize(
    ("written", "level", "right"),
    [
        ("", "problem", "spin_manifest_version = 2\n"),
        ("spin_manifest_version = 1\n", "problem", 'spin_manifest_version = "1"\n'),
        ('spin_manifest_version = "2"\n', "problem", "spin_manifest_version = 2\n"),
        ("spin_manifest_version = true # so\n", "problem", "spin_manifest_version = 2 # so\n"),
        ("spin_manifest_version = 3\r\n", "problem", "spin_manifest_version = 2\r\n"),
        ('# a\nspin_version = "1"\n', "remark", '# a\nspin_manifest_version = "1"\n'),
    ],
)
def test_a_wrong_version_is_corrected_in_its_line(
    path: Path, written: str, level: str, right: str
) -> None:
    """Every other byte stays (CLI-40)."""
    rest = '# b\nname = "x"\n[[component]]\nid = "a"\n'
    path.write_bytes((written + rest).encode())
    [found] = examine_version(path)
    assert (found.level, found.fix is not None) == (level, True)
    if found.fix is not None:
        found.fix.apply()
    assert path.read_bytes() == (right + rest).encode()


@pytest.mark.parametrize(
    "component",
    [
        'source = "a.wasm"\n',
        'source = "a.wasm"\ntrigger = {}\n',
        'source = "a.wasm"\ntrigger = { executor = { type = "spin" } }\n',
        'source = "a.wasm"\ntrigger.executor = { type = "spin" }\n',
        'source = "a.wasm"\n[component.trigger]\nexecutor = { type = "spin" }\n',
        'source = "a.wasm"\n[component.build]\ncommand = "x"\n',
    ],
)
def test_what_version_1_lacks_is_added(path: Path, component: str) -> None:
    """The trigger of the application, then the route of its only component, then version 2."""
    path.write_text(
        f'spin_manifest_version = "1"\nname = "x"\n[[component]]\nid = "a"\n{component}'
    )
    done = mended(path)
    assert done[:2] == ["add the HTTP trigger to spin.toml", "set the route of 'a' to /..."]
    assert len(done) == 3
    [trigger] = tomllib.loads(path.read_text())["trigger"]["http"]
    assert trigger["route"] == "/..."
    assert load_spin_manifest(path).triggers[0].config["route"] == "/..."


def test_a_route_is_not_guessed_for_several_components(path: Path) -> None:
    """Which of them takes every request is not known."""
    component = '[[component]]\nid = "{0}"\nsource = "{0}.wasm"\ntrigger = {{}}\n'
    text = 'spin_manifest_version = "1"\nname = "x"\ntrigger = { type = "http" }\n'
    path.write_text(text + component.format("a") + component.format("b"))
    assert not any("trigger.route" in found.what for found in examine_version(path))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("spin_manifest_version = 2\n", id="version 2"),
        pytest.param("= 2", id="no TOML"),
        pytest.param(
            'spin_manifest_version = "1"\nname = 3\ntrigger = { type = "x" }', id="other faults"
        ),
    ],
)
def test_nothing_is_found_where_there_is_nothing_to_mend(path: Path, text: str) -> None:
    """Faults of other kinds are found elsewhere."""
    assert list(examine_version(path)) == []
    path.write_text(text)
    assert list(examine_version(path)) == []


def test_a_manifest_with_faults_is_not_upgraded() -> None:
    """They are told, all of them."""
    text = VERSION_1.replace('"one.wasm"', "1").replace('name = "old"', "name = 1")
    with pytest.raises(ManifestError, match="2 problems"):
        upgraded_manifest(text, Path("spin.toml"))
