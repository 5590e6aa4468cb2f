"""The flags that say how long an instance lives: ``up``, ``watch`` and ``serve`` have them.

In: a command function. Out: the same with the flags added, their values gathered in one
``ReuseFlags``: for the embedded host as its policies, for ``spin up`` as the same flags again.

Source: contract wasi03.md, IL-1 to IL-7.
"""

from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import click

from edgezero_spin.cli.options import gathered
from edgezero_spin.cli.values import DurationSpan, Span

if TYPE_CHECKING:
    from edgezero_spin.host import ConcurrencyPolicy, ReusePolicy

__all__ = ["REUSE_OPTIONS", "Policies", "ReuseFlags", "reuse_options", "take_reuse_flags"]


class Policies(TypedDict):
    """Fields of ``HostSettings``."""

    reuse: "ReusePolicy"
    concurrency: "ConcurrencyPolicy"


# No attrs class: importing attrs for it would be a sixth of the time of `--help`.
class ReuseFlags(NamedTuple):
    """What the flags say; ``None`` means: as the engine does by itself.

    Attributes:
        served: Requests that an instance serves, from the first number to below the second,
            where they differ.
        concurrent: The same of requests that it serves at once, with WASI 0.3.
        idle_timeout: Least and most seconds that it waits for its next request.
    """

    served: tuple[int, int] | None
    concurrent: tuple[int, int] | None
    idle_timeout: tuple[float, float] | None

    def policies(self, *, ready: int = 0) -> Policies:
        """Return what the embedded host takes.

        Args:
            ready: Instances of each component to make ahead of time.
        """
        from edgezero_spin.host import ConcurrencyPolicy, ReusePolicy

        shared = _ends("served", self.served)
        if self.idle_timeout is not None:
            least_s, most_s = self.idle_timeout
            shared["idle_timeout_s"] = most_s
            shared["least_idle_timeout_s"] = least_s if least_s < most_s else None
        return {
            "reuse": ReusePolicy(ready=ready, **shared),
            "concurrency": ConcurrencyPolicy(**shared, **_ends("concurrent", self.concurrent)),
        }

    def spin_arguments(self) -> tuple[str, ...]:
        """Return the flags of ``spin up`` that say the same."""
        arguments: list[str] = []
        if self.served is not None:
            arguments += ["--max-instance-reuse-count", _span_text(*self.served)]
        if self.concurrent is not None:
            arguments += ["--max-instance-concurrent-reuse-count", _span_text(*self.concurrent)]
        if self.idle_timeout is not None:
            least, most = (_nanoseconds_text(seconds) for seconds in self.idle_timeout)
            arguments += ["--idle-instance-timeout", _span_text(least, most)]
        return tuple(arguments)


REUSE_OPTIONS = (
    click.option(
        "--idle-instance-timeout",
        "idle_timeout",
        metavar="TIME|A..B",
        type=DurationSpan(zero=True),
        help="How long an instance waits for its next request; 0 for not at all. Default: 1s.",
    ),
    click.option(
        "--max-instance-reuse-count",
        "served",
        metavar="N|A..B",
        type=Span(),
        help="How many requests an instance serves; of a range, A to B - 1. Default: 1, a fresh "
        "one for each, with WASI 0.2; 128 with WASI 0.3.",
    ),
    click.option(
        "--max-instance-concurrent-reuse-count",
        "concurrent",
        metavar="N|A..B",
        type=Span(least=0),
        help="How many requests an instance of WASI 0.3 serves at once; of a range, A to B - 1. "
        "Default: 16. One of WASI 0.2 serves one at a time.",
    ),
)


def take_reuse_flags(values: dict[str, Any]) -> ReuseFlags:
    """Remove the flags from a command's values; return what they say."""
    return ReuseFlags(**{name: values.pop(name) for name in ReuseFlags._fields})


reuse_options = gathered("reuse", take_reuse_flags, *REUSE_OPTIONS)
"""Adds the flags; the command gets them as ``reuse``."""


def _ends(name: str, span: tuple[int, int] | None) -> dict[str, Any]:
    """Return the fields of a policy for a range whose end is not part of it (IL-5)."""
    if span is None:
        return {}
    least, most = span
    return {f"least_{name}": least, f"most_{name}": most if least == most else most - 1}


def _span_text(least: object, most: object) -> str:
    return str(least) if least == most else f"{least}..{most}"


def _nanoseconds_text(seconds: float) -> str:
    """The time in the largest unit in which it is a whole number."""
    count = round(seconds * 1e9)
    for unit, size in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if count % size == 0:
            return f"{count // size}{unit}"
    return f"{count}ns"
