"""Stores, variables and logs of a client in place of the host's own.

Source: contract spin-host.md, TEST-17, TEST-20, TEST-26, TEST-30.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from edgezero_spin.host.factors.logs import ComponentLog, Sink
from edgezero_spin.host.factors.variables.errors import VariableError
from edgezero_spin.host.factors.variables.resolver import VariableResolver, name_fault
from edgezero_spin.host.runtime.interface import WitError
from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.testing.hosting.context import CURRENT, surface
from edgezero_spin.testing.store_control import ACCESS_DENIED
from edgezero_spin.testing.store_log import StoreCall

__all__ = ["GrantedStores", "KitLog", "Variables"]


class GrantedStores(Mapping[str, KeyValueBackend]):
    """The stores of whoever asks."""

    def __init__(self, component_id: str) -> None:
        self._component_id = component_id

    def get(self, label: str, default: Any = None) -> Any:
        """Open a store; ``None`` for one that is not granted."""
        client = surface()
        granted = None if client.granted is None else client.granted[self._component_id]
        try:
            return client.stores.open(label, granted)
        except BackendError as error:
            if error.message == ACCESS_DENIED:
                return default
            raise WitError(("other", error.message)) from error

    def __getitem__(self, label: str) -> KeyValueBackend:
        found: KeyValueBackend | None = self.get(label)
        if found is None:
            raise KeyError(label)
        return found

    def __contains__(self, label: object) -> bool:
        return isinstance(label, str) and self.get(label) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(surface().stores.kv)

    def __len__(self) -> int:
        return len(surface().stores.kv)


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
        client = surface()
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
        resolver = self._loading if CURRENT.context is None else surface().resolver
        return resolver.render(text)


class _KitSink(Sink):
    """One stream of one instance: kept by the client, and shown where pytest captures."""

    __slots__ = ("_stream",)

    def __init__(self, stream: str) -> None:
        super().__init__(None, None)
        self._stream = stream

    def write(self, data: bytes) -> None:
        data = bytes(data)
        surface().wrote(self._stream, data)
        target = sys.stdout if self._stream == "stdout" else sys.stderr
        if target is not None:
            target.write(data.decode("utf-8", "replace"))


class KitLog(ComponentLog):
    __slots__ = ()

    def open(self, stream: str, trace_id: Callable[[], str | None] = lambda: None) -> Sink:
        return _KitSink(stream)
