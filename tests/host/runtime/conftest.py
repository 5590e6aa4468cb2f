"""What the tests of the runtime share."""

from collections.abc import Iterator

import pytest

from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool, whose instances may have many memories."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine
