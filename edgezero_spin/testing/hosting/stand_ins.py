"""Stores, variables and logs of a client in place of the host's own.

Source: contract spin-host.md, TEST-17, TEST-20, TEST-26, TEST-30.
"""

import sys
from collections.abc import Callable, Mapping

from edgezero_spin.host.factors.logs import ComponentLog, Sink
from edgezero_spin.host.factors.variables.errors import VariableError
from edgezero_spin.host.factors.variables.resolver import VariableResolver, name_fault
from edgezero_spin.host.runtime.interface import WitError
from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.testing.hosting.context import CURRENT, current_client
from edgezero_spin.testing.on_demand import OnDemand
from edgezero_spin.testing.store_control import ACCESS_DENIED
from edgezero_spin.testing.store_log import StoreCall

__all__ = ["KitLog", "Variables", "granted_stores"]


def granted_stores(component_id: str) -> Mapping[str, KeyValueBackend]:
    """Return the stores that a component may open, of the client that asks."""

    def find(label: str) -> KeyValueBackend | None:
        client = current_client()
        granted = None if client.granted is None else client.granted[component_id]
        try:
            return client.stores.open(label, granted)
        except BackendError as error:
            if error.message == ACCESS_DENIED:
                return None
            raise WitError(("other", error.message)) from error

    return OnDemand(find, lambda: current_client().stores.kv)


class Variables(VariableResolver):
    """The variables of whoever asks."""

    def __init__(self, loading: VariableResolver) -> None:
        """Ask each client for its own.

        Args:
            loading: Fills in what is needed to load the application, before any client asks.
        """
        super().__init__({}, {})
        self._loading = loading

    def get(self, component_id: str, name: str) -> str:
        client = current_client()
        undefined: list[VariableError] = []
        failed: list[VariableError] = []

        def look_up() -> str:
            try:
                fault = name_fault(name)
                value = None if fault else client.variable(component_id, name)
                return client.resolver.get(component_id, name) if value is None else value
            except VariableError as error:
                if error.case == "undefined":
                    # Not a failure: a program may ask for what is not there.
                    undefined.append(error)
                    return ""
                failed.append(error)
                raise BackendError(error.message) from error

        try:
            value = client.stores.run(StoreCall("secret", "", name), look_up)
        except BackendError as error:
            raise (failed[0] if failed else VariableError("other", error.message)) from error
        if undefined:
            raise undefined[0]
        return value

    def render(self, text: str) -> str:
        # Triggers are resolved while the application is loaded, for no test in particular.
        resolver = self._loading if CURRENT.context is None else current_client().resolver
        return resolver.render(text)


class _KitSink(Sink):
    """One stream of one instance: kept by the client, and shown where pytest captures."""

    __slots__ = ("_stream",)

    def __init__(self, stream: str) -> None:
        super().__init__(None, None)
        self._stream = stream

    def write(self, data: bytes) -> None:
        data = bytes(data)
        current_client().wrote(self._stream, data)
        target = sys.stdout if self._stream == "stdout" else sys.stderr
        if target is not None:
            target.write(data.decode("utf-8", "replace"))


class KitLog(ComponentLog):
    __slots__ = ()

    def open(self, stream: str, trace_id: Callable[[], str | None] = lambda: None) -> Sink:
        return _KitSink(stream)
