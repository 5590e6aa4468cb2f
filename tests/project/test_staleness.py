"""Which change makes a component stale."""

import os
from pathlib import Path

import pytest

from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.staleness import stale_source

MANIFEST = """\
spin_manifest_version = 2
application = {{name = "kit"}}
[[trigger.http]]
route = "/..."
component = "kit"
[component.kit]
source = "app.wasm"
{build}
"""

COMPONENTIZE = '[component.kit.build]\ncommand = "edgezero componentize app:app -o app.wasm"'
WATCHED = f'{COMPONENTIZE}\nwatch = ["src/*.py", "data.json"]'
CARGO = '[component.kit.build]\ncommand = "cargo build"'
WORKDIR = f'{COMPONENTIZE}\nworkdir = "service"'


@pytest.mark.parametrize(
    ("build", "changed", "stale"),
    [
        pytest.param(WATCHED, "src/a.py", True, id="watched"),
        pytest.param(WATCHED, "data.json", True, id="watched, of another kind"),
        pytest.param(WATCHED, "deep/er/data.json", True, id="watched, in a folder below"),
        pytest.param(WATCHED, "other.py", False, id="not watched"),
        pytest.param(COMPONENTIZE, "app.py", True, id="the app"),
        pytest.param(COMPONENTIZE, "package/deep/model.py", True, id="a module of it"),
        pytest.param(COMPONENTIZE, "edgezero.toml", True, id="what is baked in"),
        pytest.param(COMPONENTIZE, "README.md", False, id="no source"),
        pytest.param(COMPONENTIZE, "tests/helpers.py", False, id="beside a test"),
        pytest.param(COMPONENTIZE, "test_app.py", False, id="a test"),
        pytest.param(COMPONENTIZE, "conftest.py", False, id="a conftest"),
        pytest.param(COMPONENTIZE, ".venv/lib/attr.py", False, id="hidden"),
        pytest.param(COMPONENTIZE, "env/lib/attr.py", False, id="an environment"),
        pytest.param(WORKDIR, "service/app.py", True, id="in the build's folder"),
        pytest.param(WORKDIR, "app.py", False, id="outside of it"),
        pytest.param(CARGO, "build.py", False, id="no app of ours"),
        pytest.param("", "app.py", False, id="no build"),
    ],
)
def test_what_makes_a_component_stale(
    tmp_path: Path, build: str, changed: str, stale: bool
) -> None:
    """A source that changed after the build, and nothing else."""  # MAN-42
    (tmp_path / "spin.toml").write_text(MANIFEST.format(build=build))
    for name in ("app.wasm", "env/pyvenv.cfg", "service/main.py", changed):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (10, 10))
    manifest = load_spin_manifest(tmp_path)
    component = manifest.components["kit"]
    assert stale_source(manifest.base_dir, component) is None
    os.utime(tmp_path / changed, (20, 20))
    found = stale_source(manifest.base_dir, component)
    assert found == (tmp_path / changed if stale else None)
