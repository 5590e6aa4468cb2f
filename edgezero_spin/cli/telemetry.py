"""Telemetry of commands that serve: switched on by the standard variables of OpenTelemetry.

In: the environment. Out: an observer for the host, or nothing. One process has one, however many
hosts it starts; what waits at its end is sent then.

Source: contract services.md, TEL-1 to TEL-9.
"""

import functools
import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgezero_spin.host.observers import Observer

__all__ = ["telemetry_observer"]


@functools.cache
def telemetry_observer() -> "Observer | None":
    """Return what sends telemetry; ``None`` where no variable switches it on.

    Called within a command, whose end is that of the telemetry.

    Raises:
        TelemetryError: It is switched on and cannot be sent as it is asked for.
    """
    if not any(os.environ.get(name) for name in os.environ if name.startswith("OTEL_EXPORTER_")):
        return None
    from edgezero_spin.host.telemetry.settings import telemetry_settings

    settings = telemetry_settings(os.environ)
    if settings is None:
        return None
    from edgezero_spin.host.telemetry.exporting import start_telemetry

    for warning in settings.warnings:
        click.echo(f"[edgezero] {warning}", err=True)
    telemetry = start_telemetry(settings)
    _mark_messages(", ".join(settings.collectors))
    click.get_current_context().call_on_close(telemetry.close)
    return telemetry.observer


def _mark_messages(collectors: str) -> None:
    """Write what OpenTelemetry logs in the form of the host's log, with the collectors' names."""
    # Imported by OpenTelemetry anyway, and slow to import without it.
    import logging

    def named(record: logging.LogRecord) -> bool:
        record.msg, record.args = f"telemetry to {collectors}: {record.getMessage()}", ()
        return True

    # There is one where the log is JSON.
    own = [handler.formatter for handler in logging.getLogger().handlers]
    handler = logging.StreamHandler()
    handler.setFormatter(own[0] if own else logging.Formatter("[edgezero] %(message)s"))
    handler.addFilter(named)
    log = logging.getLogger("opentelemetry")
    log.addHandler(handler)
    log.propagate = False
