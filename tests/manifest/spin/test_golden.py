"""Whole manifests against the lock, or the message, that they must give.

``locks/*.toml`` become the ``.json`` beside them; ``invalid/*.toml`` are refused with the
``.txt`` beside them, so the messages that people see are reviewed like code. To see what
changed after an intended change, run pytest with ``EDGEZERO_ACCEPT=1`` and read the diff.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.manifest.errors import InvalidManifestError
from edgezero_spin.manifest.spin import (
    LockedApp,
    PackageSource,
    UrlSource,
    load_spin_manifest,
    lock_application,
    parse_lock,
)

HERE = Path(__file__).parent
LOCKS = sorted((HERE / "locks").glob("*.toml"))
INVALID = sorted((HERE / "invalid").glob("*.toml"))


def fetched(source: UrlSource | PackageSource) -> Path:
    """Pretend that a source was downloaded."""
    name = source.digest if isinstance(source, UrlSource) else source.package.replace(":", "-")
    return Path("/cache/wasm") / name


def lock_of(path: Path, app: Path, assets: Path) -> LockedApp:
    """Lock one manifest as if it stood in the folder ``app``."""
    copy = app / "spin.toml"
    copy.write_text(path.read_text())
    for name in ["static/a.txt", "static/deep/b.txt", "site/index.html"]:
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(name)
    profile = "debug" if path.stem == "profile" else None
    manifest = load_spin_manifest(copy, profile=profile)
    return lock_application(manifest, assets_dir=assets, fetch=fetched)


def expect(path: Path, text: str) -> None:
    """Compare a text with the file that holds what is expected."""
    if os.environ.get("EDGEZERO_ACCEPT"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_manifests_and_their_locks(path: Path, tmp_path: Path) -> None:
    """A manifest gives the lock that Spin gives, to the letter."""
    app, assets = tmp_path / "app", tmp_path / "assets"
    app.mkdir()
    text = lock_of(path, app, assets).to_json()
    text = text.replace(app.as_uri(), "file:///app").replace(assets.as_uri(), "file:///assets")
    expect(path.with_suffix(".json"), text + "\n")


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_locks_survive_reading_and_writing(path: Path) -> None:
    """A lock that was read is written as it was."""
    text = path.with_suffix(".json").read_text()
    assert parse_lock(text, path).to_json() + "\n" == text


def test_the_worked_example(tmp_path: Path) -> None:
    """The lock of LOCK-50 is the one in the contract."""
    text = (HERE / "locks" / "chaining.json").read_text()
    value: dict[str, Any] = json.loads(text)
    assert list(value) == [
        "spin_lock_version",
        "must_understand",
        "metadata",
        "variables",
        "triggers",
        "components",
    ]
    assert value["must_understand"] == ["component_host_requirements"]
    assert value["components"][0]["host_requirements"] == {"local_service_chaining": "required"}
    assert value["components"][0]["files"] == [{"source": "file:///assets/front", "path": "/"}]
    assert value["components"][1] == {
        "id": "back",
        "source": {"content_type": "application/wasm", "source": "file:///app/back.wasm"},
    }
    assert value["variables"] == {"greeting": {"default": "hi"}, "token": {"secret": True}}


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_faults_and_their_messages(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest with faults is refused with all of them, each with key and remedy."""
    monkeypatch.chdir(path.parent)
    with pytest.raises(InvalidManifestError) as caught:
        load_spin_manifest(path.name)
    expect(path.with_suffix(".txt"), f"{caught.value}\n")
