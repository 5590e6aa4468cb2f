"""What ``edgezero up`` is asked to run."""

from pathlib import Path

import pytest

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.app_source import AppSource, choose_source


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application, its lock, and a folder with the name of an image."""
    for name in ("spin.toml", "spin.lock", "app.wasm", "acme.example/shop/spin.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("either", "expected"),
    [
        ("app.wasm", AppSource(Path("app.wasm"))),
        (".", AppSource(Path("spin.toml"))),
        # A path that there is counts, whatever it looks like (OCI-27).
        ("acme.example/shop", AppSource(Path("acme.example/shop/spin.toml"))),
        ("acme.example/shop:1", AppSource(reference="acme.example/shop:1")),
        ("acme.example/other", AppSource(reference="acme.example/other")),
    ],
)
def test_a_path_or_an_image(folder: Path, either: str, expected: AppSource) -> None:
    """`--from` takes both."""
    assert choose_source(either) == expected


def test_one_that_is_said_to_be_one(folder: Path) -> None:
    """`--from-file` never asks a registry, `--from-registry` never looks at a disk."""
    assert choose_source(file="app.wasm") == AppSource(Path("app.wasm"))
    assert choose_source(image="app.wasm") == AppSource(reference="app.wasm")
    with pytest.raises(ProjectError, match=r"no manifest at 'acme\.example/other'"):
        choose_source(file="acme.example/other")


def test_nothing_is_named(folder: Path) -> None:
    """The nearest manifest (CLI-10)."""
    assert choose_source() == AppSource(folder / "spin.toml")


def test_nothing_is_there(folder: Path) -> None:
    """The words are Spin's (OCI-27), without a password that was typed."""
    with pytest.raises(ProjectError) as caught:
        choose_source("https://me:s3cret@acme.example/shop")
    assert str(caught.value) == (
        "File or directory 'https://***@acme.example/shop' not found. If you meant to load from "
        "a registry, use the `--from-registry` option."
    )


@pytest.mark.parametrize(
    ("name", "is_lock", "is_manifest"),
    [
        ("spin.lock", True, False),
        ("out.json", True, False),
        ("spin.toml", False, True),
        ("app.wasm", False, False),
        ("app.wat", False, False),
    ],
)
def test_kinds_of_files(name: str, is_lock: bool, is_manifest: bool) -> None:
    """By their names; only a manifest has build commands."""
    source = AppSource(Path(name))
    assert (source.is_lock, source.is_manifest) == (is_lock, is_manifest)
    assert not AppSource(reference=name).is_lock
