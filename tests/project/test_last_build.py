"""Which profile was built last, in a file that Spin reads, too."""

from pathlib import Path

import pytest

from edgezero_spin.project.last_build import is_last_build, note_last_build


@pytest.mark.parametrize(
    ("built", "content"),
    [
        pytest.param([None], None, id="nothing where there are no profiles"),
        pytest.param(["debug"], "debug", id="a profile"),
        pytest.param(["debug", "fast"], "fast", id="another one"),
        pytest.param(["debug", None], "<anonymous>", id="and then none"),
    ],
)
def test_the_last_profile_is_noted(
    built: list[str | None], content: str | None, tmp_path: Path
) -> None:
    """As Spin notes it, and it is known as the last."""  # CLI-15
    for profile in built:
        note_last_build(tmp_path, profile)
    path = tmp_path / ".spin" / "last-build.txt"
    assert (path.read_text() if path.exists() else None) == content
    known = [profile for profile in (None, "debug", "fast") if is_last_build(tmp_path, profile)]
    assert known == built[-1:]


def test_a_folder_that_cannot_be_written_to_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The build is done by then; the log has the reason."""
    (tmp_path / ".spin").write_text("a file")
    note_last_build(tmp_path, "debug")
    assert "not noted" in caplog.text
    assert is_last_build(tmp_path, None)


def test_a_file_that_is_no_text_says_nothing(tmp_path: Path) -> None:
    """Whoever wrote it was not Spin."""
    (tmp_path / ".spin").mkdir()
    (tmp_path / ".spin" / "last-build.txt").write_bytes(b"\xff")
    assert is_last_build(tmp_path, None)
