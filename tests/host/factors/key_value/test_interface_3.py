"""``spin:key-value@3.0.0``: stores that answer at once, and stores that take their time."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from inspect import isawaitable
from typing import Any

import pytest

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value import interface
from edgezero_spin.host.runtime.interface import Err, Ok, WitError
from edgezero_spin.stores.backend import BackendError
from edgezero_spin.stores.memory import MemoryKeyValue
from tests.host.support import call, error_of, instance_state, until

NAME = "spin:key-value/key-value@3.0.0"
STORE = f"{NAME} [method]store."


class Remote(MemoryKeyValue):
    """A store on another machine, which answers when it is told to."""

    remote = True

    def __init__(self, entries: dict[str, bytes] | None = None) -> None:
        super().__init__(entries)
        self.answers = threading.Event()
        self.asked_on: list[threading.Thread] = []

    def get(self, key: str) -> bytes | None:
        self.asked_on.append(threading.current_thread())
        assert self.answers.wait(10)
        return super().get(key)

    def keys(self) -> list[str]:
        self.asked_on.append(threading.current_thread())
        return list(super().keys())


class Broken(MemoryKeyValue):
    """A store whose listing breaks off."""

    def keys(self) -> Iterable[str]:
        yield from ("a", "b")
        raise BackendError("the server is gone")


def opened(backend: MemoryKeyValue) -> tuple[InstanceState, Any]:
    """A state, and an open handle to the store."""
    state = instance_state(stores={"default": backend})
    return state, call(state, f"{NAME} [static]store.open", "default")


def test_a_store_of_this_machine_answers_at_once() -> None:
    """Nothing is suspended."""
    state, store = opened(MemoryKeyValue({"a": b"1"}))
    assert call(state, STORE + "get", store, "a") == b"1"
    call(state, STORE + "set", store, "b", b"2")
    assert call(state, STORE + "exists", store, "b") is True
    call(state, STORE + "delete", store, "b")
    assert call(state, STORE + "get", store, "b") is None


def test_another_machine_is_asked_while_the_loop_goes_on() -> None:
    """The call runs on a thread of its own, and only then does the guest learn of it."""  # SK-2
    backend = Remote({"a": b"1"})
    state, store = opened(backend)

    async def main() -> bytes:
        asked = asyncio.ensure_future(call(state, STORE + "get", store, "a"))
        await until(lambda: bool(backend.asked_on))
        assert not asked.done()
        backend.answers.set()
        result: bytes = await asked
        return result

    assert asyncio.run(main()) == b"1"
    assert backend.asked_on != [threading.current_thread()]


def test_labels_and_handles() -> None:
    """A label that is not granted comes first; handles end somewhere (SK-1)."""
    state, store = opened(MemoryKeyValue({}))
    opening = f"{NAME} [static]store.open"
    assert error_of(state, opening, "other") == ("access-denied", None)
    # Those of version 2 count as well.
    for _ in range(255):
        call(state, "fermyon:spin/key-value@2.0.0 [static]store.open", "default")
    assert error_of(state, opening, "default") == ("store-table-full", None)
    store.drop(state)
    call(state, opening, "default")


def listing(state: InstanceState, store: Any) -> tuple[Any, Callable[[], Any]]:
    """The stream of a listing, and what tells how it ended (``None`` while nobody knows)."""

    async def main() -> Any:
        found = call(state, STORE + "get-keys", store)
        return await found if isawaitable(found) else found

    stream, answer = asyncio.run(main())
    return stream, lambda: answer.value.settled and answer.value._value


def keys_of(stream: Any, most: int) -> list[str]:
    """Read as a guest does, whether the source answers at once or later."""

    async def main() -> list[str]:
        found: list[str] = []
        while True:
            items = stream.read(most)
            if isawaitable(items):
                items = stream.arrived(await items)
            if not items:
                return found
            assert len(items) <= most
            found += items

    return asyncio.run(main())


@pytest.mark.parametrize("kind", [MemoryKeyValue, Remote])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 255, 256, 257, 1000])
def test_keys_come_in_parts(
    kind: type[MemoryKeyValue], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, and the end is told when at most four are left to read."""  # SK-4, SK-5
    state, store = opened(kind({f"{number}": b"" for number in range(count)}))
    stream, end = listing(state, store)
    assert end() == (Ok(None) if count <= 4 else False)
    assert sorted(keys_of(stream, 7), key=int) == [f"{number}" for number in range(count)]
    assert end() == Ok(None)


def test_a_listing_that_is_given_up_says_so() -> None:
    """And one that breaks off says why, behind the keys that came before."""  # SK-5, V3-66
    state, store = opened(MemoryKeyValue({f"{number}": b"" for number in range(9)}))
    stream, end = listing(state, store)
    stream.close()
    assert end() == Err(("other", "channel closed"))
    stream, end = listing(*opened(Broken({})))
    assert stream.read(5) == ["a", "b"]
    with pytest.raises(WitError):
        stream.read(5)
    assert end() == Err(("other", "the server is gone"))


def test_a_key_that_is_too_long_ends_a_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key has a limit, all of them together have none."""  # SK-4
    monkeypatch.setattr(interface, "MAX_RESULT_BYTES", 100)
    state, store = opened(MemoryKeyValue({"x" * 50 + str(number): b"" for number in range(9)}))
    assert len(keys_of(listing(state, store)[0], 100)) == 9
    state, store = opened(MemoryKeyValue({"x" * 101: b""}))
    _, end = listing(state, store)
    assert end().value[0] == "other"
    assert "exceeds limit" in end().value[1]
