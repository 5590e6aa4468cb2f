"""Applications pushed to a registry on this machine, looked at as a registry keeps them."""

import asyncio
import base64
import gzip
import io
import json
import logging
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.registry.cache import ContentCache
from edgezero_spin.host.registry.images import (
    ImageError,
    PushedImage,
    pull_image,
    push_manifest,
    pushing,
)
from edgezero_spin.host.registry.images.layers import INLINE_BYTES
from edgezero_spin.host.runtime.engine import Engine
from tests.host.load.dependency_texts import THING, asking_script
from tests.host.registry.images.images import APPLICATION, ARCHIVE, CONFIG, DATA, WASM
from tests.host.registry.oci_server import IMAGE_MANIFEST, Registry, digest_of, running_registry

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "shop"
version = "1.2.3"
description = "Sells things"
authors = ["A <a@x>", "B"]
[variables]
token = { required = true, secret = true }
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "hello.wasm"
files = [{ source = "static", destination = "/" }]
variables = { token = "{{ token }}" }
[component.hello.build]
command = "true"
"""
HELLO = b"\0asm\x0d\0\x01\0" + b"hello" * 100
LARGE = b"<h1>page</h1>" * 40
FILES = {
    "index.html": LARGE,
    "copy.html": LARGE,
    "deep/er/data": LARGE * 2,
    "edge": b"x" * INLINE_BYTES,
    "past": b"x" * (INLINE_BYTES + 1),
    "empty": b"",
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The manifest of an application with files."""
    folder = tmp_path / "app"
    for path, content in FILES.items():
        (folder / "static" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "static" / path).write_bytes(content)
    (folder / "hello.wasm").write_bytes(HELLO)
    (folder / "spin.toml").write_text(MANIFEST)
    return folder / "spin.toml"


def pushed(registry: Registry, app: Path, tag: str = ":1.0", **more: Any) -> PushedImage:
    """Push it."""
    cache = ContentCache(app.parent.parent / "cache")
    return push_manifest(app, f"{registry.host}/acme/shop{tag}", cache, insecure=True, **more)


def image_of(registry: Registry, tag: str = "1.0") -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the locked application that the registry has."""
    manifest = json.loads(registry.manifests["acme/shop", tag])
    return manifest, json.loads(registry.blobs[manifest["layers"][-1]["digest"]])


def types_of(manifest: dict[str, Any]) -> list[str]:
    """Media types of its layers."""
    return [layer["mediaType"] for layer in manifest["layers"]]


def test_an_application_is_pushed(registry: Registry, app: Path) -> None:
    """Layers, configuration and manifest are as Spin makes them."""
    image = pushed(registry, app)
    manifest, lock = image_of(registry)
    assert image == PushedImage(
        digest=digest_of(registry.manifests["acme/shop", "1.0"]), confirmed=True
    )
    # OCI-18
    assert registry.media_types["acme/shop", "1.0"] == manifest["mediaType"] == IMAGE_MANIFEST
    assert manifest["schemaVersion"] == 2
    # OCI-1 to OCI-3, OCI-13: two files are the same.
    assert types_of(manifest) == [WASM, DATA, DATA, DATA, APPLICATION]
    assert manifest["layers"][0]["digest"] == digest_of(HELLO)
    assert {layer["digest"] for layer in manifest["layers"][1:4]} == {
        digest_of(content) for content in FILES.values() if len(content) > INLINE_BYTES
    }
    # OCI-5
    assert manifest["config"]["mediaType"] == CONFIG
    config = json.loads(registry.blobs[manifest["config"]["digest"]])
    assert (config["architecture"], config["os"]) == ("wasm", "Wasip1")
    label = config["config"]["Labels"]["com.fermyon.spin.lockedAppDigest"]
    assert label == manifest["layers"][-1]["digest"]
    [component] = lock["components"]
    assert component["source"] == {
        "content_type": "application/wasm",
        "digest": digest_of(HELLO),
    }
    # OCI-10, OCI-11
    files = {item["path"]: item for item in component["files"]}
    assert list(files) == sorted(FILES)
    for path, content in FILES.items():
        assert files[path]["digest"] == digest_of(content)
        inline = files[path].get("inline")
        assert (inline is not None) == (len(content) <= INLINE_BYTES)
        if inline is not None:
            assert base64.b64decode(inline + "=" * (-len(inline) % 4)) == content
            assert "=" not in inline


def test_nothing_of_this_machine_is_pushed(registry: Registry, app: Path) -> None:
    """No URL, no path and no value (OCI-14)."""
    pushed(registry, app)
    manifest, lock = image_of(registry)
    assert "origin" not in lock["metadata"]
    text = json.dumps(lock) + json.dumps(manifest)
    assert "file://" not in text
    assert str(app.parent.parent) not in text
    assert lock["variables"] == {"token": {"secret": True}}


def test_what_was_pushed_can_be_pulled(registry: Registry, app: Path, tmp_path: Path) -> None:
    """With each file as it was."""
    image = pushed(registry, app)
    cache = ContentCache(tmp_path / "other")
    found = pull_image(f"{registry.host}/acme/shop@{image.digest}", cache, insecure=True)
    [component] = found.app.components
    for item in component.files:
        assert item.content.digest is not None
        kept = cache.kept(item.content.digest)
        content = item.content.inline if kept is None else kept.read_bytes()
        assert content == FILES[item.path]


def test_annotations(registry: Registry, app: Path) -> None:
    """What the manifest says, and over it what was typed (OCI-16)."""
    before = datetime.now(UTC)
    title = "org.opencontainers.image.title"
    pushed(registry, app, annotations={title: "Mine", "x": "y=z"})
    found = image_of(registry)[0]["annotations"]
    created = datetime.fromisoformat(found.pop("org.opencontainers.image.created"))
    assert before <= created <= datetime.now(UTC)
    assert found == {
        title: "Mine",
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.description": "Sells things",
        "org.opencontainers.image.authors": "A <a@x>, B",
        "x": "y=z",
    }


def test_what_is_there_is_not_sent_again(registry: Registry, app: Path) -> None:
    """Only what changed, and what names it."""
    pushed(registry, app)
    registry.uploaded.clear()
    (app.parent / "static" / "past").write_bytes(LARGE * 3)
    pushed(registry, app, ":1.1")
    manifest, _ = image_of(registry, "1.1")
    assert sorted(registry.uploaded) == sorted(
        [digest_of(LARGE * 3), manifest["layers"][-1]["digest"], manifest["config"]["digest"]]
    )


@pytest.mark.parametrize("wanted", [True, False])
def test_files_become_an_archive(
    registry: Registry, app: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: bool
) -> None:
    """Where that is wanted, or there are more layers than registries take (OCI-12)."""
    if wanted:
        monkeypatch.setenv("SPIN_OCI_ARCHIVE_LAYERS", "")
    else:
        monkeypatch.setattr(pushing, "MAX_FILE_LAYERS", 3)
    pushed(registry, app)
    manifest, lock = image_of(registry)
    assert types_of(manifest) == [WASM, ARCHIVE, APPLICATION]
    packed = registry.blobs[manifest["layers"][1]["digest"]]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
        assert {member.name: member.size for member in archive} == {
            f"./{path}": len(content) for path, content in FILES.items()
        }
    assert {item["path"] for item in lock["components"][0]["files"]} == set(FILES)
    cache = ContentCache(tmp_path / "other")
    pull_image(f"{registry.host}/acme/shop:1.0", cache, insecure=True)
    assert cache.kept(digest_of(LARGE)) is not None
    first = manifest["layers"][1]["digest"]
    pushed(registry, app)
    assert image_of(registry)[0]["layers"][1]["digest"] == first


def test_layers_are_counted(registry: Registry, app: Path) -> None:
    """499 besides the application's own may be layers of their own, one more may not (OCI-12)."""
    folder = app.parent / "static"
    shutil.rmtree(folder)
    folder.mkdir()
    for number in range(498):
        (folder / str(number)).write_bytes(LARGE + str(number).encode())
    pushed(registry, app)
    assert types_of(image_of(registry)[0]) == [WASM, *[DATA] * 498, APPLICATION]
    (folder / "498").write_bytes(LARGE)
    pushed(registry, app)
    assert types_of(image_of(registry)[0]) == [WASM, ARCHIVE, APPLICATION]


def test_text_is_pushed_as_the_binary_it_means(registry: Registry, app: Path) -> None:
    """Not every host reads text (OCI-17)."""
    (app.parent / "hello.wasm").write_text("(component)")
    pushed(registry, app)
    manifest, lock = image_of(registry)
    content = registry.blobs[manifest["layers"][0]["digest"]]
    assert content.startswith(b"\0asm")
    assert lock["components"][0]["source"]["digest"] == digest_of(content)


DEPENDENCIES = """\
[component.hello.dependencies]
"acme:thing/one" = { path = "thing.wasm" }
"""


def test_dependencies_are_pushed_beside_their_component(registry: Registry, app: Path) -> None:
    """Where they are not wanted in it (OCI-15); there is nothing of them that is read."""
    thing = b"\0asm\x0d\0\x01\0" + b"thing" * 100
    (app.parent / "thing.wasm").write_bytes(thing)
    app.write_text(MANIFEST + DEPENDENCIES)
    says = "is not a component that can be joined: malformed section.*--compose=false"
    with pytest.raises(ImageError, match=says):
        pushed(registry, app)
    assert registry.uploaded == []
    pushed(registry, app, compose=False)
    manifest, lock = image_of(registry)
    assert types_of(manifest)[:2] == [WASM, WASM]
    [dependency] = lock["components"][0]["dependencies"].values()
    assert dependency["source"]["digest"] == digest_of(thing)


def test_middleware_is_pushed_beside_its_component(registry: Registry, app: Path) -> None:
    """It is not joined to it, and whoever pulls the image gets it, too (OCI-15)."""
    guard = b"\0asm\x0d\0\x01\0" + b"guard" * 100
    (app.parent / "guard.wasm").write_bytes(guard)
    route = 'route = "/..."\n'
    middleware = 'dependencies.middleware = [{ path = "guard.wasm" }]\n'
    app.write_text(MANIFEST.replace(route, route + middleware))
    with pytest.raises(ImageError, match=r"dependencies of its trigger.*--compose=false"):
        pushed(registry, app)
    assert registry.uploaded == []
    pushed(registry, app, compose=False)
    manifest, lock = image_of(registry)
    assert types_of(manifest)[:2] == [WASM, WASM]
    [dependency] = lock["components"][0]["trigger_dependencies"]["middleware"]
    assert dependency["source"] == {
        "content_type": "application/wasm",
        "digest": digest_of(guard),
    }
    cache = ContentCache(app.parent / "other")
    pull_image(f"{registry.host}/acme/shop:1.0", cache, insecure=True)
    assert cache.kept(digest_of(guard)) is not None


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("hello.wasm", b"no wasm", "Component hello source is not a valid .wasm file"),
        ("hello.wasm", b"", "Component hello source is not a valid .wasm file"),
        ("hello.wasm", None, "build the component first"),
        ("thing.wasm", b"no", "Component hello dependency acme:thing/one is not a valid .wasm"),
        ("thing.wasm", None, "build the component first"),
    ],
)
@pytest.mark.parametrize("compose", [True, False])
def test_what_is_no_component(
    compose: bool, registry: Registry, app: Path, name: str, content: bytes | None, says: str
) -> None:
    """It is named, and nothing is sent (OCI-17)."""
    (app.parent / "thing.wasm").write_bytes(HELLO)
    app.write_text(MANIFEST + DEPENDENCIES)
    (app.parent / name).unlink()
    if content is not None:
        (app.parent / name).write_bytes(content)
    with pytest.raises(ImageError, match="cannot push localhost:") as caught:
        pushed(registry, app, compose=compose)
    assert says in str(caught.value)
    assert registry.uploaded == []


def test_a_manifest_with_faults(registry: Registry, app: Path) -> None:
    """Its own error says which; nothing is sent."""
    app.write_text("spin_manifest_version = 9")
    with pytest.raises(EdgeZeroError, match="invalid manifest version"):
        pushed(registry, app)
    assert registry.asked == []


def test_a_digest_is_no_place_to_push_to(registry: Registry, app: Path) -> None:
    """It is what comes of a push."""
    with pytest.raises(ImageError, match="is pushed to a tag"):
        pushed(registry, app, f"@{digest_of(b'')}")


def test_a_registry_that_says_no_digest(registry: Registry, app: Path) -> None:
    """Is not believed to have the one that was sent (OCI-20)."""
    registry.silent = True
    image = pushed(registry, app)
    assert not image.confirmed
    assert image.digest == digest_of(registry.manifests["acme/shop", "1.0"])


def test_a_registry_that_says_another_digest(registry: Registry, app: Path) -> None:
    """Something changed the manifest."""
    registry.headers["docker_content_digest"] = digest_of(b"other")
    with pytest.raises(ImageError, match=r"has the digest .* for acme/shop:1.0, not "):
        pushed(registry, app)


# Who asks


def logged_in(registry: Registry, folder: Path, auth: str = "bWU6czNjcmV0") -> None:
    """As `spin registry login` leaves it."""
    path = folder / "config/fermyon/registry-auth.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {registry.host: auth}}))


@pytest.mark.parametrize("basic", [False, True])
def test_a_login_may_write(registry: Registry, app: Path, tmp_path: Path, basic: bool) -> None:
    """By a token for that, or as it is."""
    registry.users = {"me": "s3cret"}
    registry.basic = basic
    logged_in(registry, tmp_path)
    assert pushed(registry, app).confirmed


@pytest.mark.parametrize("auth", [None, "bWU6d3IwbmdvbmU="])
def test_nobody_else_may_write(
    registry: Registry,
    app: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    auth: str | None,
) -> None:
    """Not even where everybody may read; no password is shown."""
    registry.users = {"me": "s3cret"}
    registry.open_to_all = True
    if auth is not None:
        logged_in(registry, tmp_path, auth)
    with caplog.at_level(logging.DEBUG), pytest.raises(ImageError) as caught:
        pushed(registry, app)
    message = str(caught.value)
    assert "lets nobody write acme/shop" in message
    assert f"`edgezero registry login {registry.host}`" in message
    assert "wr0ngone" not in message + caplog.text


@pytest.mark.parametrize(
    ("status", "says"),
    [(400, r"answered 400 \(DENIED\) for acme/shop"), (404, "has no acme/shop; check host, path")],
)
def test_a_registry_that_refuses(registry: Registry, app: Path, status: int, says: str) -> None:
    """By the name that the specification has for it."""
    registry.refusing = status
    with pytest.raises(ImageError, match=says):
        pushed(registry, app)


def test_no_login_leaves_the_registry(registry: Registry, app: Path, tmp_path: Path) -> None:
    """Where it has blobs sent to another host, that host is told nothing of who sends them."""
    with running_registry() as storage:
        registry.users = {"me": "s3cret"}
        registry.upload_host = storage.upload_host = storage.host
        registry.basic = True
        storage.blobs = registry.blobs
        logged_in(registry, tmp_path)
        pushed(registry, app)
        assert storage.uploaded
        assert storage.authorized == []
        assert registry.authorized


def test_a_challenge_of_another_host_gets_no_login(
    registry: Registry, app: Path, tmp_path: Path
) -> None:
    """A place for uploads that wants to know who sends is refused."""
    with running_registry() as storage:
        registry.users = storage.users = {"me": "s3cret"}
        registry.upload_host = storage.host
        registry.basic = storage.basic = True
        logged_in(registry, tmp_path)
        with pytest.raises(ImageError, match="lets nobody write"):
            pushed(registry, app)
        assert storage.authorized == []


@pytest.mark.parametrize("compose", [True, False])
def test_a_component_and_its_dependency_answer_from_a_registry(
    compose: bool, shared_engine: Engine, registry: Registry, app: Path, tmp_path: Path
) -> None:
    """Pushed as one component, or side by side and joined by the host that runs them."""
    # OCI-15, CPS-4, CPS-5, V-91/2
    (app.parent / "hello.wasm").write_text(asking_script())
    (app.parent / "thing.wasm").write_text(THING)
    name = "acme:thing/one"
    app.write_text(MANIFEST + DEPENDENCIES.replace(name, "example:nowhere/thing"))
    pushed(registry, app, compose=compose)
    manifest, lock = image_of(registry)
    assert types_of(manifest).count(WASM) == (1 if compose else 2)
    assert ("dependencies" in lock["components"][0]) is not compose

    async def ask(host: Host) -> int:
        return (await host.handle(HttpRequest(target="/i"))).status

    with Host.from_registry(
        f"{registry.host}/acme/shop:1.0",
        insecure=True,
        engine=shared_engine,
        settings=HostSettings(cache_dir=None),
        downloads_dir=tmp_path / "other",
        variables=["token=x"],
    ) as host:
        assert asyncio.run(ask(host)) == 200
