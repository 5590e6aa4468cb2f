"""The wheel alone is enough for plain componentize-py, also beside spin-sdk.

A virtual environment as a user has it: our wheel and componentize-py, nothing editable.
"""

import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime
from wasmtime.component import Component

from edgezero_spin.testing import ComponentClient
from tests.component.conftest import GUESTS

ROOT = Path(__file__).parents[2]
WORLD = "edgezero:spin/http-trigger-stores@0.1.0"


class Environment:
    """A virtual environment in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=True)

    def install(self, *what: str) -> None:
        """Install with the environment's own pip."""
        pip = [str(self.folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *what], check=True)

    def componentize(
        self, app: Path, output: Path, world: str = WORLD
    ) -> "subprocess.CompletedProcess[str]":
        """Run componentize-py as a user would, in the folder of the app."""
        tool = str(self.folder / "bin" / "componentize-py")
        return subprocess.run(
            [tool, "-w", world, "componentize", "app", "-o", str(output)],
            cwd=app,
            env={**os.environ, "VIRTUAL_ENV": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Our wheel and componentize-py, freshly installed."""
    folder = tmp_path_factory.mktemp("plain")
    wheel_folder = folder / "wheel"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(wheel_folder), str(ROOT)], check=True)
    (wheel,) = wheel_folder.glob("edgezero_spin-*.whl")
    made = Environment(folder / "venv")
    made.install(str(wheel), "componentize-py>=0.25.1,<0.26")
    yield made


def imports_of(component: Path) -> set[str]:
    """What a component imports, without versions."""
    engine = wasmtime.Engine()
    loaded = Component.from_file(engine, str(component))
    return {name.partition("@")[0] for name in loaded.type.imports(engine)}


def test_the_world_is_found_without_naming_a_wit_folder(
    environment: Environment, tmp_path: Path
) -> None:
    """Plain componentize-py compiles the app, and the component imports that world only."""
    done = environment.componentize(GUESTS / "behaviours", tmp_path / "app.wasm")
    assert done.returncode == 0, done.stderr
    found = imports_of(tmp_path / "app.wasm")
    assert {"fermyon:spin/key-value", "fermyon:spin/variables", "wasi:http/types"} <= found
    assert "wasi:http/outgoing-handler" not in found


def test_spin_sdk_in_the_same_environment_changes_nothing(
    environment: Environment, tmp_path: Path
) -> None:
    """With spin-sdk 5.0.0 installed the same command works and grants nothing more."""
    environment.install("spin-sdk==5.0.0")
    done = environment.componentize(GUESTS / "behaviours", tmp_path / "app.wasm")
    assert done.returncode == 0, done.stderr
    found = imports_of(tmp_path / "app.wasm")
    spin = {name for name in found if not name.startswith("wasi:")}
    assert spin == {"fermyon:spin/key-value", "fermyon:spin/variables"}
    assert "wasi:http/outgoing-handler" not in found


LATE = """\
from datetime import datetime

from edgezero_spin import App
from edgezero_spin.guest import run_app

app = App()


@app.get("/")
async def day() -> str:
    return str(datetime.strptime("30 Nov 2026", "%d %b %Y").date()) + b"\\xe9".decode("cp1252")


IncomingHandler = run_app(app)
"""


@pytest.mark.parametrize("world", ["http-trigger", "http-service"])
def test_the_standard_library_is_there_later(
    environment: Environment, tmp_path: Path, world: str
) -> None:
    """``run_app`` alone carries it, for both WASI, without the command of ours."""
    (tmp_path / "app.py").write_text(LATE)
    done = environment.componentize(tmp_path, tmp_path / "app.wasm", f"edgezero:spin/{world}@0.1.0")
    assert done.returncode == 0, done.stderr
    with ComponentClient(tmp_path / "app.wasm") as client:
        assert client.get("/").text == "2026-11-30é"


def test_packages_agree_on_the_names_of_exports(environment: Environment) -> None:
    """Where two packages name one interface, componentize-py takes the name of either."""
    environment.install("spin-sdk==5.0.0")
    names: dict[str, set[str]] = {}
    for settings in environment.folder.glob("lib/python*/site-packages/*/componentize-py.toml"):
        found = tomllib.loads(settings.read_text(encoding="utf-8"))
        for interface, name in found["export_interface_names"].items():
            names.setdefault(interface, set()).add(name)
    assert names["wasi:http/handler@0.3.0"] == {"http-handler"}
    assert all(len(each) == 1 for each in names.values())
