"""A compiled app becomes code, which it shares with all apps of its world, and data."""

import subprocess
import sysconfig
from pathlib import Path

import pytest

from edgezero_spin.wasm.component.linked import CoreExport, LinkedComponent
from edgezero_spin.wasm.component.linking import link
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.core_module import read_core_module
from edgezero_spin.wasm.fuse.fusing import fuse
from tests.component.conftest import Build

TOOL = Path(sysconfig.get_path("scripts")) / "wasm-tools"


@pytest.fixture(scope="module")
def apps(build: Build) -> list[LinkedComponent]:
    """Two apps of one world, linked."""
    guests = build("behaviours"), build("imports")
    return [link(read_component(guest.read_bytes())) for guest in guests]


def test_two_apps_of_a_world_have_the_same_code(apps: list[LinkedComponent]) -> None:
    """Whatever they do, their large code module is the same to the byte."""
    (data, code), (other_data, other_code) = (fuse(each).core_instances for each in apps)
    assert code.module == other_code.module
    assert data.module != other_data.module
    assert len(code.module) > 1_000_000


def test_every_module_is_valid(apps: list[LinkedComponent], tmp_path: Path) -> None:
    """An independent validator takes what the fuser makes, in one module and in two."""
    for split_from in (None, 1):
        for number, core in enumerate(fuse(apps[0], split_from=split_from).core_instances):
            file = tmp_path / f"{split_from}.{number}.wasm"
            file.write_bytes(core.module)
            subprocess.run([TOOL, "validate", file], check=True)


def test_one_module_with_one_table_is_left(apps: list[LinkedComponent]) -> None:
    """The shim and its table are gone: code calls what they called."""
    plain = apps[0].core_instances
    (core,) = fuse(apps[0], split_from=None).core_instances
    # The app ships as one module beside a shim and a fix-up.
    assert len(plain) == 3
    assert sum(len(read_core_module(each.module).tables) for each in plain) > 1
    assert len(read_core_module(core.module).tables) == 1
    sources = [each.source for each in core.imports]
    assert len(set(sources)) == len(sources)
    assert not any(isinstance(source, CoreExport) for source in sources)
