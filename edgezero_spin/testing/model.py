"""A key-value store beside a dictionary: made-up histories of calls, which must agree.

Needs hypothesis; ``contracts`` imports this where that is installed.
"""

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["check_history"]

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
        History,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            # One failure is what a test can raise as it is.
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
