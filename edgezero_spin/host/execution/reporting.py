"""What the log says of a guest that ended before its time, and what its client is told."""

import logging

from edgezero_spin.host.errors import EngineBusy, GuestTrapped
from edgezero_spin.host.exchange.exchange import Failure, FailureKind
from edgezero_spin.host.factors.wasi.cli import GuestExit

__all__ = ["failure_of", "report"]

logger = logging.getLogger("edgezero_spin.host")


def report(component_id: str, error: BaseException, *, started: bool, heard: bool = True) -> None:
    """Say in the log how a guest ended before its time (RESP-4, RESP-7).

    Args:
        component_id: Whose guest it was.
        error: How it ended.
        started: Its response had begun.
        heard: Somebody waited for it.
    """
    prefix = "Component error after response started" if started else "Error processing request"
    if isinstance(error, GuestExit) and error.code == 0 and started:
        return
    if not heard:
        # Many guests take the failed write for the end of the world; it is not news.
        logger.info("%s stopped after its client had left: %s", component_id, error)
    elif isinstance(error, GuestTrapped):
        detail = f"\n{error.backtrace}" if error.backtrace else ""
        logger.error("%s: %s: %s%s", prefix, component_id, error, detail)
    elif isinstance(error, EngineBusy):
        logger.error("%s: %s: %s", prefix, component_id, error)
    else:
        logger.error("%s: %s", prefix, component_id, exc_info=error)


def failure_of(error: BaseException) -> Failure:
    """Return why an exchange has no response, or not a whole one."""
    kind = FailureKind.BUSY if isinstance(error, EngineBusy) else FailureKind.TRAPPED
    return Failure(kind, str(error) or type(error).__name__)
