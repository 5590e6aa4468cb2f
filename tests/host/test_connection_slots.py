"""How many connections an application may hold."""

from pathlib import Path

import pytest

from edgezero_spin.host.connection_slots import ConnectionSlots, connection_limit
from edgezero_spin.host.runtime_config import RuntimeConfigError
from edgezero_spin.manifest.runtime_config import RuntimeConfig


@pytest.mark.parametrize(("most", "claims"), [(0, [False]), (1, [True, False]), (None, [True] * 3)])
def test_slots(most: int | None, claims: list[bool]) -> None:
    """As many as there are, and one more after a release (NET-42)."""
    slots = ConnectionSlots(most)
    assert [slots.claim() for _ in claims] == claims
    if most:
        slots.release()
        assert slots.claim()


def test_limits_of_the_file() -> None:
    """A table without the key limits nothing (NET-42)."""

    def config(**tables: object) -> RuntimeConfig:
        return RuntimeConfig(path=Path("/x.toml"), others=tables)

    assert connection_limit(None, "outbound_redis") is None
    assert connection_limit(config(), "outbound_redis") is None
    assert connection_limit(config(outbound_redis={}), "outbound_redis") is None
    assert connection_limit(config(outbound_redis={"max_connections": 0}), "outbound_redis") == 0
    for wrong in ({"max_connections": -1}, {"max_connections": True}, 7.5):
        with pytest.raises(RuntimeConfigError, match=r"/x.toml: outbound_redis.max_connections"):
            connection_limit(config(outbound_redis=wrong), "outbound_redis")
