"""A client, a state to send from, and a server to send to."""

from collections.abc import Iterator

import pytest

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.client import HttpClient
from tests.host.factors.outbound_http.asking import Peer
from tests.host.support import instance_state


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A server to talk to."""
    made = Peer()
    yield made
    made.close()
    assert made.faults == []


@pytest.fixture
def client() -> Iterator[HttpClient]:
    """A client, closed at the end."""
    made = HttpClient()
    yield made
    made.close()
    made.close()


@pytest.fixture
def state() -> InstanceState:
    """The state of the sending instance."""
    return instance_state()
