"""HTTP/2 with prior knowledge: a component is asked, and answers, as over HTTP/1.1."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from h2.exceptions import InvalidBodyLengthError

from edgezero_spin.host.http.listening import Listening
from tests.host.http.http2_client import Answer, Http2Client
from tests.spin.applications import do, probe_manifest
from tests.spin.conftest import Both, Serve


@pytest.fixture(scope="module")
def both(serve: Serve, probe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The probe behind one wildcard."""
    folder = probe_manifest(tmp_path_factory.mktemp("http2"), probe)
    with serve(folder) as programs:
        yield programs


def ask(port: int, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
    """One request on a connection of its own."""

    async def run() -> Answer:
        async with Http2Client.connected(Listening("127.0.0.1", port)) as client:
            pairs = [(name.encode(), value.encode()) for name, value in headers]
            id = client.begin(path, method, pairs, ends=not body)
            await client.upload(id, body)
            return await client.answer(id)

    return asyncio.run(run())


def told(answer: Answer) -> Any:
    """What the probe said, without the port that the client happened to have."""
    said = json.loads(answer.body)
    if isinstance(said, dict) and "headers" in said:
        # Spin looks for a header `host` and says `localhost`, since HTTP/2 needs none.
        said["headers"] = sorted(
            pair for pair in said["headers"] if pair[0] not in ("spin-client-addr", "spin-full-url")
        )
    return answer.status, sorted(answer.headers), answer.dates, said


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        pytest.param("GET", "/", [], b"", id="plain"),
        pytest.param("GET", "/a%20b?c=d&c=e", [("x-a", "1"), ("x-a", "2")], b"", id="query"),
        pytest.param("GET", "/?", [("te", "trailers"), ("x", "")], b"", id="an empty query"),
        pytest.param("PURGE", "/", [], b"", id="another method"),
        pytest.param("POST", "/", do("length"), b"z" * 1_000_000, id="a body"),
        pytest.param("POST", "/", [*do("length"), ("content-length", "3")], b"abc", id="a length"),
    ],
)
def test_requests(
    both: Both, method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    """What a component sees is the same on both hosts."""
    embedded, real = (told(ask(one.port, method, path, headers, body)) for one in both)
    assert embedded == real


def test_head(both: Both) -> None:
    """The answer has no body; Spin sends one over HTTP/2, which clients take for an error."""
    answer = ask(both.embedded.port, "HEAD", "/", [], b"")
    assert (answer.status, answer.body, answer.ended) == (200, b"", True)
    with pytest.raises(InvalidBodyLengthError):
        ask(both.real.port, "HEAD", "/", [], b"")


@pytest.mark.parametrize("pieces", [[], ["a", "b"]])
def test_a_response_that_breaks_off(both: Both, pieces: list[str]) -> None:
    """The embedded host resets it; Spin 4.1 ends it as if it were whole (RESP-7)."""
    ends = [
        (answer.ended, answer.reset is not None)
        for answer in (
            ask(one.port, "GET", "/", do("answer_then_trap", *pieces), b"") for one in both
        )
    ]
    assert ends == [(False, True), (True, False)]
