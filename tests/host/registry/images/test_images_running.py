"""Applications that run from a registry: their files, their state, what is told of them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.runtime.engine import Engine
from tests.host.registry.images.images import (
    APPLICATION,
    WASM,
    locked,
    push,
    push_layers,
)
from tests.host.registry.images.pulled import FILES, GUEST
from tests.host.registry.oci_server import Registry, digest_of


def options(tmp_path: Path, engine: Engine) -> dict[str, Any]:
    """How a host is started here."""
    return {
        "insecure": True,
        "engine": engine,
        "settings": HostSettings(cache_dir=None),
        "downloads_dir": tmp_path / "cache",
        "work_dir": tmp_path / "work",
    }


def answer_of(host: Host, target: str) -> str:
    """What the application says."""

    async def ask() -> str:
        return await (await host.handle(HttpRequest(target=target))).text()

    return asyncio.run(ask())


@pytest.mark.parametrize("archived", [False, True])
def test_an_application_from_a_registry_answers(
    registry: Registry, shared_engine: Engine, tmp_path: Path, archived: bool
) -> None:
    """Its files are where the contract has them, its origin and digest are known."""
    digest = push(registry, GUEST, FILES, archived=archived)
    reference = f"{registry.host}/acme/shop:1.0"
    with Host.from_registry(reference, **options(tmp_path, shared_engine)) as host:
        assert answer_of(host, "/h") == "hello"
        told = json.loads(answer_of(host, "/.well-known/spin/info"))
        # OCI-52, LOCK-15
        assert host.image_digest == told["oci_image_digest"] == digest
        assert host.notices == (f"Loaded {reference} with digest {digest}",)
    found = {
        path.relative_to(tmp_path / "work/assets/hello").as_posix(): path.read_bytes()
        for path in (tmp_path / "work/assets/hello").rglob("*")
        if path.is_file()
    }
    assert found == FILES  # OCI-43
    lock = json.loads((tmp_path / "work/spin.lock").read_text())
    assert lock["metadata"]["origin"] == f"vnd.fermyon.origin-oci:{reference}"  # OCI-30
    [component] = lock["components"]
    # OCI-44
    assert component["source"]["source"].startswith((tmp_path / "cache/wasm").as_uri())
    assert component["files"] == [
        {"source": (tmp_path / "work/assets/hello").as_uri(), "path": "/"}
    ]


def test_an_application_from_a_registry_keeps_no_state(
    registry: Registry, shared_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither beside itself nor in the current folder (STATE-1, OCI-44)."""
    monkeypatch.chdir(tmp_path)
    metadata = {"key_value_stores": ["default"]}
    push(registry, GUEST, metadata=metadata)
    reference = f"{registry.host}/acme/shop:1.0"
    with Host.from_registry(reference, **options(tmp_path, shared_engine)) as host:
        assert not any("Storing" in notice for notice in host.notices)
    assert not list(tmp_path.rglob("*.db"))
    assert not (tmp_path / ".spin").exists()


def test_the_cache_is_spins(registry: Registry, shared_engine: Engine, tmp_path: Path) -> None:
    """What `spin registry pull` fetched is not fetched again (OCI-40)."""
    push(registry, GUEST)
    given = options(tmp_path, shared_engine)
    del given["downloads_dir"]
    with Host.from_registry(f"{registry.host}/acme/shop:1.0", **given):
        pass
    assert (tmp_path / "user-cache/spin/registry/wasm" / digest_of(GUEST)).is_file()


def test_a_lock_that_lies_about_its_origin(
    registry: Registry, shared_engine: Engine, tmp_path: Path
) -> None:
    """What is told is what was asked, and no folder of this machine becomes its home (OCI-30)."""
    lock = locked(GUEST)
    lock["metadata"] |= {
        "origin": (tmp_path / "spin.toml").as_uri(),
        "oci_image_digest": "sha256:0",
    }
    layers = [
        registry.add_blob(GUEST, WASM),
        registry.add_blob(json.dumps(lock).encode(), APPLICATION),
    ]
    digest = push_layers(registry, layers)
    reference = f"{registry.host}/acme/shop:1.0"
    with Host.from_registry(reference, **options(tmp_path, shared_engine)) as host:
        assert host.image_digest == digest
        assert not any("logs" in notice for notice in host.notices)
    metadata = json.loads((tmp_path / "work/spin.lock").read_text())["metadata"]
    assert metadata["origin"] == f"vnd.fermyon.origin-oci:{reference}"
