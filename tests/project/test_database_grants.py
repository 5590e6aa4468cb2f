"""What a built component may not use although it imports it."""

from pathlib import Path

import pytest
import wasmtime

from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.database_grants import missing_grants
from edgezero_spin.project.inspection import inspect_component

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "app"
[[trigger.http]]
route = "/..."
component = "app"
[component.app]
source = "app.wasm"
"""
HANDLER = "wasi:http/incoming-handler@0.2.0"


def found(folder: Path, grants: str, *imports: str) -> list[str]:
    """Return what is missing, in one line each."""
    named = " ".join(f'(import "{name}" (instance))' for name in imports)
    text = f'(component {named} (instance $i) (export "{HANDLER}" (instance $i)))'
    (folder / "app.wasm").write_bytes(wasmtime.wat2wasm(text))
    (folder / "spin.toml").write_text(MANIFEST + grants)
    component = load_spin_manifest(folder / "spin.toml").components["app"]
    inspected = inspect_component(folder / "app.wasm")
    return [f"{what}; {remedy}" for what, remedy in missing_grants("app", component, inspected)]


@pytest.mark.parametrize(
    ("imports", "needed", "remedy"),
    [
        (
            ["fermyon:spin/sqlite@2.0.0"],
            'sqlite_databases = ["default"]',
            'Add sqlite_databases = ["default"] to [component.app].',
        ),
        (
            ["fermyon:spin/redis@2.0.0"],
            'allowed_outbound_hosts = ["redis://cache:6379"]',
            'Add "redis://HOST:6379" to allowed_outbound_hosts of [component.app].',
        ),
        (
            ["spin:postgres/postgres@4.0.0"],
            'allowed_outbound_hosts = ["*://db:5432"]',
            'Add "postgres://HOST:5432" to allowed_outbound_hosts of [component.app].',
        ),
        (
            ["fermyon:spin/mysql@2.0.0", "fermyon:spin/rdbms-types@2.0.0"],
            'allowed_outbound_hosts = ["mysql://{{ host }}"]\nvariables = { x = "1" }',
            'Add "mysql://HOST:3306" to allowed_outbound_hosts of [component.app].',
        ),
    ],
)
def test_a_database_that_nothing_grants_is_told(
    tmp_path: Path, imports: list[str], needed: str, remedy: str
) -> None:
    """With what to write; once it is there, nothing is missing."""
    (line,) = found(tmp_path, "", *imports)
    assert line.endswith(remedy)
    (other,) = found(tmp_path, 'allowed_outbound_hosts = ["https://example.com"]', *imports)
    assert other == line
    if "{{" not in needed:
        assert found(tmp_path, needed, *imports) == []


def test_components_of_other_kits_are_not_judged(tmp_path: Path) -> None:
    """They import more than they use."""
    assert found(tmp_path, "", "fermyon:spin/sqlite@2.0.0", "fermyon:spin/llm@2.0.0") == []
