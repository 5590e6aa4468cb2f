"""Who asks: the client whose request a guest answers, found from within host functions.

An application is loaded once and given to one test after the other. What belongs to a test
(stores, variables, environment, output, clock) is therefore never part of it; the guest's
thread carries a ``Context`` while it answers, and host functions look it up.
"""

import threading
from collections.abc import Mapping
from typing import Protocol

import attrs

from edgezero_spin.host.variables import VariableResolver
from edgezero_spin.testing.databases import DatabaseViews
from edgezero_spin.testing.outbound import HttpScript
from edgezero_spin.testing.store_control import StoreControl

__all__ = ["CURRENT", "Context", "Surface", "surface"]


class Surface(Protocol):
    """What of a client belongs to a test."""

    stores: StoreControl
    env: dict[str, str]
    http: HttpScript
    sqlite: DatabaseViews
    granted: Mapping[str, tuple[str, ...]] | None
    granted_databases: Mapping[str, tuple[str, ...]] | None
    now_ns: int | None

    def variable(self, component_id: str, name: str) -> str | None:
        """The value that the test set for a component's variable, if it did."""

    @property
    def resolver(self) -> VariableResolver:
        """The variables of the manifest, with the values that the test set."""

    def random_bytes(self, length: int) -> bytes:
        """Random bytes, the same in every run when the test asked for that."""

    def wrote(self, stream: str, data: bytes) -> None:
        """Keep what a component wrote."""


@attrs.define
class Context:
    """What the guest's thread carries.

    Attributes:
        surface: The client that asked.
        host_calls: Calls to the host so far.
        chained_fuel: Instructions of the components that it called.
    """

    surface: Surface
    host_calls: int = 0
    chained_fuel: int = 0


class _Current(threading.local):
    context: Context | None = None


CURRENT = _Current()
"""What the present thread carries."""


def surface() -> Surface:
    """Return the client that asked.

    Raises:
        RuntimeError: No guest of the kit runs on this thread.
    """
    context = CURRENT.context
    if context is None:
        raise RuntimeError("a host function of the testing kit was called outside of a request")
    return context.surface
