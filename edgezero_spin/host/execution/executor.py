"""Executors: the interface of all ways to run the requests and events of components.

The runner has one executor for each ``HandlerType`` and knows nothing else of them. How many
instances a component has, on which thread they run and how many requests one of them serves, at
once or in turn, is the executor's business.

Source: contract spin-host.md, LIFE-2, LIFE-7, LIFE-8.
"""

from typing import Protocol, TypeVar

from edgezero_spin.host.exchange.call import GuestCall
from edgezero_spin.host.exchange.handler_type import HandlerType
from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.runtime.engine import InstanceLimits
from edgezero_spin.host.runtime.instance import Instance

__all__ = ["Executor", "InstanceWatch", "RequestStarter", "Served"]


class Served(Protocol):
    """A component that can take requests or events."""

    @property
    def handler_type(self) -> HandlerType:
        """How it takes them."""

    @property
    def grants(self) -> Grants:
        """What its instances may use."""

    @property
    def limits(self) -> InstanceLimits:
        """What each request may spend."""


class InstanceWatch(Protocol):
    """Follows one request through its instance, for whoever measures or tests it.

    Called on the guest's thread, where a host function finds what ``started`` put there. An
    instance of WASI 0.3 may go on on another thread each time: its host functions find what
    ``started`` put into ``state.context``.
    """

    def started(self, state: InstanceState) -> None:
        """The instance is about to be made."""

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        """It is about to be closed, ``None`` when it could not be made; and how it failed."""


ServedT = TypeVar("ServedT", contravariant=True)


class Executor(Protocol[ServedT]):
    """Runs requests of the components of one handler type, or of several.

    ``start`` is called in an event loop or on a guest's thread, and returns at once. From then
    on the executor owns the call: it is answered, refused or broken off, ``finish`` is
    called whatever happens, and one line in the log says what went wrong. Methods may be called
    from any thread.
    """

    @property
    def running(self) -> int:
        """Instances that serve a request at this moment."""

    @property
    def waiting(self) -> int:
        """Instances that wait for a request at this moment."""

    @property
    def queued(self) -> int:
        """Requests that wait for an instance, beside those that the worker pool knows of."""

    def prepare(self, component: ServedT) -> None:
        """Get ready for the first request of a component, in the background."""

    def start(
        self,
        component: ServedT,
        call: GuestCall,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        """Run a request.

        Args:
            watch: Told of the instance's start and end, which is a fresh one then.
            nested: Another guest waits for it, so it does not queue behind those.

        Raises:
            Overloaded: There is no place for it.
        """

    def cancel(self, reason: str) -> None:
        """Trap every guest at its next wait."""

    def close(self) -> None:
        """End the instances that wait, and keep none from now on. Twice is harmless."""


class RequestStarter(Protocol):
    """Starts requests of any component: the runner, or what stands in front of it."""

    @property
    def places(self) -> int:
        """Requests that may be under way at once."""

    def start(
        self,
        component: Served,
        call: GuestCall,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        """As ``Executor.start``."""
