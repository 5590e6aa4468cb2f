"""What a client gets of a component's answer is the same from both hosts, also when it fails."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.spin.applications import do, probe_manifest
from tests.spin.conftest import Both, Serve, hold
from tests.spin.wire import ask


@pytest.fixture(scope="module")
def both(serve: Serve, probe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The probe behind one wildcard."""
    grants = 'key_value_stores = ["default"]'
    folder = probe_manifest(tmp_path_factory.mktemp("answers"), probe, grants)
    with serve(folder) as programs:
        yield programs


LENGTH = [["content-length", "5"]]

ANSWERS: dict[str, list[Any]] = {
    # RESP-1 to RESP-3
    "chunked": ["answer", 200, [], "one", "two"],
    "empty body": ["answer", 200, []],
    "with a length": ["answer", 200, LENGTH, "hello"],
    "length of nothing": ["answer", 200, [["content-length", "0"]]],
    "body never taken": ["answer_bare", 200, []],
    "length without a body": ["answer_bare", 200, LENGTH],
    "large": ["answer_large", 1_000_000, []],
    "large with a length": ["answer_large", 1_000_000, [["content-length", "1000000"]]],
    # statuses
    **{f"status {code}": ["answer", code, [], "x"] for code in (201, 299, 302, 400, 418, 503, 599)},
    **{f"bare {code}": ["answer_bare", code, []] for code in (201, 204, 205, 304, 404, 500)},
    **{f"body of {code}": ["answer", code, [], "x"] for code in (204, 205, 304)},
    "status 100": ["answer", 100, [], "x"],
    "status 999": ["answer", 999, [], "x"],
    # headers
    "headers": ["answer", 200, [["X-Upper", "A"], ["b", "2"], ["a", "1"], ["x-upper", "B"]], "x"],
    "cookies": ["answer", 200, [["set-cookie", "a=1"], ["x", "y"], ["set-cookie", "b=2"]], "x"],
    "own date and server": ["answer", 200, [["date", "now"], ["server", "me"]], "x"],
    "empty value": ["answer", 200, [["x", ""]], "x"],
    "UTF-8 value": ["answer", 200, [["x", "\xc3\xa9"]], "x"],
    "other bytes": ["answer", 200, [["x", "\xe9"]], "x"],
    "trailer header": ["answer", 200, [["trailer", "x"]], "x"],
    "two lengths": ["answer", 200, [["content-length", "1"], ["content-length", "1"]], "x"],
    # RESP-4 to RESP-9
    "trap": ["trap"],
    "no answer": ["nothing"],
    "an error for an answer": ["refuse", "because"],
    "exit 0": ["exit_with", 0],
    "exit 1": ["exit_with", 1],
    "past its length": ["answer", 200, LENGTH, "hello, world"],
    "past its length in pieces": ["answer", 200, LENGTH, "hello", ", world"],
    "length that is not a number": ["answer", 200, [["content-length", "many"]], "x"],
    "dropped after its length": ["answer_dropped", LENGTH, "hello"],
}

# RESP-9. How much comes before the break depends on the moment: from Spin often nothing.
BROKEN: dict[str, list[Any]] = {
    "short of its length": ["answer", 200, LENGTH, "hell"],
    "nothing of its length": ["answer", 200, LENGTH],
    "dropped": ["answer_dropped", [], "the beginning"],
    "dropped empty": ["answer_dropped", []],
    "dropped short of its length": ["answer_dropped", LENGTH, "he"],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(both: Both, name: str) -> None:
    """Status, headers, body and how it ends."""
    both.same("/", do(*ANSWERS[name]))


@pytest.mark.parametrize("name", BROKEN)
def test_answers_that_break_off(both: Both, name: str) -> None:
    """A client can tell from both hosts that something is missing."""
    assert [answer.broken for answer in both.ask("/", do(*BROKEN[name]))] == [True, True]


@pytest.mark.parametrize("pieces", [[], ["the", "beginning"]], ids=["at once", "in the body"])
def test_traps_after_the_head(both: Both, pieces: list[str]) -> None:
    """The embedded host breaks the body off; Spin 4.1 ends it as if it were whole."""  # RESP-7
    embedded, real = both.ask("/", do("answer_then_trap", *pieces))
    assert (embedded.status, embedded.headers) == (real.status, real.headers)
    assert (embedded.body, embedded.broken) == ("".join(pieces).encode(), True)
    assert real.body == embedded.body
    for one in both:
        assert one.wait_for("Component error after response started")


@pytest.mark.parametrize("name", ["chunked", "with a length", "body never taken"])
def test_answers_to_head(both: Both, name: str) -> None:
    """The same heads, and no body."""
    both.same("/", do(*ANSWERS[name]), method="HEAD")


@pytest.mark.parametrize("name", ["chunked", "with a length", "trap"])
def test_answers_to_an_old_client(both: Both, name: str) -> None:
    """HTTP/1.0 knows no chunks."""
    [(header, value)] = do(*ANSWERS[name])
    hold(*both.send(f"GET / HTTP/1.0\r\nhost: x\r\n{header}: {value}\r\n\r\n".encode()))


@pytest.mark.parametrize(
    "target",
    ["/.well-known/spin/health", "/.well-known/spin/info", "/.well-known/spin/other",
     "/.well-known/spindle", "/.well-known/spin", "/.well-known/spin/"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "PURGE"])
def test_well_known_paths(both: Both, target: str, method: str) -> None:
    """RV-90 to RV-93."""
    both.same(target, method=method)


def test_work_after_the_answer(both: Both) -> None:
    """RESP-10."""
    both.same("/", do("answer_then_work", "default"))
    look = do("keys", ["open", "default"], ["get", "after"])
    # Clients do not see when it is done; the time limit of tests ends this.
    while not all(json.loads(told.body)[1] for told in both.ask("/", look)):
        pass
    assert both.same("/", look).body == b'["opened", "the response"]'


def test_echo(both: Both) -> None:
    """A body there and back."""
    data = bytes(range(256)) * 2000
    assert both.same("/", do("echo"), method="POST", body=data).body == data


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["trap"], "Error processing request"),
        (["nothing"], "guest failed to produce a response"),
        (["refuse", "because"], "because"),
        (["exit_with", 1], "Error processing request"),
    ],
    ids=str,
)
def test_failures_are_told(both: Both, call: list[Any], said: str) -> None:
    """On standard error, in words that a search finds."""  # RESP-4, RESP-5
    for one in both:
        ask(one.port, "/", do(*call))
        assert one.wait_for(said), one.program.name
