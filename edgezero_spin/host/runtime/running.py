"""The instance that the present thread is in."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["running"]

running: "ContextVar[Instance]" = ContextVar("running")
"""Set for as long as a thread runs guest code: the engine calls back on the same thread."""
