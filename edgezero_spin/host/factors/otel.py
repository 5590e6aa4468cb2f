"""``wasi:otel@0.2.0-rc.2``: spans, metrics and log records that components make by themselves.

In: what a guest reports. Out: calls of the ``GuestTelemetry`` of the request that it works on, and
nothing where there is none. The interface is experimental: where nobody switched it on, a component
that calls it traps with a message that says so.

Source: contract services.md, TEL-47, TEL-48.
"""

from typing import Any

from edgezero_spin.host.errors import Trap, WitError
from edgezero_spin.host.factors.blocking import on_own_thread
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.observers import GuestTelemetry
from edgezero_spin.host.runtime.interface import HostFunction, Interface

__all__ = ["MAX_RECORD_CHARACTERS", "OTEL", "OTEL_OFF"]

MAX_RECORD_CHARACTERS = 256 * 1024
"""Characters of one span or log record, of which many may wait to be sent."""

_NOBODY = GuestTelemetry()


def _telemetry(state: InstanceState) -> GuestTelemetry:
    request = state.request_observer
    return _NOBODY if request is None else request.telemetry() or _NOBODY


def _size_of(value: Any) -> int:
    """Characters and entries of a record."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size_of, value.values()))
    if isinstance(value, list | tuple):
        return len(value) + sum(map(_size_of, value))
    return 1


def _check_size(record: dict[str, Any], what: str) -> None:
    if _size_of(record) > MAX_RECORD_CHARACTERS:
        raise Trap(f"a {what} is larger than {MAX_RECORD_CHARACTERS} characters")


def _check(problem: str | None) -> None:
    if problem is not None:
        raise Trap(f"wasi:otel: {problem}")


def _outer_span_context(state: InstanceState) -> dict[str, Any]:
    return _telemetry(state).outer_span_context()


def _on_start(state: InstanceState, context: dict[str, Any]) -> None:
    _check_size(context, "span context")
    _check(_telemetry(state).span_started(context))


def _on_end(state: InstanceState, span: dict[str, Any]) -> None:
    _check_size(span, "span")
    _check(_telemetry(state).span_ended(span))


def _on_emit(state: InstanceState, record: dict[str, Any]) -> None:
    _check_size(record, "log record")
    _telemetry(state).log_emitted(record)


def _export(state: InstanceState, metrics: dict[str, Any]) -> None:
    telemetry = _telemetry(state)
    if telemetry is _NOBODY:
        return
    problem = on_own_thread(state, "otel", lambda: telemetry.metrics_exported(metrics))
    if problem is not None:
        raise WitError(problem)


_FUNCTIONS: dict[str, dict[str, HostFunction]] = {
    "tracing": {
        "outer-span-context": _outer_span_context,
        "on-start": _on_start,
        "on-end": _on_end,
    },
    "metrics": {"export": _export},
    "logs": {"on-emit": _on_emit},
}


def _off(state: InstanceState, *arguments: Any) -> None:
    raise Trap("wasi:otel is experimental; `--experimental-wasi-otel` switches it on")


OTEL = tuple(
    Interface(f"wasi:otel/{name}@0.2.0-rc.2", functions) for name, functions in _FUNCTIONS.items()
)
"""The interfaces, versions included."""

OTEL_OFF = tuple(Interface(table.name, dict.fromkeys(table.functions, _off)) for table in OTEL)
"""The same where nobody switched them on: each call ends the guest."""
