"""Telemetry of commands that serve: switched on by the standard variables of OpenTelemetry.

In: the environment. Out: an observer for the host, or nothing. One process has one, however many
hosts it starts; what waits at its end is sent then.

Source: contract services.md, TEL-1 to TEL-9.
"""

import functools
import os
import re
import time
from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.options import notify

if TYPE_CHECKING:
    from edgezero_spin.host.observers import Observer

__all__ = ["telemetry_observer"]

REPEAT_S = 300
"""Seconds in which a collector that takes nothing is told of once."""


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
        notify(warning)
    telemetry = start_telemetry(settings)
    _mark_messages(", ".join(settings.collectors))
    click.get_current_context().call_on_close(telemetry.close)
    return telemetry.observer


def _mark_messages(collectors: str) -> None:
    """Write what OpenTelemetry logs in the form of the host's log, with the collectors' names."""
    # Imported by OpenTelemetry anyway, and slow to import without it.
    import logging

    from edgezero_spin.cli.log_format import marked_formatter

    said: dict[str, float] = {}

    def is_new(record: logging.LogRecord) -> bool:
        template = str(record.msg)
        if "shutdown" in template.lower() and "timeout" not in template:
            # That it stops is no news: this command ends.
            return False
        now = time.monotonic()
        # One collector that is gone is one message, for all signals and attempts.
        subject = "export" if "export" in template else template
        if now - said.get(subject, -REPEAT_S) < REPEAT_S:
            return False
        said[subject] = now
        reason = _reason_of(record.getMessage())
        if record.exc_info and record.exc_info[1] is not None:
            reason += (
                f" ({_reason_of(str(record.exc_info[1])) or type(record.exc_info[1]).__name__})"
            )
            record.exc_info = None
        more = f"; not said again for {REPEAT_S // 60} minutes" if subject == "export" else ""
        record.msg, record.args = f"telemetry to {collectors}: {reason}{more}", ()
        return True

    handler = logging.StreamHandler()
    handler.setFormatter(marked_formatter())
    handler.addFilter(is_new)
    log = logging.getLogger("opentelemetry")
    log.addHandler(handler)
    log.propagate = False


def _reason_of(message: str) -> str:
    """Return what the system says, where a message of the SDK quotes it, or else the message."""
    found = re.search(r"\[Errno -?\d+\] ([^\"')]+)", message)
    reason = found[1] if found else message
    return " ".join(reason.split()).rstrip(".")
