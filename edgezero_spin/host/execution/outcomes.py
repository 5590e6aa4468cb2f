"""Outcomes: how a call ended for whoever waits for it and for the log.

In: a call and what its guest raised, if anything. Out: the call finished, with a ``Failure`` where
it has no whole result, and one line in the log.

Source: contract spin-host.md, RESP-4 to RESP-9.
"""

import logging

from edgezero_spin.host.errors import EngineBusy, GuestTrapped
from edgezero_spin.host.exchange.call import Failure, FailureKind, GuestCall
from edgezero_spin.host.factors.wasi.cli import GuestExit

__all__ = ["UNFINISHED", "failure_of", "finish_failed", "finish_returned", "report"]

logger = logging.getLogger("edgezero_spin.host")

NO_RESPONSE = Failure(
    FailureKind.NO_RESPONSE, "guest failed to produce a response prior to returning"
)
UNFINISHED = Failure(FailureKind.UNFINISHED, "guest returned before it finished the response body")


def failure_of(error: BaseException) -> Failure:
    """Return what became of a call whose guest raised this."""
    kind = FailureKind.BUSY if isinstance(error, EngineBusy) else FailureKind.TRAPPED
    return Failure(kind, str(error) or type(error).__name__)


def finish_returned(component_id: str, call: GuestCall) -> bool:
    """Finish a call whose handler returned (RESP-5, RESP-9).

    Returns:
        Whether it has its whole result.
    """
    if call.answered:
        call.finish(UNFINISHED)
        return call.whole
    failure = call.failure or NO_RESPONSE
    traced = _traced(call)
    call.finish(failure)
    logger.error("Error processing %s: %s: %s", call.what, component_id, failure, extra=traced)
    return False


def finish_failed(
    component_id: str, call: GuestCall, error: BaseException, *, cancelled: bool
) -> None:
    """Finish a call whose handler raised.

    Args:
        cancelled: The host stopped its guests before.
    """
    answered = call.answered
    left = answered and call.abandoned
    traced = _traced(call)
    call.finish(failure_of(error))
    if left:
        # Many guests take the failed write for the end of the world; it is not news.
        logger.info("%s stopped after its client had left: %s", component_id, error)
    else:
        report(component_id, call.what, error, answered=answered, cancelled=cancelled, extra=traced)


def _traced(call: GuestCall) -> dict[str, object] | None:
    """Return what a line of the log has of the trace that a call is in."""
    trace_id = None if call.observer is None else call.observer.trace_id()
    return None if trace_id is None else {"trace_id": trace_id}


def report(
    component_id: str,
    what: str,
    error: BaseException,
    *,
    answered: bool,
    cancelled: bool,
    extra: dict[str, object] | None = None,
) -> None:
    """Say in the log how a guest ended before its time (RESP-4, RESP-7).

    Args:
        what: What it was called with.
        error: What it raised.
        answered: The client has the head of a response.
        cancelled: The host stopped its guests before.
        extra: What else the record of the log has.
    """
    prefix = "Component error after response started" if answered else f"Error processing {what}"
    if isinstance(error, GuestExit) and error.code == 0 and answered:
        return
    if isinstance(error, GuestTrapped):
        if cancelled:
            # Where it was at that moment says nothing; whoever waited was told already.
            logger.info("%s was stopped: %s", component_id, error)
            return
        detail = f"\n{error.backtrace}" if error.backtrace else ""
        logger.error("%s: %s: %s%s", prefix, component_id, error, detail, extra=extra)
    elif isinstance(error, EngineBusy):
        logger.error("%s: %s: %s", prefix, component_id, error, extra=extra)
    else:
        logger.error("%s: %s", prefix, component_id, exc_info=error, extra=extra)
