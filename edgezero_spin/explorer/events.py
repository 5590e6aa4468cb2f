"""Live requests: server-sent events of a recorder.

In: a ``Recorder`` and the way to one browser. Out: ``data:`` lines with requests that began,
changed or ended, at most every ``EVERY_S`` seconds. A browser that reads too slowly gets the latest
state of each request, and nothing piles up for it.

Source: HTML, section "Server-sent events".
"""

import asyncio
import json
from typing import Any

from edgezero_spin.explorer.recorder import MOST_REQUESTS, Recorder
from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.http.request_handler import ResponseWriter

__all__ = ["EventStream"]

EVERY_S = 0.1


class EventStream:
    """One browser that listens; a ``Responder``.

    Attributes:
        over: Nothing is sent any more.
    """

    def __init__(self, recorder: Recorder, writer: ResponseWriter) -> None:
        """Begin to send.

        Args:
            recorder: Whose requests.
            writer: The way to the browser.
        """
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, dict[str, Any]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.over = False
        writer.start(
            200,
            [
                ("content-type", b"text/event-stream"),
                ("cache-control", b"no-store"),
                ("x-content-type-options", b"nosniff"),
            ],
        )
        writer.write(b"retry: 1000\n\n", last=False)
        self._stop = recorder.listen(self._heard)

    def resume(self) -> None:
        """Go on: the browser has caught up with reading."""
        if self._pending:
            self._schedule()

    def end(self) -> None:
        """Send nothing more, and say so."""
        if not self.over:
            self.abandon()
            self._writer.write(b"", last=True)

    def abandon(self) -> None:
        """Stop: the browser has gone."""
        self.over = True
        self._stop()
        if self._timer is not None:
            self._timer.cancel()

    def _heard(self, brief: dict[str, Any]) -> None:
        call_in(self._loop, lambda: self._keep(brief))

    def _keep(self, brief: dict[str, Any]) -> None:
        if self.over:
            return
        pending = self._pending
        pending[brief["number"]] = brief
        while len(pending) > MOST_REQUESTS:
            del pending[next(iter(pending))]
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(EVERY_S, self._send)

    def _send(self) -> None:
        self._timer = None
        if self.over or not self._pending or not self._writer.ready():
            return
        text = json.dumps(list(self._pending.values()), ensure_ascii=False)
        self._pending.clear()
        self._writer.write(f"data: {text}\n\n".encode(), last=False)
