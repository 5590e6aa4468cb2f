"""What the host says it would refuse, without compiling or starting anything."""

from pathlib import Path

import pytest
import wasmtime

from edgezero_spin.host.load.preflight import refusals
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.inspection import inspect_component
from tests.cli.running import edgezero

MANIFEST = """\
spin_manifest_version = 2
application.name = "a"
[[trigger.http]]
route = "/..."
component = "c"
[component.c]
source = "c.wasm"
"""
GOOD = "wasi:http/incoming-handler@0.2.0"


def component(export: str) -> str:
    """A component that exports an empty instance."""
    return (
        f'(component (component $h) (instance $i (instantiate $h)) (export "{export}" '
        "(instance $i)))"
    )


def app(folder: Path, *, manifest: str = MANIFEST, wasm: str = "", runtime: str = "") -> Path:
    """Write an application."""
    (folder / "spin.toml").write_text(manifest)
    (folder / "c.wasm").write_bytes(wasmtime.wat2wasm(wasm or component(GOOD)))
    if runtime:
        (folder / "runtime-config.toml").write_text(runtime)
    return folder / "spin.toml"


def told(path: Path) -> list[str]:
    """All refusals of an application; nothing is written on the way."""
    before = sorted(path.parent.rglob("*"))
    found = list(refusals(load_spin_manifest(path), lambda wasm: inspect_component(wasm).exports))
    assert sorted(path.parent.rglob("*")) == before
    return found


def test_nothing_is_said_of_an_application_in_order(tmp_path: Path) -> None:
    """Neither are files made, nor is anything opened."""
    assert told(app(tmp_path, runtime='state_dir = "state"\n')) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"wasm": "(module)"}, "core wasm module, not a component, and cannot be adapted"),
        ({"wasm": component("wasi:http/handler@0.3.0-rc-2026-01-06")}, "'c': "),
        ({"wasm": "(component)"}, "Expected component to export one of"),
        ({"manifest": MANIFEST + 'files = ["gone.txt"]\n'}, '"gone.txt" does not exist'),
        ({"manifest": MANIFEST.replace('"/..."', "1")}, "route must be a string pattern"),
        ({"manifest": MANIFEST.replace('"/..."', '"/a/:"')}, "Error parsing route"),
        ({"manifest": MANIFEST.replace("trigger.http", "trigger.sqs")}, "No built-in trigger"),
        ({"runtime": "[key_value_store.x]\ntype = 'nope'\n"}, "'nope' was not registered"),
        ({"runtime": "[sqlite_database.x]\ntype = 'nope'\n"}, "Unknown database kind: nope"),
        ({"runtime": "[outbound_http]\nmax = 1\n"}, "unknown field `max`"),
        ({"runtime": "[[variables_provider]]\ntype = 'nope'\n"}, "unknown type 'nope'"),
        ({"runtime": "a = = 1\n"}, "not TOML"),
    ],
)
def test_what_would_be_refused(tmp_path: Path, changes: dict[str, str], expected: str) -> None:
    """Files, routes, triggers, stores, providers, and what a component is."""
    [line] = told(app(tmp_path, **changes))
    assert expected in line


REDIS = """\
spin_manifest_version = 2
application.name = "a"
[application.trigger.redis]
address = "redis://{{ server }}:{{ port }}"
[variables]
server = { required = true }
port = { default = "6379" }
[[trigger.redis]]
channel = "news"
component = "c"
[component.c]
source = "c.wasm"
variables = { where = "{{ server }}" }
"""
VAULT = (
    "[[variables_provider]]\ntype = 'vault'\nurl = 'http://127.0.0.1:9'\ntoken = 't'\nmount = 'm'\n"
)


@pytest.mark.parametrize(
    ("manifest", "dotenv", "runtime", "expected"),
    [
        pytest.param(REDIS, "cache", "", None, id="values that fit"),
        pytest.param(REDIS, "a/b c", "", "application.trigger.redis.address", id="no address"),
        pytest.param(
            REDIS.replace('"news"', '"{{ nope }}"'),
            "cache",
            "",
            "redis trigger channel",
            id="unknown",
        ),
        pytest.param(REDIS, None, "", None, id="a value that is not set is the doctor's finding"),
        pytest.param(REDIS, "a/b c", VAULT, None, id="a value that only another machine has"),
    ],
)
def test_templates_are_filled_in(
    tmp_path: Path, manifest: str, dotenv: str | None, runtime: str, expected: str | None
) -> None:
    """Those of triggers, with the values that are at hand (TRG-3)."""
    wasm = component("fermyon:spin/inbound-redis")
    path = app(tmp_path, manifest=manifest, wasm=wasm, runtime=runtime)
    if dotenv is not None:
        (tmp_path / ".env").write_text(f"SPIN_VARIABLE_SERVER={dotenv!r}\n")
    lines = told(path)
    assert len(lines) == (expected is not None), lines
    assert (expected or "") in "".join(lines)


def test_a_command_may_be_a_core_module(tmp_path: Path) -> None:
    """The executor for Wagi runs those."""
    manifest = MANIFEST.replace("component =", 'executor.type = "wagi"\ncomponent =')
    assert told(app(tmp_path, manifest=manifest, wasm="(module)")) == []


def test_doctor_tells_of_it(tmp_path: Path) -> None:
    """``edgezero doctor`` asks the host about the project."""
    app(tmp_path, wasm="(module)")
    done = edgezero("doctor", "--from", str(tmp_path))
    assert done.returncode == 1
    assert "`edgezero up` would not start: " in done.stdout
    assert "core wasm module" in done.stdout
