"""``dependencies.middleware``, on both hosts."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.conftest import build, raw_03
from tests.component.test_middleware import MANIFEST, TWO, guard
from tests.spin.conftest import Both, Serve, hold
from tests.spin.wire import Answer

__all__ = ["build", "guard", "raw_03"]

INHERITING = '{ component = "guard", inherit_configuration = ["environment"] }'


@pytest.fixture(scope="module", params=[TWO, INHERITING], ids=["two", "inheriting"])
def guarded(
    request: pytest.FixtureRequest,
    serve: Serve,
    guard: Path,
    raw_03: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Both]:
    """The guest ``raw_03`` behind the guest ``middleware``, on both hosts."""
    folder = tmp_path_factory.mktemp("guarded")
    parts = {"inner": json.dumps(str(raw_03)), "guard": json.dumps(str(guard))}
    text = MANIFEST.format(middleware=request.param, **parts)
    (folder / "spin.toml").write_text(text, encoding="utf-8")
    # An instance outlives the pauses of a busy machine, so that both count alike.
    with serve(folder, ["--idle-instance-timeout", "600s"]) as programs:
        yield programs


def header(answer: Answer, name: str) -> list[str]:
    """The values of a header."""
    return [value for each, value in answer.headers if each == name]


def test_requests_pass_through_alike(guarded: Both) -> None:
    """What each one saw, added and counted is the same, in the same order.  # XP-11, MAN-75"""
    for _ in range(2):
        answers = guarded.ask("/look?a=1")
        for answer in answers:
            assert answer.status == 200
        ours, theirs = (header(answer, "x-by") for answer in answers)
        assert ours == theirs
        ours, theirs = (
            [value for name, value in json.loads(answer.body)["headers"] if name == "x-passed"]
            for answer in answers
        )
        assert ours == theirs != []


@pytest.mark.parametrize("stop", ["0", "1"])
def test_one_answers_in_the_place_of_the_component_alike(guarded: Both, stop: str) -> None:
    """Which one that is decides what the client sees."""
    embedded, real = guarded.ask("/upload", headers=[("x-stop", stop)])
    hold(embedded, real)


def test_bodies_pass_alike(guarded: Both) -> None:
    """Both ways, with the length that the client gave.  # WH-32"""
    content = bytes(range(32, 127)) * 1_000
    assert guarded.same("/echo", method="POST", body=content).body == content
