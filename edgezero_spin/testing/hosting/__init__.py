"""The embedded host for tests.

The only part of the kit that needs an engine; ``ComponentClient`` imports it when the
first client is made. Loading a component happens once, so a test costs an instance.
"""

from edgezero_spin.testing.hosting.exchange import Exchange, HostBody
from edgezero_spin.testing.hosting.runtime import runtime_of

__all__ = ["Exchange", "HostBody", "runtime_of"]
