"""The guest of all behaviours in both modes: a native run answers as the component does."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.testing import BrokenBodyError, Client, ComponentClient, TestClient
from edgezero_spin.testing.app_modules import import_app
from tests.component.conftest import GUESTS, Build

REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/", {}),
    ("HEAD", "/", {}),
    ("GET", "/names/a%20b%C3%A4", {}),
    ("GET", "/names/%ff", {}),
    ("GET", "/files/a/b/c", {}),
    ("GET", "/numbers/41", {}),
    ("GET", "/numbers/x", {}),
    ("GET", "/headers", {"headers": [("x-a", "1"), ("x-a", "2"), ("connection", "close")]}),
    ("GET", "/headers", {"headers": {"x-latin": "ä", "host": "example.com:81"}}),
    ("GET", "/request?a=1&b=%20", {}),
    ("GET", "http://example.com:8080/request", {}),
    ("PURGE", "/request", {}),
    ("POST", "/points", {"json": {"x": 1, "y": 2}}),
    ("POST", "/points", {"json": {"x": 1, "y": -2}}),
    ("POST", "/points", {"json": {"x": "1"}}),
    ("POST", "/points", {"content": b"["}),
    ("POST", "/length", {"content": b"x" * 100_000}),
    ("POST", "/length", {"content": b"x" * 1_048_577}),
    ("POST", "/echo", {"content": iter([b"one", b"", b"two"])}),
    ("POST", "/ignore", {"content": b"x" * 100_000}),
    ("GET", "/large/300001", {}),
    ("GET", "/stream/5/10000", {}),
    ("GET", "/stream/0/1", {}),
    ("HEAD", "/stream/5/10000", {}),
    ("GET", "/twice", {}),
    ("GET", "/nothing", {}),
    ("GET", "/raise", {}),
    ("HEAD", "/raise", {}),
    ("GET", "/raise-first", {}),
    ("GET", "/raise-later", {}),
    ("GET", "/forbidden-header", {}),
    ("GET", "/environment/KIT_MODE", {}),
    ("GET", "/nowhere", {}),
    ("DELETE", "/points", {}),
]


@pytest.fixture(scope="module")
def native() -> Iterator[TestClient]:
    """The guest's app in this process."""
    with TestClient(
        import_app("app:app", GUESTS / "behaviours"), env={"KIT_MODE": "test"}
    ) as client:
        yield client


def outcome(client: Client, method: str, target: str, parts: dict[str, Any]) -> Any:
    """What a client sees: the answer, or that its body broke off."""
    try:
        answer = client.request(method, target, **parts)
    except BrokenBodyError:
        return "broke off"
    return answer.status, answer.headers.pairs, answer.content


@pytest.mark.parametrize(
    ("method", "target", "parts"), REQUESTS, ids=[f"{m} {t[:40]}" for m, t, _ in REQUESTS]
)
def test_both_modes_answer_alike(
    build: Build, native: TestClient, method: str, target: str, parts: dict[str, Any]
) -> None:
    """Status, headers and body are the same."""
    wasm: Path = build("behaviours")
    if not isinstance(parts.get("content", b""), bytes):
        # Each client takes the pieces for itself.
        pieces = list(parts["content"])
        both = {**parts, "content": iter(pieces)}, {**parts, "content": iter(pieces)}
    else:
        both = parts, parts
    with ComponentClient(wasm, env={"KIT_MODE": "test"}) as component:
        found = outcome(component, method, target, both[0])
    assert found == outcome(native, method, target, both[1])


@pytest.mark.parametrize("mode", ["native", "component"])
def test_a_forgotten_await_is_told_of(build: Build, native: TestClient, mode: str) -> None:
    """What did nothing is named in the log, with the line and with what to write."""
    client: Client = native
    with ExitStack() as stack:
        if mode == "component":
            client = stack.enter_context(ComponentClient(build("behaviours")))
        else:
            stack.enter_context(pytest.warns(RuntimeWarning, match="write `await` before the call"))
        answer = client.get("/forgotten")
    assert answer.text == "done"
    told = [line for line in answer.stderr.splitlines() if "RuntimeWarning" in line]
    assert len(told) == 1
    assert re.search(
        r"app\.py:\d+: RuntimeWarning: coroutine 'Request\.bytes' was never awaited, so it did "
        r"nothing; write `await` before the call$",
        told[0],
    )
