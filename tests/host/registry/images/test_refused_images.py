"""Images that are not what they say, and registries that do not give them."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.registry.cache import ContentCache
from edgezero_spin.host.registry.images import ImageError, pull_image, pulling
from tests.host.registry.images.images import (
    APPLICATION,
    ARCHIVE,
    WASM,
    archive_of,
    locked,
    push,
    push_layers,
)
from tests.host.registry.images.pulled import FILES, GUEST, LARGE, kept, pulled
from tests.host.registry.oci_server import IMAGE_MANIFEST, Registry, digest_of


def tampered(registry: Registry) -> None:
    """A component is another one."""
    registry.blobs[digest_of(GUEST)] = GUEST[:-1] + b"?"


def longer(registry: Registry) -> None:
    """A layer has more bytes than the manifest says."""
    registry.blobs[digest_of(GUEST)] = GUEST + b"more"


def lock_tampered(registry: Registry) -> None:
    """The application is another one."""
    digest = digest_of(json.dumps(locked(GUEST, FILES)).encode())
    registry.blobs[digest] = registry.blobs[digest].replace(b"shop", b"evil")


def lock_longer(registry: Registry) -> None:
    """The application has more bytes than the manifest says."""
    digest = digest_of(json.dumps(locked(GUEST, FILES)).encode())
    registry.blobs[digest] += b" " * 100_000


def manifest_tampered(registry: Registry) -> None:
    """The registry promises another digest than the manifest has."""
    registry.headers["docker_content_digest"] = digest_of(b"other")


def layer_missing(registry: Registry) -> None:
    """A layer is not there."""
    del registry.blobs[digest_of(LARGE)]


def index(registry: Registry) -> None:
    """It is several images."""
    value = {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST.replace("manifest", "index")}
    registry.add_manifest("acme/shop", "1.0", {**value, "manifests": []})


def old_manifest(registry: Registry) -> None:
    """It is a manifest of the first kind."""
    registry.add_manifest("acme/shop", "1.0", {"schemaVersion": 1, "fsLayers": []})


def no_manifest(registry: Registry) -> None:
    """It is a web page."""
    registry.add_manifest("acme/shop", "1.0", b"<html>")


def huge_manifest(registry: Registry) -> None:
    """It has no end."""
    registry.add_manifest("acme/shop", "1.0", b" " * (4 * 1024 * 1024 + 1))


def nested_manifest(registry: Registry) -> None:
    """It is deeper than a reader can go."""
    registry.add_manifest("acme/shop", "1.0", b"[" * 100_000)


def container(registry: Registry) -> None:
    """It is a container."""
    layers = [registry.add_blob(b"1", "application/x.tar"), registry.add_blob(b"2", "x/y")]
    push_layers(registry, layers, config=b'{"os": "linux"}')


def no_lock(registry: Registry) -> None:
    """Its application is not JSON."""
    push_layers(registry, [registry.add_blob(b"no", APPLICATION)])


def deep_lock(registry: Registry) -> None:
    """Its application is deeper than what walks through it."""
    nested: Any = "x"
    for _ in range(300):
        nested = [nested]
    push(registry, GUEST, metadata={"x": nested})


def newer_lock(registry: Registry) -> None:
    """Its application is for a later host."""
    lock = json.dumps({**locked(GUEST), "spin_lock_version": 7}).encode()
    push_layers(registry, [registry.add_blob(lock, APPLICATION)])


def host_files(registry: Registry) -> None:
    """Its application asks for files of this machine."""
    push(registry, GUEST, files=[{"source": "file:///etc/passwd", "path": "passwd"}])


def elsewhere(registry: Registry) -> None:
    """Its application names content that it does not bring."""
    push(registry, GUEST, files=[{"digest": digest_of(b"other"), "path": "x"}])


def evil_archive(registry: Registry) -> None:
    """Its archive leads out."""
    layers = [
        registry.add_blob(GUEST, WASM),
        registry.add_blob(archive_of({"../../x": LARGE}), ARCHIVE),
        registry.add_blob(json.dumps(locked(GUEST, {"x": LARGE})).encode(), APPLICATION),
    ]
    push_layers(registry, layers)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (tampered, "invalid content digest; expected sha256:"),
        (longer, f"larger than {len(GUEST)} bytes"),
        (lock_tampered, "its application is not what the manifest says"),
        (lock_longer, "its application is not what the manifest says"),
        (manifest_tampered, "the manifest of acme/shop:1.0 has the digest"),
        (layer_missing, f"has no blob {digest_of(LARGE)} in acme/shop"),
        (index, "is an index of images for several platforms"),
        (old_manifest, "it is not an image"),
        (no_manifest, "answered with what is not a JSON object"),
        (nested_manifest, "answered with what is not a JSON object"),
        (huge_manifest, "more than a manifest can be"),
        (container, "neither a Spin application"),
        (no_lock, "its application cannot be read as JSON"),
        (deep_lock, "more than 128 tables and lists inside one another"),
        (newer_lock, "its application cannot be read"),
        (host_files, "names a URL"),
        (elsewhere, f"file 'x': {digest_of(b'other')} is in none of its layers"),
        (evil_archive, "is refused: its member './../../x' leads out of the archive"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_images_that_are_refused(
    registry: Registry, cache: ContentCache, change: Callable[[Registry], None], says: str
) -> None:
    """In one line with the reference; what is kept has its digest, and the rest is gone."""
    push(registry, GUEST, FILES)
    change(registry)
    with pytest.raises(ImageError) as caught:
        pulled(registry, cache)
    message = str(caught.value)
    assert message.startswith(f"cannot load {registry.host}/acme/shop:1.0: ")
    assert says in message
    assert "\n" not in message
    for path in kept(cache):
        assert digest_of((cache.root / path).read_bytes()) == Path(path).name


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (":2.0", "has no acme/shop:2.0; check host, path and version"),
        (f"@{digest_of(b'')}", f"has no acme/shop@{digest_of(b'')}; check"),
        ("@sha256:00", "is not a digest; it is 'sha256:' and 64 hex digits"),
        (":a b", "this is not a reference such as ghcr.io/acme/shop:1.0"),
    ],
)
def test_images_that_are_not_there(
    registry: Registry, cache: ContentCache, version: str, says: str
) -> None:
    """The error says what to look at."""
    push(registry, GUEST)
    with pytest.raises(ImageError) as caught:
        pulled(registry, cache, version)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (403, "log in with `edgezero registry login localhost:"),
        (429, "too many requests; try again later"),
        (500, "answered 500"),
    ],
)
def test_a_registry_that_refuses(
    registry: Registry, cache: ContentCache, status: int, says: str
) -> None:
    """Its status is told in words where they help."""
    registry.refusing = status
    with pytest.raises(ImageError, match=says):
        pulled(registry, cache)


def test_a_registry_that_is_not_there(cache: ContentCache) -> None:
    """The reason is the system's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ImageError, match=f"the registry {host} cannot be asked: .*refused"):
            pull_image(f"{host}/shop", cache)


def test_files_that_take_too_much_room(
    registry: Registry, cache: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One small layer under many names is many files on the disk."""
    files = {str(number): LARGE for number in range(10)}
    push(registry, GUEST, files)
    monkeypatch.setattr(pulling, "MAX_TOTAL_BYTES", len(LARGE) * 10)
    pulled(registry, cache)
    monkeypatch.setattr(pulling, "MAX_TOTAL_BYTES", len(LARGE) * 10 - 1)
    with pytest.raises(ImageError, match=f"its files have {len(LARGE) * 10} bytes"):
        pulled(registry, cache)
