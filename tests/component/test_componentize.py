"""What ``componentize_app`` makes of projects as people have them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgezero_spin.host.host import Host
from edgezero_spin.host.http.messages import HttpRequest
from edgezero_spin.host.settings import HostSettings
from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.errors import AppImportError
from edgezero_spin.wasm.component.definitions import CoreModule
from edgezero_spin.wasm.component.reader import read_component
from tests.component.conftest import Build
from tests.component.servers import manifest

APP = """\
from pathlib import Path

from edgezero_spin import App

from service.words import GREETING

app = App(secrets=["default"])
DATA = Path(__file__).with_name("data.txt").read_text()


@app.get("/")
async def hello() -> str:
    return GREETING + DATA
"""

KIT = 'wit_directory = "wit"\n'
KIT_WORLD = "package some:{name}@0.1.0;\nworld {name} {{}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package with a data file, beside an environment that holds other kits with WIT."""
    package = tmp_path / "service"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "words.py").write_text('GREETING = "hello "\n')
    (package / "data.txt").write_text("from a file\n")
    (package / "app.py").write_text(APP)
    for name in ("one", "two", "three"):
        kit = tmp_path / ".venv" / "lib" / "site-packages" / name
        (kit / "wit").mkdir(parents=True)
        (kit / "componentize-py.toml").write_text(KIT)
        (kit / "wit" / "world.wit").write_text(KIT_WORLD.format(name=name))
    return tmp_path


def test_a_package_without_a_handler_line_is_compiled(project: Path) -> None:
    """`package.module:app` needs no run_app line; kits in the project's environment and files
    read at import do no harm."""
    built = componentize_app("service.app:app", output=Path("out.wasm"), folder=project)
    assert built.path == project / "out.wasm"
    assert built.world == "http-trigger + variables"
    assert built.size_bytes == built.path.stat().st_size > 10_000_000
    assert sorted(path.name for path in project.iterdir()) == [".venv", "out.wasm", "service"]
    # One of its own, beside the two that put the host's functions behind a table.
    assert len(_core_modules(built.path.read_bytes())) == 3

    async def ask() -> str:
        with Host.from_manifest(manifest(built.path, project)) as host:
            return await (await host.handle(HttpRequest("GET", "/"))).text()

    assert asyncio.run(ask()) == "hello from a file\n"


def _core_modules(component: bytes) -> list[bytes]:
    """The core modules of a component, without those of components in it."""
    found = read_component(component).definitions
    return [each.data for each in found if isinstance(each, CoreModule)]


def test_an_import_that_fails_only_inside_shows_the_apps_own_lines(project: Path) -> None:
    """The traceback names the project's file, and the component of before stays."""
    words = project / "service" / "words.py"
    words.write_text('import sys\n\nGREETING = {"linux": "hello "}[sys.platform]\n')
    output = project / "out.wasm"
    output.write_bytes(b"the component of before")

    with pytest.raises(AppImportError) as raised:
        componentize_app("service.app:app", output=output, folder=project)

    assert f'File "{words}", line 3' in raised.value.traceback
    assert "KeyError: 'wasi'" in raised.value.traceback
    assert "inside the component" in raised.value.reason
    assert output.read_bytes() == b"the component of before"
    assert not list(project.glob(".out.wasm.*"))


def test_a_guest_that_streams_does_not_keep_what_it_sent(build: Build, tmp_path: Path) -> None:
    """Four times its memory passes through, each piece by way of the handler."""
    component = build("behaviours")
    limit = 32 * 1024 * 1024
    piece = bytes(range(256)) * 256
    count = 4 * limit // len(piece)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield piece

    async def run() -> int:
        settings = HostSettings(max_instance_memory=limit)
        with Host.from_manifest(manifest(component, tmp_path), settings=settings) as host:
            response = await host.handle(HttpRequest("POST", "/copy", body=pieces()))
            assert response.status == 200
            received = 0
            async for part in response.iter_bytes():
                received += len(part)
            return received

    assert asyncio.run(run()) == 4 * limit
