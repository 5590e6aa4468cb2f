"""Content of locks that Spin or others wrote."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin.host.load.content import place_content
from edgezero_spin.host.load.plan import ApplicationError, plan_of
from edgezero_spin.host.load.trigger_kinds import BUILT_IN
from edgezero_spin.host.registry.downloads import Downloads
from edgezero_spin.manifest.spin import ContentRef, LockedApp, LockedDependency, parse_lock
from edgezero_spin.manifest.spin.locked_app import MIDDLEWARE


def text_of(data: bytes) -> str:
    """Base64 as locks have it, without padding (LOCK-33)."""
    return base64.b64encode(data).decode().rstrip("=")


def digest_of(data: bytes) -> str:
    """``sha256:<hex>``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def lock(source: dict[str, Any], *files: dict[str, Any], id: str = "c") -> LockedApp:
    """A lock with one component."""
    value = {
        "spin_lock_version": 0,
        "metadata": {"name": "demo"},
        "triggers": [
            {"id": "t", "trigger_type": "http", "trigger_config": {"component": id, "route": "/"}}
        ],
        "components": [{"id": id, "source": source, "files": list(files)}],
    }
    return parse_lock(json.dumps(value), Path("spin.lock"))


def placed(app: LockedApp, work_dir: Path, **options: Any) -> tuple[Path, Any]:
    """Wasm file and mounts of the one component once its content is placed."""
    [part] = plan_of(
        place_content(app, work_dir / "work", Downloads(work_dir / "cache"), **options), BUILT_IN
    ).components
    return part.source, part.mounts


def test_inline_wasm_is_written_to_a_file(tmp_path: Path) -> None:
    """Content inside the lock, with and without its digest."""
    for reference in ({}, {"digest": digest_of(b"wasm")}):
        source, _ = placed(lock({"inline": text_of(b"wasm"), **reference}), tmp_path)
        assert source.read_bytes() == b"wasm"


def test_middleware_is_placed_like_its_component(tmp_path: Path) -> None:
    """A lock may hold it or name it by digest, as one of a registry does."""
    # LOCK-22, OCI-42
    (tmp_path / "cache/wasm").mkdir(parents=True)
    (tmp_path / "cache/wasm" / digest_of(b"outer")).write_bytes(b"outer")
    app = lock({"inline": text_of(b"wasm")})
    middleware = (
        LockedDependency(source=ContentRef(digest=digest_of(b"outer"))),
        LockedDependency(source=ContentRef(inline=b"inner")),
    )
    [part] = app.components
    app = attrs.evolve(
        app, components=(attrs.evolve(part, trigger_dependencies={MIDDLEWARE: middleware}),)
    )
    [planned] = plan_of(
        place_content(app, tmp_path / "work", Downloads(tmp_path / "cache")), BUILT_IN
    ).components
    assert [each.source.read_bytes() for each in planned.middleware] == [b"outer", b"inner"]


def test_files_are_put_together_in_one_folder(tmp_path: Path) -> None:
    """An OCI lock lists each file; guests see them as one tree (LOCK-35, OCI-43)."""
    (tmp_path / "my file").write_text("from disk")
    (tmp_path / "cache/wasm").mkdir(parents=True)
    (tmp_path / "cache/wasm" / digest_of(b"kept")).write_bytes(b"kept")
    app = lock(
        {"inline": text_of(b"wasm")},
        {"inline": text_of(b"in the lock"), "path": "/a/b.txt"},
        {"source": (tmp_path / "my file").as_uri(), "path": "c.txt"},
        {"digest": digest_of(b"kept"), "path": "a/d.txt"},
        id="../../evil",
    )
    _, [mount] = placed(app, tmp_path)
    assert mount.guest_path == "/"
    assert mount.host_path.is_relative_to(tmp_path / "work")
    found = {
        path.relative_to(mount.host_path).as_posix(): path.read_text()
        for path in mount.host_path.rglob("*.txt")
    }
    assert found == {"a/b.txt": "in the lock", "c.txt": "from disk", "a/d.txt": "kept"}


def test_folders_stay_where_they_are(tmp_path: Path) -> None:
    """Unless guests may write, which must not reach the original (ENV-13)."""
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / "x").write_text("x")
    app = lock({"inline": text_of(b"wasm")}, {"source": folder.as_uri(), "path": "/"})
    _, [mount] = placed(app, tmp_path)
    assert mount.host_path == folder
    _, [mount] = placed(app, tmp_path, copied=True)
    assert mount.host_path != folder
    assert (mount.host_path / "x").read_text() == "x"


def test_copies_end_where_links_lead_back(tmp_path: Path) -> None:
    """A link to a folder that it lies in is left out; any other is followed."""
    folder = tmp_path / "assets"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "x").write_text("x")
    for name, target in [("a", "."), ("b", "."), ("deep/up", ".."), ("other", "deep")]:
        (folder / name).symlink_to(target)
    app = lock({"inline": text_of(b"wasm")}, {"source": folder.as_uri(), "path": "/"})
    _, [mount] = placed(app, tmp_path, copied=True)
    found = {path.relative_to(mount.host_path).as_posix() for path in mount.host_path.rglob("*")}
    assert found == {"deep", "deep/x", "other", "other/x"}


@pytest.mark.parametrize(
    ("source", "files", "reason"),
    [
        ({"inline": "AA", "digest": digest_of(b"x")}, [], "source: invalid content digest"),
        ({"digest": digest_of(b"x")}, [], "is not in the application cache"),
        ({"source": "https://example.com/x"}, [], "can only be downloaded with a digest"),
        ({"source": "http://[x"}, [], "source: http://[x is not on this disk"),
        ({"source": "file://[x"}, [], "source: file://[x is not on this disk"),
        ({"source": "file:///x%00"}, [], "source: file:///x%00 is not on this disk"),
        ({"inline": "AA"}, [{"source": "file://[", "path": "x"}], "files: file://[ is not on"),
        ({"inline": "AA"}, [{"inline": "AA", "path": "../x"}], "'../x' leads out of the guest's"),
        ({"inline": "AA"}, [{"source": "file:///no/such", "path": "x"}], "/no/such: No such file"),
    ],
)
def test_content_that_cannot_be_had(
    tmp_path: Path, source: dict[str, Any], files: list[dict[str, Any]], reason: str
) -> None:
    """The component and the fault are named."""
    with pytest.raises(ApplicationError) as caught:
        placed(lock(source, *files), tmp_path)
    assert str(caught.value).startswith("component 'c': ")
    assert reason in str(caught.value)
