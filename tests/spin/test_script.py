"""The guest that is written as text, letter by letter, on both hosts."""

from collections.abc import Iterator

import pytest
from wasmtime import wat2wasm

from tests.host.support import SCRIPT
from tests.spin.applications import probe_manifest
from tests.spin.conftest import Both, Serve

NOWHERE = """\
  (import "example:nowhere/thing@1.0.0" (instance $nowhere
    (export "ask" (func))))
"""
LOWERED = '  (core func $ask (canon lower (func $nowhere "ask")))\n'
INSIDE = """\
  (core module $Ask (func (export "ask") unreachable))
  (core instance $asker (instantiate $Ask))
  (alias core export $asker "ask" (core func $ask))
"""


@pytest.fixture(scope="module")
def both(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The guest without its import of an interface that no host has, which Spin refuses."""
    text = SCRIPT.read_text(encoding="utf-8")
    assert NOWHERE in text
    assert LOWERED in text
    folder = tmp_path_factory.mktemp("script")
    # Spin takes no text.
    binary = wat2wasm(text.replace(NOWHERE, "").replace(LOWERED, INSIDE))
    (folder / "script.wasm").write_bytes(binary)
    with serve(probe_manifest(folder, folder / "script.wasm")) as programs:
        yield programs


# h c m n: whole answers; t r e x i M: none; w: says something; S: ten thousand handles;
# a g p q k: goes on, an instance of its own, timers, a trailer.
@pytest.mark.parametrize("letter", list("hcmntrexiMwSagpqk"))
def test_answers(both: Both, letter: str) -> None:
    """A client gets the same."""  # RESP-1 to RESP-10, HTTP-9, HTTP-13, HTTP-18
    both.same(f"/{letter}")


@pytest.mark.parametrize("letter", ["T", "f", "u", "l"])
def test_answers_that_break_off(both: Both, letter: str) -> None:
    """The embedded host lets a client see that; Spin 4.1 does if a length was promised."""
    # RESP-7, RESP-9, HTTP-16
    embedded, real = both.ask(f"/{letter}")
    assert (embedded.status, embedded.broken) == (200, True)
    assert real.broken or real.body == embedded.body


@pytest.mark.parametrize("size", [0, 1, 70_000, 2_000_000])
def test_echo(both: Both, size: int) -> None:
    """A body there and back."""
    assert len(both.same("/E", method="POST", body=b"x" * size).body) == size
