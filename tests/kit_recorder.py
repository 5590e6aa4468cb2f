"""A pytest plugin that writes down every answer that the testing kit gave, test by test.

For a run of its own: ``-p tests.kit_recorder`` with ``KIT_RECORD`` naming the file.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.testing import ClientResponse
from edgezero_spin.testing.response import BodySource

__all__ = ["pytest_configure", "pytest_runtest_call", "pytest_sessionfinish"]


class _Recorder:
    """What was recorded so far, and for which test."""

    def __init__(self) -> None:
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.test = ""


_RECORDER: pytest.StashKey[_Recorder] = pytest.StashKey()


class _Pieces:
    """A body that keeps a copy of what is read of it."""

    def __init__(self, inner: BodySource) -> None:
        self.inner = inner
        self.read = b""

    async def next_piece(self) -> bytes | None:
        piece = await self.inner.next_piece()
        self.read += piece or b""
        return piece

    def trailers(self) -> list[tuple[str, bytes]]:
        return self.inner.trailers()

    async def aclose(self) -> None:
        await self.inner.aclose()


def pytest_configure(config: pytest.Config) -> None:
    """Have every answer written down when its body has been read."""
    recorder = config.stash[_RECORDER] = _Recorder()
    ended = ClientResponse._ended

    def record(response: ClientResponse) -> None:
        source: Any = response._source
        if isinstance(source, _Pieces):
            recorder.answers.setdefault(recorder.test, []).append(
                {
                    "request": response.request,
                    "status": response.status,
                    "headers": [[n, v.decode("latin-1")] for n, v in response.headers.pairs],
                    "body": source.read.decode("latin-1"),
                    "calls": [repr(call) for call in response.calls],
                }
            )
            response._source = source.inner
        ended(response)

    begin = ClientResponse.__init__

    def begin_recorded(response: ClientResponse, *arguments: Any, **named: Any) -> None:
        begin(response, *arguments, **named)
        response._source = _Pieces(response._source)

    ClientResponse._ended = record  # type: ignore[assignment, method-assign]
    ClientResponse.__init__ = begin_recorded  # type: ignore[assignment, method-assign]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Note whose answers come now."""
    item.config.stash[_RECORDER].test = item.nodeid


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file."""
    answers = session.config.stash[_RECORDER].answers
    Path(os.environ["KIT_RECORD"]).write_text(json.dumps(answers), encoding="utf-8")
