"""What travels with a component: the flags, and the keys of edgezero.toml."""

from pathlib import Path

import pytest

from edgezero_spin.errors import ManifestError, ProjectError
from edgezero_spin.project.bundle_settings import BundleSettings, bundle_settings
from edgezero_spin.project.world import Wasi

KEYS = """\
[adapters.spin.build]
include = ["plugins", "late"]
exclude = ["babel"]
"""


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        pytest.param([], [], BundleSettings(("plugins", "late"), ("babel",)), id="keys"),
        pytest.param(
            ["x", "late"],
            ["y"],
            BundleSettings(("x", "late", "plugins"), ("y", "babel")),
            id="both, each name once",
        ),
        pytest.param(
            ["babel"],
            ["late"],
            BundleSettings(("babel", "plugins"), ("late",)),
            id="a flag decides",
        ),
    ],
)
def test_keys_and_flags_add_up(
    tmp_path: Path, include: list[str], exclude: list[str], expected: BundleSettings
) -> None:
    """The file is found from the folder of the app, which may be below it."""
    (tmp_path / "edgezero.toml").write_text(KEYS)
    folder = tmp_path / "service"
    folder.mkdir()
    assert bundle_settings(include, exclude, {}, start=folder) == expected


def test_a_project_needs_no_file(tmp_path: Path) -> None:
    """Then the flags are all there is, and so they are where the file says nothing."""
    (tmp_path / ".git").mkdir()
    assert bundle_settings(["a"], ["b"], {}, start=tmp_path) == BundleSettings(("a",), ("b",))
    (tmp_path / "edgezero.toml").write_text("[app]\nname = 'a'\n")
    assert bundle_settings([], ["b"], {}, start=tmp_path) == BundleSettings((), ("b",))


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """The place of the mistake is named, and so is a file that is not there."""
    (tmp_path / "edgezero.toml").write_text('[adapters.spin.build]\ninclude = "plugins"\n')
    with pytest.raises(ManifestError, match=r"adapters\.spin\.build\.include: .* a list, got a s"):
        bundle_settings([], [], {}, start=tmp_path)
    with pytest.raises(ProjectError, match="nowhere"):
        bundle_settings([], [], {"EDGEZERO_MANIFEST": str(tmp_path / "nowhere")})


@pytest.mark.parametrize(
    ("key", "flag", "expected"),
    [("", None, "0.2"), ("0.3", None, "0.3"), ("0.3", "0.2", "0.2"), ("0.2", "0.3", "0.3")],
)
def test_the_wasi_of_a_project(tmp_path: Path, key: str, flag: Wasi | None, expected: Wasi) -> None:
    """The flag decides, then the file, then the default."""
    line = f'wasi = "{key}"\n' if key else ""
    (tmp_path / "edgezero.toml").write_text(f"[adapters.spin]\n{line}")
    assert bundle_settings([], [], {}, wasi=flag, start=tmp_path).wasi == expected


def test_a_wasi_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """With those that do."""
    (tmp_path / "edgezero.toml").write_text('[adapters.spin]\nwasi = "0.4"\n')
    with pytest.raises(ManifestError, match=r'adapters\.spin\.wasi: must be "0\.2" or "0\.3"'):
        bundle_settings([], [], {}, start=tmp_path)
