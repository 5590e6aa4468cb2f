"""The embedded host for tests.

The only part of the kit that needs an engine; ``ComponentClient`` imports it when the
first client is made. Loading a component happens once, so a test costs an instance.
"""

from edgezero_spin.testing.hosting.exchange import HostBody, WatchedExchange
from edgezero_spin.testing.hosting.runtime import runtime_of

__all__ = ["HostBody", "WatchedExchange", "runtime_of"]
