"""CPU time of the guests in this process.

In: nothing but a block of code. Out: seconds. The host's ways into a guest and back out of it
are watched while the block runs; what passes between them is the guest's, and so is the little
that the engine itself needs on these ways. Looking at the clock takes time as well, which is
taken off; so the block as a whole takes longer than without this.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from edgezero_spin.host.runtime import instance, lifted, memory, native, prepared

__all__ = ["GuestTime", "guest_time"]

_TRIES = 20_000


class GuestTime:
    """CPU time of guests that run one at a time.

    Attributes:
        seconds: Up to now.
    """

    def __init__(self) -> None:
        """Begin with nothing, once it is known what a look at the clock takes."""
        self.seconds = 0.0
        self._looking = 0.0
        nothing = self.outside(int)
        before = time.thread_time()
        for _ in range(_TRIES):
            nothing()
        self._looking = (time.thread_time() - before + self.seconds) / _TRIES
        self.seconds = 0.0

    def inside(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a way into a guest, whose time is added."""

        def counted(*arguments: Any) -> Any:
            before = time.thread_time()
            try:
                return call(*arguments)
            finally:
                self.seconds += time.thread_time() - before

        return counted

    def outside(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a way out of a guest, whose time is taken off."""

        def counted(*arguments: Any) -> Any:
            before = time.thread_time()
            try:
                return call(*arguments)
            finally:
                self.seconds -= time.thread_time() - before + self._looking

        return counted


@contextlib.contextmanager
def guest_time() -> Iterator[GuestTime]:
    """Watch the guests of hosts that start in the block."""
    spent = GuestTime()
    call, callback = spent.inside(native.call), native.Callback
    with contextlib.ExitStack() as patches:
        for module in (instance, lifted, memory):
            patches.enter_context(mock.patch.object(module, "call", call))
        patches.enter_context(
            mock.patch.object(prepared, "Callback", lambda back: callback(spent.outside(back)))
        )
        yield spent
