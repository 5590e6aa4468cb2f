"""What a test can fix of the host's interfaces, in both generations of WASI."""

from collections.abc import Iterator
from typing import Any, cast

import attrs
import pytest

from edgezero_spin.host.runtime.linking import find_interface
from edgezero_spin.testing.hosting.context import CURRENT, GuestContext
from edgezero_spin.testing.hosting.interfaces import kit_interfaces
from tests.host.support import instance_state


@attrs.define
class Fixed:
    """The part of a test that these functions ask."""

    env: dict[str, str]
    now_ns: int

    def random_bytes(self, length: int) -> bytes:
        """The same byte again and again."""
        return b"\x01" * length


@pytest.fixture
def context() -> Iterator[GuestContext]:
    """What the thread of a guest carries."""
    fixed = Fixed({"A": "1"}, 1_500_000_000)
    context = CURRENT.context = GuestContext(cast(Any, fixed), lambda _: None)
    yield context
    CURRENT.context = None


SEED = int.from_bytes(b"\x01" * 8, "little")


@pytest.mark.parametrize("version", ["0.2.0", "0.3.0", "0.3.0-rc-2026-03-15"])
def test_a_test_fixes_both_generations(context: GuestContext, version: str) -> None:
    """Environment, clock and randomness are the test's, whichever interface asks."""
    tables = kit_interfaces()
    state = instance_state()

    def ask(interface: str, function: str, *arguments: Any) -> Any:
        table = find_interface(f"wasi:{interface}@{version}", tables)
        assert table is not None
        return table.functions[function](state, *arguments)

    old = version.startswith("0.2")
    assert ask("cli/environment", "get-environment") == [("A", "1")]
    now = ask("clocks/wall-clock" if old else "clocks/system-clock", "now")
    assert now == {"seconds": 1, "nanoseconds": 500_000_000}
    assert ask("random/random", "get-random-bytes", 3) == b"\x01\x01\x01"
    assert ask("random/insecure", "get-insecure-random-u64") == SEED
    seed = "insecure-seed" if old else "get-insecure-seed"
    assert ask("random/insecure-seed", seed) == (SEED, SEED)
