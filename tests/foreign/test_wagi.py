"""A real program as a Wagi command: the tool chains of Go and Rust, no SDK, both kinds of wasm."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.runtime.engine import Engine
from tests.conformance.serving import serving

GUESTS = Path(__file__).parent / "guests"

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "command"
[[trigger.http]]
route = "/..."
executor = { type = "wagi" }
component = "command"
[component.command]
source = "command.wasm"
environment = { MODE = "test" }
files = [{ source = "files", destination = "/" }]
"""


def build(target: str, folder: Path) -> None:
    """Build the program for a target of Rust, or by Go; skip where there is no tool chain."""
    if target == "go":
        if shutil.which("go") is None:
            pytest.skip("there is no Go tool chain")
        subprocess.run(
            ["go", "build", "-o", folder / "command.wasm", GUESTS / "command.go"],
            cwd=folder,
            env={**os.environ, "GOOS": "wasip1", "GOARCH": "wasm", "GO111MODULE": "off"},
            check=True,
        )
        return
    if shutil.which("rustc") is None:
        pytest.skip("there is no Rust tool chain")
    built = subprocess.run(
        ["rustc", "--edition=2021", "-O", "--target", target, GUESTS / "command.rs"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if "may not be installed" in built.stderr or "rustup" in built.stderr:
        pytest.skip(f"`rustup target add {target}` was not run")
    assert built.returncode == 0, built.stderr


@pytest.fixture(scope="module", params=["go", "wasm32-wasip1", "wasm32-wasip2"])
def client(
    request: pytest.FixtureRequest, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of the program, compiled as a core module and as a component."""
    folder = tmp_path_factory.mktemp("command")
    build(request.param, folder)
    (folder / "files").mkdir()
    (folder / "files" / "hello.txt").write_text("hello")
    (folder / "spin.toml").write_text(MANIFEST)
    settings = HostSettings(cache_dir=None, request_timeout_s=1)
    with (
        Host.from_manifest(folder, engine=engine, settings=settings) as host,
        serving(host) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


# CONF-48, WAGI-2 to WAGI-6, ENV-1, ENV-12, ENV-14
@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/arguments?x=y", 200, '["/arguments", "x=y"]'),
        ("/header", 200, "sent"),
        ("/mode", 200, "test"),
        ("/home", 200, "Err(NotPresent)"),
        ("/read", 200, "hello"),
        ("/write", 200, "PermissionDenied"),
        ("/escape", 200, "PermissionDenied or NotFound"),
        ("/nap", 200, "true"),
        ("/teapot", 418, "short"),
        ("/fail", 500, ""),
        ("/panic", 500, ""),
        ("/sleep", 500, ""),
    ],
)
def test_the_program_answers(client: httpx.Client, path: str, status: int, body: str) -> None:
    """As it would below any CGI server."""
    response = client.get(path, headers={"X-Custom-Foo": "sent"})
    assert response.status_code == status
    assert response.text in body.split(" or ")


def test_the_program_reads_its_body(client: httpx.Client) -> None:
    """All of it, and gives it back (WAGI-3)."""
    body = bytes(range(256)) * 4096
    assert client.post("/echo", content=body).content == body
