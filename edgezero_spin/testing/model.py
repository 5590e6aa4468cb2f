"""A key-value store beside a dictionary: made-up histories of calls, which must agree, one
after the other and several at once.

Needs hypothesis; ``contracts`` imports this where that is installed.
"""

import threading
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["check_histories_at_once", "check_history"]

STEPS = 30

# Few keys, so that calls meet; odd ones, so that nothing in a key has a meaning.
_keys = some.sampled_from(["a", "A", "a/b", "%", "é", "e\u0301"]) | some.text(
    some.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8
).filter(lambda key: key not in (".", ".."))


def check_history(
    make_backend: Callable[[], KeyValueBackend],
    examples: int,
    is_legal: Callable[[str], bool] = lambda key: True,
) -> None:
    """Try histories on stores that a factory makes; fail with the shortest that differs.

    Args:
        make_backend: Returns an empty store.
        examples: How many to try.
        is_legal: Whether the store takes a key.

    Raises:
        AssertionError: A store did not do as a dictionary does.
    """

    class History(RuleBasedStateMachine):
        keys = Bundle("keys")

        def __init__(self) -> None:
            super().__init__()
            self.store = make_backend()
            self.model: dict[str, bytes] = {}

        @rule(target=keys, key=_keys.filter(is_legal))
        def name(self, key: str) -> str:
            return key

        @rule(key=keys, value=some.binary(max_size=64))
        def set(self, key: str, value: bytes) -> None:
            self.store.set(key, value)
            self.model[key] = value

        @rule(key=keys)
        def delete(self, key: str) -> None:
            self.store.delete(key)
            self.model.pop(key, None)

        @rule(key=keys)
        def get(self, key: str) -> None:
            assert self.store.get(key) == self.model.get(key)
            assert self.store.exists(key) is (key in self.model)

        @invariant()
        def lists_what_there_is(self) -> None:
            assert sorted(self.store.keys()) == sorted(self.model)

    run_state_machine_as_test(
        History, settings=settings(_settings(examples), stateful_step_count=STEPS)
    )


SHARED = "shared"
"""The key that all writers write."""

Write = tuple[str, bytes | None]


def check_histories_at_once(
    make_backend: Callable[[], KeyValueBackend],
    another: Callable[[KeyValueBackend], KeyValueBackend],
    examples: int,
    is_legal: Callable[[str], bool] = lambda key: True,
    *,
    writers: int,
) -> None:
    """Let several threads write at once, each with a history and keys of its own.

    Args:
        make_backend: Returns an empty store.
        another: Returns a second handle on a store.
        examples: How many sets of histories to try.
        is_legal: Whether the store takes a key.
        writers: How many threads.

    Raises:
        AssertionError: Something of what they wrote is lost, or a value that all of them
            write is none of those that they wrote last.
        Flaky: The same, and it does not happen every time.
    """
    values = some.binary(max_size=64)

    def history(number: int) -> some.SearchStrategy[list[Write]]:
        own = _keys.map(lambda key: f"{number}-{key}").filter(is_legal)
        shared = some.tuples(some.just(SHARED), values.map(lambda value: b"%d " % number + value))
        writes = some.tuples(own, some.none() | values) | shared
        return some.lists(writes, min_size=1, max_size=STEPS)

    @_settings(examples)
    @given(some.tuples(*(history(number) for number in range(writers))))
    def check(histories: tuple[list[Write], ...]) -> None:
        store = make_backend()
        failures: list[BaseException] = []
        handles = [another(store) for _ in histories]

        def write(handle: KeyValueBackend, history: list[Write]) -> None:
            try:
                for key, value in history:
                    if value is None:
                        handle.delete(key)
                    else:
                        handle.set(key, value)
            except BaseException as error:
                failures.append(error)

        threads = [
            threading.Thread(target=write, args=pair)
            for pair in zip(handles, histories, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        last = [dict(history) for history in histories]
        shared = [model.pop(SHARED) for model in last if SHARED in model]
        expected = {
            key: value for model in last for key, value in model.items() if value is not None
        }
        found = {key: store.get(key) for key in store.keys()}  # noqa: SIM118 - no mapping
        assert found.pop(SHARED, None) in (shared or [None])
        assert found == expected

    check()


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        # One failure is what a test can raise as it is.
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
