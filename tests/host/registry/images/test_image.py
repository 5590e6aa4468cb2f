"""What an image is made of, and what a lock in it may name."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin.host.registry.cache import MAX_BYTES
from edgezero_spin.host.registry.images import image
from edgezero_spin.host.registry.images.image import (
    check_locked_app,
    layout_of,
    needed_by,
    package_layer,
)
from edgezero_spin.host.registry.repository import Blob, Manifest
from edgezero_spin.manifest.spin import FetchError, LockedApp, parse_lock
from tests.host.registry.images.images import APPLICATION, ARCHIVE, CONFIG, DATA, WASM, locked
from tests.host.registry.oci_server import digest_of


def blob(media_type: str, content: bytes = b"x", size: int = 1) -> Blob:
    """What a manifest says."""
    return Blob(media_type=media_type, digest=digest_of(content), size=size)


def manifest(*layers: Blob, config: Blob | None = None) -> Manifest:
    """A manifest of these layers."""
    config = config or blob(CONFIG, b"config")
    return Manifest(content=b"", digest="", config=config, layers=layers)


def app_of(value: dict[str, Any]) -> LockedApp:
    """A lock as it is read from an image."""
    return parse_lock(json.dumps(value), Path("image"))


LARGE = b"<h1>" * 100


def test_layers_are_told_by_their_types() -> None:
    """The application, components, files and archives (OCI-1 to OCI-4)."""
    wasm, data, pack = blob(WASM, b"w"), blob(DATA, b"d"), blob(ARCHIVE, b"a")
    lock, other = blob(APPLICATION, b"l"), blob("application/x", b"o")
    layout = layout_of(manifest(wasm, data, pack, pack, other, lock))
    assert layout.application == lock
    assert set(layout.content.values()) == {wasm, data, other}
    assert layout.archives == (pack,)
    assert layout.package is None


def test_an_old_image_has_its_application_for_configuration() -> None:
    """It is read when no layer is one (OCI-6)."""
    config = blob(CONFIG, b"config")
    assert layout_of(manifest(blob(WASM), config=config)).application == config


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([blob(APPLICATION, b"1"), blob(APPLICATION, b"2")], "several applications"),
        ([blob(WASM, bytes([n % 256, n // 256])) for n in range(1025)], "it has 1025 layers"),
        ([blob(WASM, size=MAX_BYTES + 1)], f"has {MAX_BYTES + 1} bytes; this host takes"),
        ([blob(WASM, bytes([n]), MAX_BYTES) for n in range(5)], "its layers have 5368709120 bytes"),
        ([blob(APPLICATION, size=image.MAX_LOCK_BYTES + 1)], "its application has"),
        ([attrs.evolve(blob(WASM), digest="sha256:../x")], "invalid `digest`"),
    ],
)
def test_images_that_are_refused(layers: list[Blob], says: str) -> None:
    """Before anything of them is downloaded."""
    with pytest.raises(FetchError, match=says):
        layout_of(manifest(*layers))


def test_an_artefact_without_configuration() -> None:
    """It is not an image."""
    with pytest.raises(FetchError, match="not an image: its manifest has no configuration"):
        layout_of(attrs.evolve(manifest(), config=None))


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([], r"neither a Spin application.*\(layers: none\)"),
        ([blob("application/vnd.docker.image.rootfs.diff.tar.gzip")], "its only layer is appl"),
        ([blob(WASM, b"1"), blob(WASM, b"2")], rf"\(layers: {WASM.replace('+', '.')}\)"),
    ],
)
def test_images_of_something_else(layers: list[Blob], says: str) -> None:
    """The media types say of what (OCI-6)."""
    found = manifest(*layers)
    with pytest.raises(FetchError, match=says):
        package_layer(layout_of(found), found)


@pytest.mark.parametrize("media_type", [WASM, "application/wasm"])
def test_one_component_is_a_package(media_type: str) -> None:
    """As Spin and as `wkg` push it (OCI-2, OCI-6)."""
    layer = blob(media_type)
    found = manifest(layer)
    assert package_layer(layout_of(found), found) == layer


def test_what_an_application_needs() -> None:
    """Each digest once; small files are in the lock itself (OCI-10, OCI-11)."""
    files = {"a": LARGE, "b": LARGE, "c": b"small", "d/e": b""}
    dependency = {"source": {"digest": digest_of(b"dep")}, "export": None}
    app = app_of(locked(b"w" * 200, files, dependencies={"acme:x/y": dependency}))
    check_locked_app(app)
    assert [(digest, item.kind) for digest, item in needed_by(app).items()] == [
        (digest_of(b"w" * 200), "wasm"),
        (digest_of(b"dep"), "wasm"),
        (digest_of(LARGE), "data"),
    ]
    assert list(needed_by(app).values())[2].place == "component 'hello': file 'a'"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": {"source": "file:///etc/passwd"}}, "component 'hello' names a URL"),
        (
            {"files": [{"source": "file:///root/.ssh", "path": "keys"}]},
            "component 'hello': file 'keys' names a URL",
        ),
        (
            {"files": [{"source": "https://x", "digest": digest_of(b""), "path": "x"}]},
            "file 'x' names a URL",
        ),
        (
            {"dependencies": {"a:b": {"source": {"source": "file:///x"}}}},
            "dependency 'a:b' names a URL",
        ),
        (
            {"trigger_dependencies": {"middleware": [{"source": {"source": "file:///x"}}]}},
            "'hello': middleware names a URL",
        ),
        ({"source": {"digest": "sha256:../../../etc/passwd"}}, "invalid `digest`"),
        *(
            ({"files": [{"inline": "", "path": path}]}, "is not a path below the folder")
            for path in ("../x", "a/../../x", "/etc/x", "", ".", "./x", "a//b", "a/", "a\\..\\b")
        ),
    ],
)
def test_a_lock_names_nothing_outside_its_image(change: dict[str, Any], says: str) -> None:
    """Neither files of this machine nor places for its own (OCI-14, OCI-43)."""
    with pytest.raises(FetchError, match=says):
        check_locked_app(app_of(locked(b"", **change)))


def test_files_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are all copied at every start."""
    app = app_of(locked(b"", {"a": b"", "b": b"", "c": b""}))
    monkeypatch.setattr(image, "MAX_FILES", 3)
    check_locked_app(app)
    monkeypatch.setattr(image, "MAX_FILES", 2)
    with pytest.raises(FetchError, match="have 3 files; this host takes 2"):
        check_locked_app(app)
