"""Shared calls: the interface of the calls that are in one instance together.

A call that waits for its instance is ``SharedCall`` already. Requests are ``HandlerCall``, events
``EventCall``.
"""

from collections.abc import Callable
from typing import Any, Protocol

from edgezero_spin.host.exchange.call import Failure, FailureKind, GuestCall
from edgezero_spin.host.execution.instance_pool import Guest
from edgezero_spin.host.execution.pace import Pace
from edgezero_spin.host.runtime.instance import Instance

__all__ = ["TIMED_OUT", "Post", "SharedCall", "SharedComponent"]

Post = Callable[[Callable[[], None]], None]

TIMED_OUT = Failure(FailureKind.TRAPPED, "guest timed out")


class SharedCall(Protocol):
    """A call on its way through an instance. Its methods run on the instance's thread.

    Attributes:
        component_id: Whose instance it is in, for the log.
        answered: The guest's function returned, or has no time left to do so.
        until_s: When its time is up, as ``time.monotonic`` counts; infinity for no limit.
    """

    component_id: str
    answered: bool
    until_s: float

    @property
    def call(self) -> GuestCall:
        """What it was made of."""

    @property
    def over(self) -> bool:
        """Whether whoever called has all that comes."""

    @property
    def moving(self) -> bool:
        """Whether whoever called has still something to take, which lets the guest go on."""

    def start(self, instance: Instance, post: Post) -> None:
        """Call the guest's function.

        Args:
            post: Has work done on the instance's thread.
        """

    def expire(self) -> bool:
        """End it in the guest's place; from any thread. Return whether it was time (IL-40)."""

    def fail(self, failure: Failure) -> None:
        """Say that there will be no result, or no more of it."""


class SharedComponent(Guest, Protocol):
    """A component whose instances several calls may share."""

    @property
    def pace(self) -> Pace:
        """How long its calls take."""

    @property
    def is_fresh(self) -> bool:
        """Whether each call gets an instance of its own all the same (XP-7)."""

    def shared_call(self, call: Any) -> SharedCall:
        """Return a call as it goes through an instance."""
