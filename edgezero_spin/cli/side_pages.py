"""Pages beside an application: the operation page and the explorer, each on its own address.

In: what the flags say. Out: observers for the host, and servers that run until the command ends.
Nothing of this is imported without a flag.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgezero_spin.cli.options import notify

if TYPE_CHECKING:
    from edgezero_spin.host import Host
    from edgezero_spin.host.http.operation import OperationPage
    from edgezero_spin.host.observers import Observer

__all__ = ["SidePages", "side_pages"]


class SidePages:
    """What is served beside an application.

    Attributes:
        observers: For the host.
        host: The host that is shown; ``None`` while there is none.
    """

    def __init__(self) -> None:
        self.observers: list[Observer] = []
        self.host: Callable[[], Host | None] = lambda: None
        self._operation: OperationPage | None = None

    def serving(self) -> None:
        """Say that the application takes requests."""
        if self._operation is not None:
            self._operation.ready = True

    def stopping(self) -> None:
        """Say that it takes none any more."""
        if self._operation is not None:
            self._operation.ready = False

    @contextlib.contextmanager
    def operation(self, listen: str) -> Iterator[None]:
        """Serve health, readiness and metrics."""
        from edgezero_spin.host.factors.extras import missing_extra
        from edgezero_spin.host.http.listening import bind
        from edgezero_spin.host.http.operation import OperationPage
        from edgezero_spin.host.http.side_server import side_server

        missing = missing_extra("metrics for Prometheus", "prometheus", "prometheus_client")
        if missing is None:
            from edgezero_spin.host.telemetry.prometheus import PrometheusObserver

            metrics = PrometheusObserver()
            metrics.show(lambda: self.host())
            self.observers.append(metrics)
            page = OperationPage(metrics.text)
        else:
            page = OperationPage(missing)
        self._operation = page
        listener = bind(listen, if_taken="Give --operation-listen another port; 0 is any free one.")
        with side_server(page, listener) as where:
            paths = "/healthz, /readyz, /metrics"
            notify(f"operation page at {where.url} ({paths})")
            yield

    @contextlib.contextmanager
    def explorer(self, port: int) -> Iterator[None]:
        """Serve the explorer."""
        from edgezero_spin.cli.explorer_options import bind_explorer
        from edgezero_spin.explorer.application import ExploredApplication, explored_host
        from edgezero_spin.explorer.recorder import Recorder
        from edgezero_spin.explorer.serving import Explorer
        from edgezero_spin.host.http.side_server import side_server

        def explored() -> ExploredApplication | None:
            host = self.host()
            return None if host is None else explored_host(host)

        recorder = Recorder()
        self.observers.append(recorder)
        explorer = Explorer(recorder, explored)
        with side_server(explorer, bind_explorer(port), on_end=explorer.end):
            notify(f"explorer at {explorer.url}")
            yield


@contextlib.contextmanager
def side_pages(operation: str | None, explorer: int | None) -> Iterator[SidePages]:
    """Serve what the flags ask for while the block runs.

    Args:
        operation: Address of the operation page; ``None`` for none.
        explorer: Port of the explorer on loopback, 0 for any; ``None`` for none.

    Raises:
        ListenError: An address cannot be used.
    """
    pages = SidePages()
    with contextlib.ExitStack() as owned:
        if operation is not None:
            owned.enter_context(pages.operation(operation))
        if explorer is not None:
            owned.enter_context(pages.explorer(explorer))
        yield pages
