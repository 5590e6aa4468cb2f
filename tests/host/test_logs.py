"""Component logs: files, echo, faults that must not reach a request."""

import logging
from pathlib import Path

import pytest

from edgezero_spin.host.logs import LogDirectoryError, Logs
from tests.host.support import Capture


def write(logs: Logs, component: str, stream: str, data: bytes) -> None:
    """Write as one instance does."""
    sink = logs.of(component).open(stream)
    sink.write(data)
    sink.close()
    sink.close()


def test_each_stream_has_a_file_that_grows(tmp_path: Path) -> None:
    """Instances append; files appear with the first byte and not before."""
    echo = Capture()
    logs = Logs(tmp_path / "deep" / "logs", echo_to=echo)  # type: ignore[arg-type]
    logs.of("hello").open("stdout").close()
    assert list((tmp_path / "deep" / "logs").iterdir()) == []
    write(logs, "hello", "stdout", b"one\n")
    write(logs, "hello", "stdout", b"two\n")
    write(logs, "hello", "stderr", b"three\n")
    # ENV-5, ENV-7
    assert (tmp_path / "deep/logs/hello_stdout.txt").read_bytes() == b"one\ntwo\n"
    assert (tmp_path / "deep/logs/hello_stderr.txt").read_bytes() == b"three\n"
    assert echo.content == b"one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("follow", "directory", "echoed"),
    [
        pytest.param(None, True, b"ab", id="all by default"),
        pytest.param(("a",), True, b"a", id="only the followed"),
        pytest.param((), True, b"", id="quiet"),
        pytest.param((), False, b"ab", id="nowhere else to go"),  # ENV-10
    ],
)
def test_what_is_followed_is_echoed(
    tmp_path: Path, follow: tuple[str, ...] | None, directory: bool, echoed: bytes
) -> None:
    """Following decides about the echo, unless there is no directory."""
    echo = Capture()
    logs = Logs(tmp_path if directory else None, follow=follow, echo_to=echo)  # type: ignore[arg-type]
    write(logs, "a", "stdout", b"a")
    write(logs, "b", "stderr", b"b")
    assert echo.content == echoed


def test_an_odd_id_stays_in_the_directory(tmp_path: Path) -> None:
    """An id from a lock file cannot name a file elsewhere."""
    write(Logs(tmp_path / "logs", echo_to=Capture()), "../x/y", "stdout", b"!")  # type: ignore[arg-type]
    assert [path.name for path in (tmp_path / "logs").iterdir()] == [".._x_y_stdout.txt"]


def test_truncate_empties_the_logs_and_nothing_else(tmp_path: Path) -> None:
    """Only files that are component logs lose their content (ENV-6)."""
    (tmp_path / "a_stdout.txt").write_text("old")
    (tmp_path / "notes.txt").write_text("keep")
    Logs(tmp_path, truncate=True)
    assert (tmp_path / "a_stdout.txt").read_text() == ""
    assert (tmp_path / "notes.txt").read_text() == "keep"


def test_a_lost_directory_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Writing goes on without the file; the host's log says so one time."""
    echo = Capture()
    logs = Logs(tmp_path / "gone", echo_to=echo)  # type: ignore[arg-type]
    (tmp_path / "gone").rmdir()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            write(logs, "a", "stdout", b"x")
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "component output is lost"
    ]
    assert echo.content == b"xxx"


def test_a_directory_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    """A file in the way is named at the start."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LogDirectoryError, match=r"cannot write component logs to .*/file/logs"):
        Logs(tmp_path / "file" / "logs")
