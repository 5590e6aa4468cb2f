"""A handler that the tool chains of Rust and Go compiled to a core module, as they leave it."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import edgezero_spin
from benchmarks.peers import PeerMissingError
from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.project.inspection import inspect_component
from tests.conformance.serving import serving
from tests.foreign.building import build_rust
from tests.foreign.conftest import Load
from tests.host.support import HostLog

GUESTS = Path(__file__).parent / "guests"
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


@pytest.fixture(scope="module", params=["rust", "go"])
def language(request: pytest.FixtureRequest) -> str:
    """Of the handler."""
    return str(request.param)


def _build(language: str, folder: Path) -> None:
    """Write ``built.wasm``; skip where there is no tool chain."""
    if language == "go":
        argv: list[str | Path] = ["go", "build", "-buildmode=c-shared"]
        argv += ["-o", "built.wasm", GUESTS / "handler.go"]
        target = {"GOOS": "wasip1", "GOARCH": "wasm", "GO111MODULE": "off"}
    else:
        argv = ["rustc", "--edition=2021", "-O", "--crate-type=cdylib", "--target=wasm32-wasip1"]
        argv += ["-o", "built.wasm", GUESTS / "handler.rs"]
        target = {}
    if shutil.which(str(argv[0])) is None:
        pytest.skip(f"there is no {argv[0]}")
    built = subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, **target},
        capture_output=True,
        text=True,
        check=False,
    )
    if "may not be installed" in built.stderr or "rustup" in built.stderr:
        pytest.skip("`rustup target add wasm32-wasip1` was not run")
    assert built.returncode == 0, built.stderr


@pytest.fixture(scope="module")
def client(
    language: str, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of the handler."""
    folder = tmp_path_factory.mktemp("handler")
    _build(language, folder)
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


def test_goroutines_wait_for_each_other(client: httpx.Client, language: str) -> None:
    """The scheduler of Go's runtime sleeps, and wakes them."""
    if language != "go":
        pytest.skip("are of Go")
    assert client.get("/gather").text == "3"


FRAMES = {
    "rust": (b" - core::result::unwrap_failed", b" - wasi:http/incoming-handler@0.2.0#handle"),
    "go": (b" - main.answer", b" - wasi_http_incoming_handler_0.2.0_handle"),
}


def test_a_panic_is_told_with_the_names_of_its_functions(
    client: httpx.Client, language: str
) -> None:
    """As the language spells them, in the host's log; the next request is answered."""
    with HostLog() as log:
        assert client.get("/panic").status_code == 500
        assert all(log.wait_for(frame) for frame in FRAMES[language])
    assert client.get("/any").status_code == 200


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("crate", "handler"),
    [
        ("rust_wasi", "wasi:http/incoming-handler@0.2."),
        ("rust_wasip3", "wasi:http/handler@0.3."),
    ],
)
def test_crates_of_wasi_alone(crate: str, handler: str, load: Load, tmp_path: Path) -> None:
    """Their WASI is a later patch than the host's."""
    try:
        component = build_rust(GUESTS / crate, tmp_path)
    except PeerMissingError as error:
        pytest.skip(str(error))
    [export] = inspect_component(component).exports
    assert export.startswith(handler)
    with load(component) as host, serving(host) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/a?b=1", timeout=60)
    assert (answer.status_code, answer.text) == (200, "asked for /a?b=1")
