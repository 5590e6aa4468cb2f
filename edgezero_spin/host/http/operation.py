"""The operation page: health, readiness and metrics, on an address of their own.

| path | answers |
|---|---|
| ``/healthz`` | 200 while the process lives |
| ``/readyz`` | 200 while the application takes requests, 503 before and while it drains |
| ``/metrics`` | what Prometheus reads |

In: a host's readiness and its metrics. Out: a ``RequestHandler`` for a side server. No path of the
application is taken, and nothing of a request is shown.

Source: our own; the names are those that Kubernetes and Prometheus are set up with.
"""

from collections.abc import Callable

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.request_handler import Responder, ResponseWriter
from edgezero_spin.host.http.side_server import send_text

__all__ = ["METRICS_TYPE", "OperationPage"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class OperationPage:
    """Answers about one host; a ``RequestHandler``.

    Attributes:
        origin: The URL of this page.
        ready: Whether the application takes requests.
    """

    def __init__(self, metrics: Callable[[], bytes] | str) -> None:
        """Not be ready yet.

        Args:
            metrics: Returns the text of ``/metrics``; a text says why there is none.
        """
        self.origin: str | None = None
        self.ready = False
        self._metrics = metrics

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> Responder | None:
        """Answer."""
        if head.method not in ("GET", "HEAD"):
            send_text(
                writer, head.method, 405, "GET and HEAD only\n", fields=[("allow", b"GET, HEAD")]
            )
        elif head.path == "/healthz":
            send_text(writer, head.method, 200, "ok\n")
        elif head.path == "/readyz":
            status, text = (200, "ok\n") if self.ready else (503, "not ready\n")
            send_text(writer, head.method, status, text)
        elif head.path == "/metrics":
            self._send_metrics(head.method, writer)
        else:
            send_text(writer, head.method, 404, "try /healthz, /readyz or /metrics\n")
        return None

    def _send_metrics(self, method: str, writer: ResponseWriter) -> None:
        if isinstance(self._metrics, str):
            send_text(writer, method, 501, self._metrics + "\n")
        else:
            send_text(writer, method, 200, self._metrics(), METRICS_TYPE)
