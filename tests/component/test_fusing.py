"""A compiled app becomes code that an edit of the app does not change, and data."""

import subprocess
import sysconfig
from pathlib import Path

import pytest

from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.wasm.component.linked import CoreExport, LinkedComponent
from edgezero_spin.wasm.component.linking import link
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.core_module import read_core_module
from edgezero_spin.wasm.fuse.fusing import fuse

TOOL = Path(sysconfig.get_path("scripts")) / "wasm-tools"

APP = """
from edgezero_spin import App, run_app

app = App("greeter")


@app.get("/")
def greet() -> str:
    return "{greeting}"


IncomingHandler = run_app(app)
"""


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[LinkedComponent]:
    """Two versions of an app, linked."""
    found = []
    for greeting in ("Hello", "A far longer greeting, for people who like them"):
        folder = tmp_path_factory.mktemp("app")
        (folder / "app.py").write_text(APP.format(greeting=greeting))
        output = folder / "app.wasm"
        componentize_app("app", output=output, folder=folder)
        found.append(link(read_component(output.read_bytes())))
    return found


def test_an_edit_leaves_the_code_as_it_was(versions: list[LinkedComponent]) -> None:
    """The large code module of both versions is the same to the byte."""
    (data, code), (other_data, other_code) = (fuse(each).core_instances for each in versions)
    assert code.module == other_code.module
    assert data.module != other_data.module
    assert len(code.module) > 1_000_000


def test_every_module_is_valid(versions: list[LinkedComponent], tmp_path: Path) -> None:
    """An independent validator takes what the fuser makes, in one module and in two."""
    for split_from in (None, 1):
        for number, core in enumerate(fuse(versions[0], split_from=split_from).core_instances):
            file = tmp_path / f"{split_from}.{number}.wasm"
            file.write_bytes(core.module)
            subprocess.run([TOOL, "validate", file], check=True)


def test_one_module_with_one_table_is_left(versions: list[LinkedComponent]) -> None:
    """The shim and its table are gone: code calls what they called."""
    plain = versions[0].core_instances
    (core,) = fuse(versions[0], split_from=None).core_instances
    # The app ships as one module beside a shim and a fix-up.
    assert len(plain) == 3
    assert sum(len(read_core_module(each.module).tables) for each in plain) > 1
    assert len(read_core_module(core.module).tables) == 1
    sources = [each.source for each in core.imports]
    assert len(set(sources)) == len(sources)
    assert not any(isinstance(source, CoreExport) for source in sources)
