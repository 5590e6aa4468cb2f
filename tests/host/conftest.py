"""One engine for all tests of the host: making its pool is the slow part."""

from collections.abc import Iterator

import pytest

from edgezero_spin.host.engine import Engine, EngineSettings, make_engine


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[Engine]:
    """A pooled engine with deadlines and room for a few instances."""
    with make_engine(EngineSettings(max_instances=24, memory_keep_resident_bytes=0)) as engine:
        yield engine
