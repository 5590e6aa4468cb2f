"""Pace of a component: whether its requests are worth a thread of their own.

In: what its latest requests took. Out: a guess about the next one, for the runner, which has
quick ones done by the thread that runs the event loop (``loop_owner``). A wrong guess costs
a few milliseconds, so that after one others are tried less and less often.
"""

import attrs

__all__ = ["QUICK_SHARED_S", "Pace"]

QUICK_S = 0.0004
"""CPU seconds of a request, in the mean, below which another thread is not worth it.

About what two threads cost that want the interpreter's lock all the time. With longer requests a
second core brings more than that.
"""

QUICK_SHARED_S = 0.0008
"""The same where requests share an instance: one turn on this thread begins several of them."""

EWMA_DIVISOR = 8
"""One request is this part of the mean."""

PROBATION = 16
MOST_PROBATION = 1024
"""Requests for other threads after one that was not quick: so many, and twice as many each time
until ``TRUSTED`` in a row were quick."""

TRUSTED = 64


@attrs.define(eq=False)
class Pace:
    """How quick one component is.

    Threads tell of their requests without a lock: a count that is lost does no harm.

    Attributes:
        quick_s: CPU seconds of a request, in the mean, below which it is quick.
    """

    quick_s: float = QUICK_S
    _left: int = 0
    _probation: int = PROBATION
    _mean_s: float = 0.0
    _row: int = 0
    _here: int = 0

    @property
    def quick(self) -> bool:
        """Whether the next request is expected to be quick.

        Asked in the loop, where one that runs there has been left behind: it is not quick.
        """
        return self._left < 1 and not self._here

    def runs_here(self) -> None:
        """Note the start of a request that is expected to be quick; ``ran_here`` follows."""
        self._here += 1

    def ran_here(self, spent_s: float, *, slept: bool) -> None:
        """Note its end.

        Args:
            spent_s: CPU seconds that it took.
            slept: It waited for something.
        """
        self._here -= 1
        self._mean_s += (spent_s - self._mean_s) / EWMA_DIVISOR
        if slept or self._mean_s > self.quick_s:
            self._left = self._probation
            self._probation = min(2 * self._probation, MOST_PROBATION)
            self._mean_s = 0.0
            self._row = 0
            return
        self._row += 1
        if self._row == TRUSTED:
            self._probation = PROBATION

    def ran_elsewhere(self, *, slept: bool) -> None:
        """Note another. How long it took says little: the threads were in each other's way.

        Args:
            slept: It waited for something, as the next one will.
        """
        if slept:
            self._left = max(self._left, PROBATION)
        elif self._left:
            self._left -= 1
