"""The probe, compiled once a session, and applications of it on both programs at once."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.conformance.building import build_guest
from tests.spin.programs import EMBEDDED, Program, Running, find_spin, running
from tests.spin.wire import Answer, ask, send

HERE = Path(__file__).parent
NO_SPIN = "needs a Spin: name one with SPIN=/path/to/spin, or put spin on PATH"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a Spin, and runs a compiled component."""
    missing = find_spin() is None
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.component)
            # The first one compiles the probe, and Spin compiles it again.
            item.add_marker(pytest.mark.timeout(900))
            if missing:
                item.add_marker(pytest.mark.skip(reason=NO_SPIN))


@pytest.fixture(scope="session")
def spin() -> Program:
    """The real one."""
    found = find_spin()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The component of ``guest/app.py``."""
    output = tmp_path_factory.mktemp("probe") / "probe.wasm"
    wit = HERE.parent / "conformance" / "wit"
    build_guest(HERE / "guest", wit, "test:conformance/guest", output)
    return output


@attrs.frozen(eq=False)
class Both:
    """An application on both programs.

    Attributes:
        embedded: This project's.
        real: Spin's.
    """

    embedded: Running
    real: Running

    def __iter__(self) -> Iterator[Running]:
        return iter((self.embedded, self.real))

    def ask(self, *arguments: object, **options: object) -> tuple[Answer, Answer]:
        """Ask both the same; the arguments are those of ``ask``."""
        embedded, real = (ask(one.port, *arguments, **options) for one in self)  # type: ignore[arg-type]
        return embedded, real

    def send(self, raw: bytes, method: str = "GET") -> tuple[Answer, Answer]:
        """Send both the same bytes."""
        embedded, real = (send(one.port, raw, method) for one in self)
        return embedded, real

    def same(self, *arguments: object, **options: object) -> Answer:
        """Ask both the same, and hold the answers to each other; return Spin's."""
        embedded, real = self.ask(*arguments, **options)
        hold(embedded, real)
        return real


def hold(embedded: Answer, real: Answer) -> None:
    """Assert that two answers are the same, and say where they are not."""
    ours, theirs = (_parts(answer) for answer in (embedded, real))
    differing = [
        f"{key}: {ours.get(key)!r} here, {theirs.get(key)!r} from Spin"
        for key in {**ours, **theirs}
        if ours.get(key) != theirs.get(key)
    ]
    assert not differing, "\n".join(differing)


def _parts(answer: Answer) -> dict[str, Any]:
    """An answer as what can differ, and the probe's JSON by its items."""
    parts: dict[str, Any] = {
        "status": answer.status,
        "headers": answer.headers,
        "dates": len(answer.dates),
        "broken": answer.broken,
    }
    try:
        told = json.loads(answer.body)
    except ValueError:
        return {**parts, "body": answer.body}
    if isinstance(told, list):
        told = dict(enumerate(told))
    if not isinstance(told, dict):
        return {**parts, "told": told}
    return {**parts, **{f"told {key}": value for key, value in told.items()}}


Serve = Callable[..., contextlib.AbstractContextManager[Both]]


@pytest.fixture(scope="session")
def serve(spin: Program, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Serve a manifest on both, each with a folder of its own for the state."""
    cache = tmp_path_factory.mktemp("cache")

    @contextlib.contextmanager
    def both(
        folder: Path,
        arguments: Sequence[str | Path] = (),
        *,
        environment: dict[str, str] | None = None,
    ) -> Iterator[Both]:
        values = {"XDG_CACHE_HOME": str(cache), **(environment or {})}
        with contextlib.ExitStack() as stack:
            programs = [
                stack.enter_context(
                    running(
                        program,
                        ["-f", "spin.toml", "--state-dir", f"state-{program.name}", *arguments],
                        folder=folder,
                        environment=values,
                    )
                )
                for program in (EMBEDDED, spin)
            ]
            yield Both(*programs)

    return both
