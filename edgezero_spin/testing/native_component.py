"""One app as one component of an application under test, in this process.

What its manifest grants is what it may open, read and call; without a manifest it may use
whatever the test gave.

Source: contract spin-host.md, KV-1, VAR-1 to VAR-11, NET-1 to NET-12.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from edgezero_spin.core.app import App
from edgezero_spin.core.event_handlers import AppEvent, NoEventHandlerError, report_failure
from edgezero_spin.core.headers import Headers
from edgezero_spin.core.outbound import OutboundTransport
from edgezero_spin.core.request import Request
from edgezero_spin.core.sources import MemorySource
from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.stores.declaration import DatabaseKind
from edgezero_spin.stores.memory import MemorySecrets
from edgezero_spin.stores.opening import open_on_platform
from edgezero_spin.testing.databases import DatabaseViews
from edgezero_spin.testing.grants import AppGrants, ComponentGrants
from edgezero_spin.testing.native_databases import NativeDatabases
from edgezero_spin.testing.native_messages import (
    NativeAnswer,
    as_a_host_takes_it,
    no_work,
)
from edgezero_spin.testing.requests import KitRequest
from edgezero_spin.testing.store_control import ACCESS_DENIED, StoreControl
from edgezero_spin.testing.store_log import StoreCall

__all__ = ["NativeComponent"]


class NativeComponent:
    """An app with what its component may use.

    Attributes:
        own: What the manifest grants it; ``None`` without a manifest.
        grants: What the application has; likewise.
        databases: Opens its databases; to be closed.
    """

    def __init__(
        self,
        app: App,
        own: ComponentGrants | None,
        grants: AppGrants | None,
        *,
        stores: StoreControl,
        databases: DatabaseViews,
        secrets: Mapping[str, str],
        variables: Mapping[str, str],
        env: Callable[[], Mapping[str, str]],
    ) -> None:
        """Put an app where its manifest puts it.

        Args:
            own: See the attribute.
            grants: See the attribute.
            stores: Of the test.
            databases: The SQLite databases of the test.
            secrets: Variables by the name that an app asks for, as the test sets them.
            variables: Variables of the application, likewise.
            env: Its environment at this moment.
        """
        app.compile()
        self.app = app
        self.own = own
        self.grants = grants
        self.environment = env
        self._variables = variables
        templates = {} if own is None else own.variables
        held = _Secrets(stores, MemorySecrets(secrets), templates, grants, variables)
        self.databases = NativeDatabases(
            own, grants, views=databases, stores=stores, variables=variables
        )
        labels = None if own is None else own.labels
        self._platform = _Platform(stores, labels, held, self.databases)

    def allows(self, scheme: str, authority: str) -> bool:
        """Tell whether it may send a request there."""
        if self.grants is None or self.own is None:
            return True
        return self.grants.allows(self.own, scheme, authority, self._variables)

    async def respond(
        self, request: KitRequest, headers: list[tuple[str, bytes]], transport: OutboundTransport
    ) -> "NativeAnswer":
        """Answer a request.

        Args:
            request: What is asked.
            headers: What the app sees of the header.
            transport: Carries what the app sends.
        """
        seen = Headers.received(headers)
        source = MemorySource(request.method, request.target, seen, request.body, request.trailers)
        source.scheme = request.scheme
        source.authority = request.authority
        asked = Request(source)
        # An app that brings a transport of its own keeps it.
        asked._transport = transport
        response = await self.app.handle(
            asked, lambda: open_on_platform(self.app.declaration, self._platform, self.environment)
        )
        taken = as_a_host_takes_it(response, request.method)
        # A response that a host refuses is an error, and an error has no work behind it.
        return NativeAnswer(taken, asked.background_work if taken is response else no_work)

    async def take(self, event: AppEvent, transport: OutboundTransport) -> str | None:
        """Have the handler of an event take it; return why it failed, in one line.

        Raises:
            NoEventHandlerError: The app has none.
        """
        try:
            await self.app.take(
                event,
                lambda: open_on_platform(self.app.declaration, self._platform, self.environment),
                transport=transport,
            )
        except NoEventHandlerError:
            raise
        except Exception as error:
            return report_failure(type(event).__name__, error)
        return None


@attrs.frozen
class _Secrets:
    """Variables: those that the test set, then those of the manifest's templates."""

    _stores: StoreControl
    _memory: MemorySecrets
    _templates: Mapping[str, str]
    _grants: AppGrants | None
    _variables: Mapping[str, str]

    def get(self, name: str) -> str | bytes | None:
        return self._stores.run(StoreCall("secret", "", name), lambda: self._value_of(name))

    def _value_of(self, name: str) -> str | bytes | None:
        value = self._memory.get(name)
        if value is None and self._grants is not None and name in self._templates:
            return self._grants.render(self._templates[name], self._variables)
        return value


@attrs.frozen
class _Platform:
    """The host, as the facades see it."""

    _stores: StoreControl
    _granted: tuple[str, ...] | None
    _secrets: _Secrets
    _databases: NativeDatabases

    async def open_database(self, kind: DatabaseKind, target: str) -> Any:
        return await self._databases.open_database(kind, target)

    def open_key_value(self, label: str) -> KeyValueBackend:
        try:
            return self._stores.open(label, self._granted)
        except BackendError as error:
            if error.message == ACCESS_DENIED:
                raise BackendError(
                    "access-denied (the label is not in this component's key_value_stores in "
                    "spin.toml)"
                ) from None
            raise

    def secrets(self) -> _Secrets:
        return self._secrets
