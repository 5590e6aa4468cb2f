"""The form of the log of commands that serve."""

import contextlib
import json
import logging
from collections.abc import Iterator

import click
import pytest

from edgezero_spin.cli.log_format import (
    JsonFormatter,
    json_line,
    marked_formatter,
    write_log_as_json,
)
from edgezero_spin.cli.watch_session import Screen
from edgezero_spin.errors import ProjectError

RECORD = {"levelname": "WARNING", "created": 1_800_000_000.25}


@contextlib.contextmanager
def logs_without_handlers() -> Iterator[None]:
    """What is done to the handlers of this process, those of pytest among them, is undone."""
    logs = [logging.getLogger(), logging.getLogger("edgezero_spin")]
    before = [(log, log.handlers, log.propagate) for log in logs]
    for log in logs:
        log.handlers = []
    try:
        yield
    finally:
        for log, handlers, propagate in before:
            log.handlers, log.propagate = handlers, propagate
        logging.captureWarnings(False)


@pytest.mark.parametrize(
    "text",
    ["two\nlines", "\x1b[31mred\x9b", "a \U000e0001 tag", "\udcff", "\u202eturned", 'a "quote"'],
)
def test_a_line_is_one_printable_object(text: str) -> None:
    """Whatever a guest or a client put into it."""
    line = JsonFormatter().format(logging.makeLogRecord({**RECORD, "msg": text}))
    assert line.isprintable()
    assert json.loads(line) == {
        "time": "2027-01-15T08:00:00.250Z",
        "level": "warning",
        "message": text,
    }


def test_a_traceback_is_a_member() -> None:
    """And not lines of its own; so is the trace of a request."""
    try:
        raise ValueError("odd")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    fields = {**RECORD, "msg": "failed", "exc_info": info, "trace_id": "ab"}
    line = json.loads(JsonFormatter().format(logging.makeLogRecord(fields)))
    assert line["exception"].endswith("ValueError: odd") and "\n" in line["exception"]
    assert line["trace_id"] == "ab"


def test_messages_for_people() -> None:
    """Are marked in a log of text, and objects in one of JSON."""
    record = logging.makeLogRecord({**RECORD, "msg": "compiling"})
    with logs_without_handlers():
        assert marked_formatter().format(record) == "[edgezero] compiling"
        write_log_as_json()
        assert json.loads(marked_formatter().format(record))["message"] == "compiling"
        assert json.loads(json_line("served"))["level"] == "info"


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_watch_tells(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors and remarks of a command that watches are lines of its log, too."""
    screen = Screen(clear=False)
    with click.Context(click.Command("watch")) as context:
        context.params["log_format"] = form
        screen.failed(ProjectError("no such folder"), serving=True)
        screen.unwatched("shop")
    lines = capsys.readouterr().err.splitlines()
    if form == "text":
        assert lines[:2] == [
            "[edgezero] Error: no such folder",
            "[edgezero] what ran before goes on",
        ]
        assert lines[2].startswith("You haven't configured what to watch")
    else:
        said = [json.loads(line) for line in lines]
        assert [line["level"] for line in said] == ["error", "info", "info"]
        assert said[0]["message"] == "no such folder"
