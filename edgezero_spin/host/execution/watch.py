"""Who follows one request through its instance: whoever measures or tests it."""

from typing import Protocol

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.runtime.instance import Instance

__all__ = ["InstanceWatch"]


class InstanceWatch(Protocol):
    """Follows one request through its instance, which is a fresh one then.

    Called on the guest's thread. An instance of WASI 0.3 may go on on another one each time:
    ``entered`` and ``left`` come around whatever it does there.
    """

    def started(self, state: InstanceState) -> None:
        """The instance is about to be made."""

    def entered(self) -> None:
        """The guest is about to run on this thread."""

    def left(self) -> None:
        """It has run, and waits or came to its end."""

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        """It is about to be closed, ``None`` when it could not be made; and how it failed."""
