"""Limits of the instances of WASI 0.3 that requests share: how many, how long.

Source: contract wasi03.md, IL-1 to IL-8.
"""

import random
from time import monotonic

import attrs
from attrs.validators import ge, optional

__all__ = ["ConcurrencyPolicy"]


@attrs.frozen(kw_only=True)
class ConcurrencyPolicy:
    """How long instances of WASI 0.3 live and how many requests share one.

    Attributes:
        least_served, most_served: Requests that one accepts in all; each draws its own number
            between the two (IL-1, IL-5).
        least_concurrent, most_concurrent: Requests that it has without a response at once,
            drawn likewise (IL-2). 0 makes an instance for each request (IL-8).
        idle_timeout_s: Seconds that it lives with nothing to do (IL-3); 0 ends it as soon as
            it has nothing to do.
        least_idle_timeout_s: Each wait draws its own time between this and
            ``idle_timeout_s``; ``None`` for just that.
    """

    least_served: int = attrs.field(default=128, validator=ge(1))
    most_served: int = attrs.field(default=128, validator=ge(1))
    least_concurrent: int = attrs.field(default=16, validator=ge(0))
    most_concurrent: int = attrs.field(default=16, validator=ge(0))
    idle_timeout_s: float = attrs.field(default=1.0, validator=ge(0))
    least_idle_timeout_s: float | None = attrs.field(default=None, validator=optional(ge(0)))

    def __attrs_post_init__(self) -> None:
        if self.least_served > self.most_served or self.least_concurrent > self.most_concurrent:
            raise ValueError("the least of a range is above its most")

    def idle_until(self) -> float:
        """``monotonic`` time until which an instance lives that has nothing to do from now on."""
        most_s, least_s = self.idle_timeout_s, self.least_idle_timeout_s
        return monotonic() + (most_s if least_s is None else random.uniform(least_s, most_s))
