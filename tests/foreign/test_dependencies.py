"""One Python component that uses another, both as componentize-py makes them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.runtime.engine import Engine
from tests.conformance.building import build_guest
from tests.conformance.serving import serving

GUESTS = Path(__file__).parent / "guests" / "dependency"

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "words"
[[trigger.http]]
route = "/..."
component = "user"
[component.user]
source = "user.wasm"
environment = { MODE = "test" }
[component.user.dependencies]
"acme:words" = { path = "provider.wasm", inherit_configuration = INHERIT }
"""


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both."""
    folder = tmp_path_factory.mktemp("words")
    for name in ("provider", "user"):
        (folder / name).mkdir()
        output = folder / name / "app.wasm"
        build_guest(GUESTS / name, GUESTS / "wit", f"acme:words/{name}@1.2.0", output)
        output.rename(folder / f"{name}.wasm")
    return folder


@pytest.fixture(scope="module", params=["false", "true"])
def client(
    request: pytest.FixtureRequest, components: Path, engine: Engine
) -> Iterator[httpx.Client]:
    """A client of the application, whose dependency inherits nothing, or everything."""
    (components / "spin.toml").write_text(MANIFEST.replace("INHERIT", request.param))
    settings = HostSettings(cache_dir=components / "cache")
    with (
        Host.from_manifest(components, engine=engine, settings=settings) as host,
        serving(host) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


# MAN-71, MAN-72, MAN-75
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/bread", {"word": "bread", "meanings": ["food", "money"], "length": 5}),
        ("/gr%C3%BC%C3%9Fe", {"word": "grüße", "meanings": ["regards"], "length": 5}),
        ("/wine", {"unknown": "wine"}),
        ("/read", [["bread", "brew", "brew"], True]),
    ],
)
def test_one_component_answers_with_the_other(
    client: httpx.Client, path: str, expected: object
) -> None:
    """Records, variants, options and resources cross; each request begins anew."""
    for _ in range(2):
        assert client.get(path).json() == expected


def test_the_environment_is_inherited_or_not(
    client: httpx.Client, request: pytest.FixtureRequest
) -> None:
    """As the manifest says."""
    inherited = "[true" in request.node.name
    assert client.get("/environment").json() == ([["MODE", "test"]] if inherited else [])
