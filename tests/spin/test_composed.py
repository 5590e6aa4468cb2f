"""What ``edgezero registry push`` composes, on both hosts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from edgezero_spin.host.registry.cache import ContentCache
from edgezero_spin.host.registry.images import push_manifest
from tests.host.load.dependency_texts import CURIOUS_THING, THING, asking_script
from tests.host.registry.oci_server import client_environment, digest_of, running_registry
from tests.spin.applications import probe_manifest
from tests.spin.conftest import Both, Serve

MANIFEST = """\
spin_manifest_version = 2
application = {{ name = "shop" }}
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "hello.wasm"
[component.hello.dependencies]
"example:nowhere/thing" = {{ path = "thing.wasm", inherit_configuration = {inherit} }}
"""


@pytest.fixture(scope="module", params=["plain", "refused", "inherited"])
def composed(
    request: pytest.FixtureRequest, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Both]]:
    """The script guest with a dependency, composed by a push; how, and both hosts."""
    folder = tmp_path_factory.mktemp("composed")
    thing = THING if request.param == "plain" else CURIOUS_THING
    (folder / "hello.wasm").write_bytes(wat2wasm(asking_script()))
    (folder / "thing.wasm").write_bytes(wat2wasm(thing))
    inherit = "true" if request.param == "inherited" else "false"
    (folder / "spin.toml").write_text(MANIFEST.format(inherit=inherit))
    with pytest.MonkeyPatch.context() as patch, running_registry() as registry:
        for name, value in client_environment(folder).items():
            patch.setenv(name, value)
        image = f"{registry.host}/acme/shop:1.0"
        push_manifest(folder / "spin.toml", image, ContentCache(folder / "c"), insecure=True)
        (wasm,) = [data for data in registry.blobs.values() if data.startswith(b"\0asm")]
        assert digest_of(wasm) in registry.uploaded
    path = Path(folder / "composed.wasm")
    path.write_bytes(wasm)
    with serve(probe_manifest(folder, path)) as programs:
        yield request.param, programs


@pytest.mark.parametrize("letter", ["h", "i", "h"])
def test_a_composed_component_answers_alike(composed: tuple[str, Both], letter: str) -> None:
    """`/i` asks the dependency; it traps where it needs what it does not inherit."""  # V-91
    how, both = composed
    statuses = [answer.status for answer in both.ask(f"/{letter}")]
    assert statuses == [500 if (how, letter) == ("refused", "i") else 200] * 2
