"""A handler that Rust's own tool chain compiled to a core module, as `cargo build` leaves it."""

import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import edgezero_spin
from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.runtime.engine import Engine
from tests.conformance.serving import serving
from tests.host.support import HostLog

GUEST = Path(__file__).parent / "guests" / "handler.rs"
TOOL = Path(sysconfig.get_path("scripts")) / "wasm-tools"
WIT = Path(edgezero_spin.__file__).parent / "wit"

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "handler"
[[trigger.http]]
route = "/..."
component = "handler"
[component.handler]
source = "handler.wasm"
environment = { MODE = "test" }
files = [{ source = "files", destination = "/" }]
"""


@pytest.fixture(scope="module")
def client(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the handler."""
    folder = tmp_path_factory.mktemp("handler")
    if shutil.which("rustc") is None:
        pytest.skip("there is no Rust tool chain")
    argv = ["rustc", "--edition=2021", "-O", "--crate-type=cdylib", "--target=wasm32-wasip1"]
    built = subprocess.run(
        [*argv, "-o", "built.wasm", GUEST], cwd=folder, capture_output=True, text=True, check=False
    )
    if "may not be installed" in built.stderr or "rustup" in built.stderr:
        pytest.skip("`rustup target add wasm32-wasip1` was not run")
    assert built.returncode == 0, built.stderr
    # wit-bindgen leaves this section by itself.
    embed: list[str | Path] = [TOOL, "component", "embed", "--world", "http-trigger"]
    subprocess.run([*embed, WIT, "built.wasm", "-o", "handler.wasm"], cwd=folder, check=True)
    (folder / "files").mkdir()
    (folder / "files" / "hello.txt").write_text("hello")
    (folder / "spin.toml").write_text(MANIFEST)
    settings = HostSettings(cache_dir=None)
    with (
        Host.from_manifest(folder, engine=engine, settings=settings) as host,
        serving(host) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


# GEN-8
@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/any", 200, "asked for /any"),
        ("/mode", 200, "test"),
        ("/read", 200, "hello"),
        ("/arguments", 200, "[]"),
    ],
)
def test_the_handler_answers(client: httpx.Client, path: str, status: int, body: str) -> None:
    """With what its component is granted."""
    response = client.get(path)
    assert (response.status_code, response.text) == (status, body)


def test_a_panic_is_told_with_the_names_of_its_functions(client: httpx.Client) -> None:
    """As Rust spells them, in the host's log."""
    with HostLog() as log:
        assert client.get("/panic").status_code == 500
        assert log.wait_for(b" - core::result::unwrap_failed")
        assert log.wait_for(b" - wasi:http/incoming-handler@0.2.0#handle")
