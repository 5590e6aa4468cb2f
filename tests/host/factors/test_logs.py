"""Component logs: files, echo, faults that must not reach a request."""

import json
import logging
from pathlib import Path

import pytest

from edgezero_spin.host.factors.logs import MOST_LINE_BYTES, LogDirectoryError, Logs
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
    logs = Logs(tmp_path / "deep" / "logs", echo_to=echo)
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
    logs = Logs(tmp_path if directory else None, follow=follow, echo_to=echo)
    write(logs, "a", "stdout", b"a")
    write(logs, "b", "stderr", b"b")
    assert echo.content == echoed


def test_an_odd_id_stays_in_the_directory(tmp_path: Path) -> None:
    """An id from a lock file cannot name a file elsewhere."""
    write(Logs(tmp_path / "logs", echo_to=Capture()), "../x/y", "stdout", b"!")
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
    logs = Logs(tmp_path / "gone", echo_to=echo)
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


def test_a_log_is_bounded(tmp_path: Path) -> None:
    """A file that is full becomes the old one, in whichever instance it happens; no line is cut."""
    logs = Logs(tmp_path, max_bytes=100, follow=())
    log = logs.of("a")
    first, second = log.open("stdout"), log.open("stdout")
    for number in range(30):
        (first if number % 2 else second).write(b"line %02d\n" % number)
    first.close()
    second.close()
    new, old = tmp_path / "a_stdout.txt", tmp_path / "a_stdout.1.txt"
    assert sorted(tmp_path.iterdir()) == [old, new]
    kept = (old.read_bytes() + new.read_bytes()).splitlines()
    assert kept == [b"line %02d" % number for number in range(30 - len(kept), 30)]
    assert max(old.stat().st_size, new.stat().st_size) <= 100
    # An earlier run counts as well, and what is emptied is empty.
    write(Logs(tmp_path, max_bytes=100, follow=()), "a", "stdout", b"x" * 90)
    assert new.read_bytes() == b"x" * 90
    Logs(tmp_path, truncate=True)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b""]


class Terminal(Capture):
    """What somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("writes", "shown"),
    [
        pytest.param([b"\x1b]0;owned\x07"], rb"\x1b]0;owned\x07", id="title"),
        pytest.param([b"\x1b[2J\x1b[31mred"], rb"\x1b[2J\x1b[31mred", id="CSI"),
        pytest.param([b"paid\rdenied\n"], b"paid\\rdenied\n", id="carriage return"),
        pytest.param([b"a\tb\r\nc\n"], b"a\tb\r\nc\n", id="lines"),
        pytest.param(["\x9b2J".encode()], rb"\x9b2J", id="C1 as UTF-8"),
        pytest.param([b"\xc2", b"\x9b2J"], rb"\x9b2J", id="C1 in two writes"),
        pytest.param([b"\x9b2J"], rb"\x9b2J", id="C1 as a byte"),
        pytest.param(["a\u202eb".encode()], rb"a\u202eb", id="right to left"),
        pytest.param([b"\x7f\x00\x08"], rb"\x7f\x00\x08", id="others"),
        pytest.param(["gr\u00fc\u00dfe \U0001f600".encode()], "grüße 😀".encode(), id="text"),
        pytest.param([b"\xf0\x9f", b"\x98\x80"], "😀".encode(), id="text in two writes"),
    ],
)
def test_a_terminal_obeys_no_component(tmp_path: Path, writes: list[bytes], shown: bytes) -> None:
    """Control characters are shown; the file, and whatever is not a terminal, has all bytes."""
    for target, expected in ((Terminal(), shown), (Capture(), b"".join(writes))):
        sink = Logs(tmp_path, echo_to=target, truncate=True).of("a").open("stdout")
        for data in writes:
            sink.write(data)
        sink.close()
        assert target.content == expected
        assert (tmp_path / "a_stdout.txt").read_bytes() == b"".join(writes)


def json_lines(*pieces: bytes, trace_id: str | None = None) -> list[dict[str, str]]:
    """What is echoed as JSON of an instance that writes pieces and ends."""
    echo = Capture()
    logs = Logs(None, echo_to=echo, as_json=True)
    sink = logs.of("shop").open("stderr", lambda: trace_id)
    for piece in pieces:
        sink.write(piece)
    sink.close()
    sink.close()
    text = echo.content.decode()
    assert text.isprintable() or set(text) & set(map(chr, range(32))) == {"\n"}
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("pieces", "messages"),
    [
        ((b"hello\n",), ["hello"]),
        ((b"Traceback:\n  F", b" 1\r\nValueError\n"), ["Traceback:", "  F 1", "ValueError"]),
        ((b"no end",), ["no end"]),
        ((b"\n\n",), ["", ""]),
        ((b"", b""), []),
        (("\u00e9".encode()[:1],), ["\\xc3"]),
        (("\u00e9".encode()[:1], "\u00e9".encode()[1:] + b"\n"), ["\u00e9"]),
        ((b"\xff\x1b[31m\xc2\x9b\n",), ["\\xff\x1b[31m\x9b"]),
        ((b'{"a": "b"}\n',), ['{"a": "b"}']),
        ((b"x" * (MOST_LINE_BYTES + 1),), ["x" * MOST_LINE_BYTES, "x"]),
    ],
)  # fmt: skip
def test_output_as_json(pieces: tuple[bytes, ...], messages: list[str]) -> None:
    """Each line that a component prints is one object, whatever is in it."""
    lines = json_lines(*pieces)
    assert [line["message"] for line in lines] == messages
    for line in lines:
        assert line.pop("time").endswith("Z")
        line.pop("message")
        assert line == {"component": "shop", "stream": "stderr"}


def test_output_as_json_with_a_trace() -> None:
    """The request's, where there is one."""
    [line] = json_lines(b"hello\n", trace_id="ab" * 16)
    assert line["trace_id"] == "ab" * 16


def test_output_as_json_leaves_files_as_they_are(tmp_path: Path) -> None:
    """They have the bytes that were written."""
    logs = Logs(tmp_path, echo_to=Capture(), as_json=True)
    write(logs, "shop", "stdout", b"\xffa\nb")
    assert (tmp_path / "shop_stdout.txt").read_bytes() == b"\xffa\nb"


def test_two_processes_share_a_file_that_is_full(tmp_path: Path) -> None:
    """The second one goes on in the file that the first one began, and no line is lost."""
    first, second = (Logs(tmp_path, max_bytes=10, echo_to=Capture()) for _ in range(2))
    sinks = [logs.of("a").open("stdout") for logs in (first, second)]
    for number in range(4):
        sinks[number % 2].write(b"%d...\n" % number)
    assert (tmp_path / "a_stdout.1.txt").read_bytes() == b"0...\n1...\n"
    assert (tmp_path / "a_stdout.txt").read_bytes() == b"2...\n3...\n"
