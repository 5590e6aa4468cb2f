"""Loading an application: versions, folders, bare components, and what is refused."""

from pathlib import Path

import attrs
import pytest

from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError
from edgezero_spin.manifest.spin import (
    FetchError,
    PackageSource,
    SpinManifest,
    UrlSource,
    load_spin_manifest,
    lock_application,
    parse_spin_manifest,
)

HEAD = 'spin_manifest_version = 2\n[application]\nname = "app"\n'
TRIGGER = '[[trigger.http]]\nroute = "/"\ncomponent = "a"\n'


def parse(text: str) -> SpinManifest:
    """Check a text as the manifest of an application in ``/app``."""
    return parse_spin_manifest(text, Path("/app/spin.toml"))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("spin_manifest_version = 1", "1"),
        ('spin_manifest_version = "2"', '"2"'),
        ('spin_manifest_version = "0"', '"0"'),
        ("spin_manifest_version = true", "true"),
        ("spin_manifest_version = 2.0", "2.0"),
        ("spin_version = 2", "2"),
    ],
)
def test_other_versions_are_refused(line: str, shown: str) -> None:
    """Only 2 and "1" are versions; the value is shown as the file has it."""
    with pytest.raises(InvalidManifestError, match=f"invalid manifest version: {shown}"):
        parse(f"{line}\n")  # MAN-3


@pytest.mark.parametrize(("id", "fault"), [("", "empty"), ("a b", "may only contain")])
def test_ids_of_version_1_have_to_become_good_ones(id: str, fault: str) -> None:
    """Underscores and capitals are changed; what is wrong besides is refused (MAN-86)."""
    text = 'spin_manifest_version = "1"\nname = "app"\nversion = "1"\ntrigger = { type = "http" }\n'
    component = f'[[component]]\nid = "{id}"\nsource = "a.wasm"\n[component.trigger]\nroute = "/"\n'
    with pytest.raises(InvalidManifestError, match=fault):
        parse(text + component)


def test_a_folder_stands_for_its_manifest(tmp_path: Path) -> None:
    """The folder that holds ``spin.toml`` may be named instead of the file."""
    (tmp_path / "spin.toml").write_text(HEAD + TRIGGER + '[component.a]\nsource = "a.wasm"\n')
    manifest = load_spin_manifest(tmp_path)  # MAN-5
    assert manifest.path == tmp_path / "spin.toml"
    assert manifest.base_dir == tmp_path


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    """The message has Spin's words and the path."""
    with pytest.raises(ManifestUnreadableError) as caught:
        load_spin_manifest(tmp_path / "spin.toml")
    expected = f'Failed to read Spin app manifest from "{tmp_path / "spin.toml"}": '  # MAN-4
    assert str(caught.value).startswith(expected)
    assert caught.value.missing


@pytest.mark.parametrize("suffix", ["wasm", "wat"])
def test_a_bare_component_is_an_application(tmp_path: Path, suffix: str) -> None:
    """A component file answers every route, under the name of the file."""
    path = tmp_path / f"hello_World.{suffix}"
    path.touch()
    manifest = load_spin_manifest(path)  # MAN-90
    assert manifest.name == "hello_World"
    [trigger] = manifest.triggers
    assert (trigger.id, trigger.component) == ("http-trigger1", "http-trigger1-component")
    assert trigger.config == {"route": "/..."}
    assert manifest.components["http-trigger1-component"].source == path.name
    locked = lock_application(manifest)
    assert locked.components[0].source.source == path.as_uri()


def test_sources_have_three_forms() -> None:
    """A path, a download and a package are told apart."""
    manifest = parse(
        HEAD
        + "[trigger]\n"
        + '[component.a]\nsource = "a.wasm"\n'
        + '[component.b]\nsource = { url = "https://x/b", digest = "sha256:1" }\n'
        + '[component.c]\nsource = { package = "a:c", version = "1.0.0" }\n'
    )
    sources = [component.source for component in manifest.components.values()]
    assert sources == [
        "a.wasm",
        UrlSource("https://x/b", "sha256:1"),
        PackageSource("a:c", "1.0.0"),
    ]


def test_keys_of_a_trigger_are_its_own() -> None:
    """Keys that the loader does not know reach the trigger as they are."""
    text = HEAD + TRIGGER + 'extra = { deep = [1, true] }\n[component.a]\nsource = "a"\n'
    [trigger] = parse(text).triggers
    assert trigger.config == {"route": "/", "extra": {"deep": [1, True]}}  # MAN-24


BRACES = """
[variables]
known = { default = "x" }
[application.trigger.redis]
address = "redis://{{ known }}"
[[trigger.http]]
route = "/{{ nobody }}"
component = "a"
[[trigger.redis]]
address = "redis://{{ known }}:6380"
channel = "{{ known }}"
component = "a"
[component.a]
source = "a.wasm"
description = "{{ nobody }}"
environment = { E = "{{ nobody }}", F = "{{ open" }
ai_models = ["{{ nobody }}"]
variables = { v = "{{ known }}" }
allowed_outbound_hosts = ["http://{{ known }}"]
"""


def test_braces_elsewhere_are_text() -> None:
    """Only some places hold templates; what is filled in later is kept as it stands."""  # MAN-91
    app = lock_application(parse(HEAD + BRACES)).to_value()
    [part] = app["components"]
    assert part["env"] == {"E": "{{ nobody }}", "F": "{{ open"}
    assert part["metadata"]["description"] == "{{ nobody }}"
    assert part["metadata"]["ai_models"] == ["{{ nobody }}"]
    assert part["config"] == {"v": "{{ known }}"}
    assert part["metadata"]["allowed_outbound_hosts"] == ["http://{{ known }}"]
    [http, redis] = [trigger["trigger_config"] for trigger in app["triggers"]]
    assert http["route"] == "/{{ nobody }}"
    assert (redis["address"], redis["channel"]) == ("redis://{{ known }}:6380", "{{ known }}")
    assert app["metadata"]["triggers"] == {"redis": {"address": "redis://{{ known }}"}}


@pytest.mark.parametrize(
    ("allowed", "broken"),
    [
        ('v = "{{ known }}"', 'v = "{{ nobody }}"'),
        ('v = "{{ known }}"', 'v = "{{ known"'),
        ('["http://{{ known }}"]', '["http://{{ known"]'),
    ],
)
def test_templates_are_checked_where_they_are(allowed: str, broken: str) -> None:
    """In a component's variables and hosts."""  # MAN-91
    with pytest.raises(InvalidManifestError, match=r"unknown variable|unmatched"):
        parse(HEAD + BRACES.replace(allowed, broken))


def test_a_profile_has_to_exist() -> None:
    """A profile that no component has is a slip, and is named."""
    text = HEAD + TRIGGER + '[component.a]\nsource = "a"\n'
    expected = "Profile debug is not defined in this application"  # MAN-48
    with pytest.raises(InvalidManifestError, match=expected):
        parse_spin_manifest(text, Path("spin.toml"), profile="debug")


def test_sources_that_cannot_be_fetched_are_named_together() -> None:
    """Every failed download is reported, with component, source and reason."""
    manifest = parse(
        HEAD
        + "[trigger]\n"
        + '[component.a]\nsource = { url = "https://x/a", digest = "sha256:1" }\n'
        + '[component.b]\nsource = { package = "n:b", version = "1.0.0" }\n'
    )

    def fetch(source: object) -> Path:
        raise FetchError("no network")

    with pytest.raises(InvalidManifestError) as caught:
        lock_application(manifest, fetch=fetch)
    assert [str(problem) for problem in caught.value.problems] == [  # MAN-93
        "component.a.source: Failed to load component `a`: Failed to load Wasm source "
        '"https://x/a" with digest "sha256:1": no network',
        "component.b.source: Failed to load component `b`: Failed to load Wasm source "
        '"n:b@1.0.0" from default registry: no network',
    ]
    assert str(caught.value).startswith('Failed to load Spin app from "/app/spin.toml": ')


def test_urls_are_written_as_spin_writes_them() -> None:
    """Blanks and special characters of a path are escaped, colons are not."""
    manifest = parse(HEAD + '[trigger]\n[component.a]\nsource = "../b c/sha256:x#1%é.wasm"\n')
    [component] = lock_application(manifest).components
    assert component.source.source == "file:///b%20c/sha256:x%231%25%C3%A9.wasm"


def test_files_need_a_place_for_the_copy() -> None:
    """Locking a component with files without a folder for them is a mistake in the call."""
    manifest = parse(HEAD + '[trigger]\n[component.a]\nsource = "a"\nfiles = ["x"]\n')
    with pytest.raises(ValueError, match="assets_dir"):
        lock_application(manifest)


def test_commands_of_a_build_are_always_a_list() -> None:
    """One command and several are the same to whoever runs them."""
    manifest = parse(
        HEAD
        + "[trigger]\n"
        + '[component.a]\nsource = "a"\nbuild = { command = "make" }\n'
        + '[component.b]\nsource = "b"\n[component.b.build]\ncommand = ["x", "y"]\n'
    )
    builds = [component.build for component in manifest.components.values()]
    assert [build and build.command for build in builds] == [("make",), ("x", "y")]  # MAN-42


def test_what_should_not_stay_is_told() -> None:
    """Deprecated keys and patterns that take everything work, with a remark each."""
    manifest = parse(
        HEAD
        + "[trigger]\n"
        + '[component.a]\nsource = "a"\nallowed_http_hosts = ["h"]\nfiles = ["**/*", "./*"]\n'
    )
    assert manifest.components["a"].allowed_outbound_hosts == ("http://h", "https://h")  # MAN-39
    assert list(manifest.warnings) == [
        '/app/spin.toml: component.a.files[0]: "**/*" gives the guest everything in the '
        'application directory. If that is meant, write "./**/*".',  # MAN-65
        "/app/spin.toml: component.a.allowed_http_hosts: Use of the deprecated field "
        "`allowed_http_hosts`. To fix, replace it with `allowed_outbound_hosts = "
        '["http://h", "https://h"]`.',
    ]


def test_the_schema_is_immutable() -> None:
    """A manifest can be shared, because nobody can change it."""
    manifest = parse(HEAD + "[trigger]\n")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        manifest.name = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("table", "listed"),
    [
        ('build = { command = "make", workdir = "w" }', 'build = ["make", "w"]'),
        ('build = { command = ["x", "y"] }', 'build = [["x", "y"]]'),
        ('files = [{ source = "s", destination = "/d" }]', 'files = [["s", "/d"]]'),
        (
            '[component.a.profile.p]\nsource = "p"\nbuild = { command = "x" }',
            'profile.p = ["p", {}, {}, ["x"]]',
        ),
    ],
)
def test_a_list_is_read_as_the_fields_of_a_table(table: str, listed: str) -> None:
    """Where Spin reads a list in place of a table, so does this."""
    start = HEAD + TRIGGER + '[component.a]\nsource = "a.wasm"\n'
    assert parse(start + listed) == parse(start + table)


def test_whole_tables_may_be_lists() -> None:
    """Also the application, a variable, a source and a component, named or in place."""
    manifest = parse(
        'spin_manifest_version = 2\napplication = ["app", "1.0"]\n'
        "[variables]\nv = ['a v', true]\n"
        '[[trigger.http]]\nroute = "/"\ncomponent = ["b.wasm"]\n'
        '[component]\na = [["https://x/a", "sha256:1"], "the a"]\n'
    )
    assert (manifest.name, manifest.version) == ("app", "1.0")
    assert (manifest.variables["v"].description, manifest.variables["v"].default) == ("a v", None)
    assert manifest.components["a"].source == UrlSource("https://x/a", "sha256:1")
    assert manifest.components["a"].description == "the a"
    assert [part.source for part in manifest.components.values()][1] == "b.wasm"


@pytest.mark.parametrize(
    "line",
    [
        "build = [1]",
        "build = []",
        'files = [["s"]]',
        'files = [["s", "/d", "x"]]',
        'source = ["x"]',
        "key_value_stores = { a = 1 }",
        # Spin tells the forms of a dependency apart by their keys, which a list has not.
        "dependencies = []",
        'dependencies."a:b/c" = ["x.wasm", "e", true]',
        'dependencies."a:b/c" = ["1.0", "r", "p:q", "e", true]',
        'dependencies."a:b/c" = [{ path = "x.wasm" }]',
    ],
)
def test_a_list_has_to_fit_its_fields(line: str) -> None:
    """A list with other items than the fields is refused, as a table would be."""
    source = "" if line.startswith("source") else 'source = "a.wasm"\n'
    with pytest.raises(InvalidManifestError):
        parse(f"{HEAD}{TRIGGER}[component.a]\n{source}{line}\n")


@pytest.mark.parametrize("name", ["X:y", "x:Y", "X", "x/y", "x:y:z", "x:", ":y", "1x:y", "x:y/"])
def test_names_of_packages_are_lower_case(name: str) -> None:
    """Both parts of a package's name, in a dependency and in a source (MAN-32, MAN-72)."""
    start = HEAD + TRIGGER + "[component.a]\n"
    dependency = f'source = "a.wasm"\ndependencies."{name}" = "1.0"\n'
    with pytest.raises(InvalidManifestError):
        parse(start + dependency)
    if name != "x:y/":
        with pytest.raises(InvalidManifestError, match="not a name of a package"):
            parse(start + f'source = {{ package = "{name}", version = "1.0.0" }}\n')


def test_values_that_json_has_not_are_locked_as_spin_locks_them() -> None:
    """nan and inf are null; a date is its text in a trigger, and a table in the metadata."""
    manifest = parse(
        HEAD.replace("[application]", "[application]\ntrigger.http = { d = 2026-01-31, f = -inf }")
        + "[[trigger.http]]\nroute = '/'\ncomponent = 'a'\nstatic = [nan, 1.0]\n"
        + "at = { t = 07:32:00.50, z = 1979-05-27 07:32:00Z, o = 1979-05-27T00:32:00-07:00 }\n"
        + "[component.a]\nsource = 'a.wasm'\n"
    )
    value = lock_application(manifest).to_value()
    assert value["metadata"]["triggers"] == {
        "http": {"d": {"$__toml_private_datetime": "2026-01-31"}, "f": None}
    }
    assert value["metadata"]["trigger"]["d"] == {"$__toml_private_datetime": "2026-01-31"}
    [trigger] = value["triggers"]
    assert trigger["trigger_config"]["static"] == [None, 1.0]
    assert trigger["trigger_config"]["at"] == {
        "t": "07:32:00.5",
        "z": "1979-05-27T07:32:00Z",
        "o": "1979-05-27T00:32:00-07:00",
    }
