"""Images as ``spin registry push`` writes them, made here from what the contract says of them.

In: components with their files. Out: a manifest and blobs in a test registry. Nothing of
``edgezero_spin`` is used, so that the two can disagree.
"""

import base64
import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from tests.host.registry.oci_server import Registry, digest_of

__all__ = [
    "APPLICATION",
    "ARCHIVE",
    "CONFIG",
    "DATA",
    "INLINE_BYTES",
    "WASM",
    "archive_of",
    "content_of",
    "locked",
    "push",
    "push_layers",
]

APPLICATION = "application/vnd.fermyon.spin.application.v1+config"
WASM = "application/vnd.wasm.content.layer.v1+wasm"
DATA = "application/vnd.wasm.content.layer.v1+data"
ARCHIVE = "application/vnd.wasm.content.bundle.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
INLINE_BYTES = 128


def content_of(content: bytes) -> dict[str, Any]:
    """How a lock names content: by digest, and small content by itself too (OCI-11)."""
    value: dict[str, Any] = {"digest": digest_of(content)}
    if len(content) <= INLINE_BYTES:
        value["inline"] = base64.b64encode(content).decode().rstrip("=")
    return value


def locked(wasm: bytes, files: Mapping[str, bytes] | None = None, /, **more: Any) -> dict[str, Any]:
    """The lock of an application with one component, as it is pushed (OCI-10, OCI-14)."""
    component = {
        "id": "hello",
        "source": {"content_type": "application/wasm", **content_of(wasm)},
        "files": [{**content_of(data), "path": path} for path, data in (files or {}).items()],
        **more,
    }
    return {
        "spin_lock_version": 0,
        "metadata": {"name": "shop", "version": "1.0.0", "trigger": {"type": "http"}},
        "triggers": [
            {
                "id": "trigger--hello",
                "trigger_type": "http",
                "trigger_config": {"component": "hello", "route": "/..."},
            }
        ],
        "components": [component],
    }


def push(
    registry: Registry,
    wasm: bytes,
    files: Mapping[str, bytes] | None = None,
    /,
    *,
    repository: str = "acme/shop",
    tag: str = "1.0",
    archived: bool = False,
    **more: Any,
) -> str:
    """Push an application with one component; return the digest of its manifest."""
    files = files or {}
    layers = [registry.add_blob(wasm, WASM)]
    if archived:
        layers.append(registry.add_blob(archive_of(files), ARCHIVE))
    else:
        large = [data for data in files.values() if len(data) > INLINE_BYTES]
        layers += [registry.add_blob(data, DATA) for data in dict.fromkeys(large)]
    lock = json.dumps(locked(wasm, files, **more)).encode()
    layers.append(registry.add_blob(lock, APPLICATION))
    return push_layers(registry, layers, repository=repository, tag=tag)


def push_layers(
    registry: Registry,
    layers: list[dict[str, Any]],
    *,
    config: bytes = b"",
    config_type: str = CONFIG,
    repository: str = "acme/shop",
    tag: str = "1.0",
) -> str:
    """Push an image of these layers; return the digest of its manifest."""
    if not config:
        labels = {"com.fermyon.spin.lockedAppDigest": layers[-1]["digest"]} if layers else {}
        value = {"architecture": "wasm", "os": "Wasip1", "config": {"Labels": labels}}
        config = json.dumps({**value, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    return registry.add_manifest(
        repository,
        tag,
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": registry.add_blob(config, config_type),
            "layers": layers,
        },
    )


def archive_of(files: Mapping[str, bytes], *members: tarfile.TarInfo) -> bytes:
    """A folder as Spin packs it: names that start with ``./``, folders of their own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for path, data in files.items():
            member = tarfile.TarInfo(f"./{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return gzip.compress(buffer.getvalue(), mtime=0)
