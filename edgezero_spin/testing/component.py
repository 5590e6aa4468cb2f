"""Test client of a compiled component, or of a whole ``spin.toml``, on the embedded host.

The component may be written in any language: the client knows nothing of how it was made.
Stores are in memory and belong to the client, instances are fresh for each request as they
are on Spin, and the compiled component is shared by all clients of the process.
"""

import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezero_spin.core.event_handlers import AppEvent
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.testing.arguments import check_arguments
from edgezero_spin.testing.auth import AuthInput
from edgezero_spin.testing.client import DEFAULT_DEADLINE_S, Client
from edgezero_spin.testing.clock import nanoseconds_of
from edgezero_spin.testing.databases import DatabaseViews
from edgezero_spin.testing.errors import KitError, NoAnswerError
from edgezero_spin.testing.event_result import EventResult
from edgezero_spin.testing.grants import grants_of
from edgezero_spin.testing.requests import KitRequest
from edgezero_spin.testing.response import ClientResponse
from edgezero_spin.testing.sources import check_fresh, component_files, state_of
from edgezero_spin.testing.store_control import StoreControl

if TYPE_CHECKING:
    from edgezero_spin.host.factors.variables.resolver import VariableResolver

__all__ = ["ComponentClient"]

# pytest shows a failure where the test made it happen, not here.
__tracebackhide__ = True

# The host's own deadline comes first and has more to say.
GRACE_S = 3.0


class ComponentClient(Client):
    """A client of a component in wasm.

    ```python
    with ComponentClient("spin.toml", kv={"notes": {"bread": {"title": "Bread"}}}) as client:
        response = client.get("/notes/bread")
        assert response.usage.fuel < 2_000_000
    ```

    Attributes:
        variables: Variables of the application; what a test sets is there from the next
            request on.
        granted: Component id to the labels that its manifest grants; ``None`` for a
            component without manifest, which may open every store that there is.
        granted_databases: The same of SQLite databases.
        now_ns: What the component's clock says, in nanoseconds since 1970; ``None`` for the
            time that it is.
    """

    mode = "component"

    def __init__(
        self,
        path: "str | PathLike[str]",
        *,
        kv: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        sqlite: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        auth: AuthInput = None,
        now: datetime | None = None,
        seed: int | None = None,
        deadline_s: float | None = DEFAULT_DEADLINE_S,
        sleep: Callable[[float], None] = time.sleep,
        measure_memory: bool = False,
        allow_stale: bool = False,
    ) -> None:
        """Load the component, unless that is done already, and make stores for it.

        Args:
            path: A ``spin.toml``, its folder, or a component file. A manifest limits what
                the component may use; a component file gets what the test gives it.
            kv: Label to entries. Bytes and text are stored as they are, other values as
                JSON. Labels that the manifest grants and that are not here are empty.
            config: Label to a table of config values, or to the model of a configuration, as
                ``config push`` would write them.
            sqlite: Label to what fills that database: statements as text, a
                ``pathlib.Path`` of a file with them, or a list of both.
            secrets: Variables by the name that the component asks for.
            variables: Variables of the application, for the templates of the manifest.
            env: Environment variables, over those of the manifest.
            cookies: Cookies that the client has from the beginning, by name.
            auth: Credentials of its requests; see ``request``.
            now: What the component's clock says, instead of the time that it is; UTC unless
                it has a zone.
            seed: Makes what is random for the component the same in every run.
            deadline_s: Seconds that one request may take; ``None`` for no limit.
            sleep: What a delayed store call does.
            measure_memory: Tell the peak memory of each request; slower. Read from
                ``/proc/self/maps``, so it stays ``None`` where there is none (Linux has it).
            allow_stale: Test a component although its sources are newer.

        Raises:
            MissingComponentError: The component is not built.
            StaleComponentError: It is older than what its manifest watches.
            PreloadError: A value is of a wrong kind.
            UnknownLabelError: The manifest grants no such label.
            UnknownVariableError: The manifest knows no such variable.
        """
        check_arguments(
            kv=kv,
            config=config,
            sqlite=sqlite,
            secrets=secrets,
            variables=variables,
            env=env,
            cookies=cookies,
            now=now,
            seed=seed,
            deadline_s=deadline_s,
        )
        manifest = load_spin_manifest(Path(path).absolute())
        path = manifest.path
        files = component_files(manifest)
        if not allow_stale:
            check_fresh(manifest)
        grants = None if path.suffix in (".wasm", ".wat") else grants_of(manifest)
        if grants is None:
            if variables:
                raise KitError(
                    f"{path.name} comes without a spin.toml, so it has no application "
                    f"variables; give secrets=... by the names that the component asks for"
                )
            remedy = f"name it in kv={{...}}: {path.name} comes without a spin.toml"
            stores = StoreControl((), open_ended=True, remedy=remedy, sleep=sleep)
            databases = DatabaseViews(
                (), open_ended=True, remedy=remedy.replace("kv={", "sqlite={", 1)
            )
        else:
            grants.check_set(variables or {}, secrets or {})
            labels = [label for part in grants.components.values() for label in part.labels]
            remedy = f"add it to key_value_stores in {path}"
            stores = StoreControl(dict.fromkeys(labels), remedy=remedy, sleep=sleep)
            databases = DatabaseViews(
                dict.fromkeys(
                    label for part in grants.components.values() for label in part.databases
                ),
                remedy=f"add it to sqlite_databases in {path}",
            )
        stores.preload(kv, config)
        databases.fill(sqlite or {})
        now_ns = None if now is None else nanoseconds_of(now)
        super().__init__(
            stores,
            databases=databases,
            env=env,
            secrets=dict(secrets or {}),
            deadline_s=deadline_s,
            grace_s=GRACE_S,
            cookies=cookies,
            auth=auth,
            now_ns=now_ns,
        )
        self.granted: Mapping[str, tuple[str, ...]] | None = (
            None if grants is None else {id: part.labels for id, part in grants.components.items()}
        )
        self.granted_databases: Mapping[str, tuple[str, ...]] | None = (
            None
            if grants is None
            else {id: part.databases for id, part in grants.components.items()}
        )
        self.now_ns = now_ns
        self._random = None if seed is None else random.Random(seed)
        self._path = path
        self._written = {"stdout": bytearray(), "stderr": bytearray()}
        self.variables: dict[str, str] = dict(variables or {})
        # The engine is loaded here and not by the import of this module: native tests do
        # without it.
        from edgezero_spin.testing import hosting

        self._hosting = hosting
        self._runtime = hosting.runtime_of(
            path, state_of(path, files), deadline_s=deadline_s, measures_memory=measure_memory
        )
        self._resolver = self._runtime.variables(self.variables)

    # What the host's functions ask for

    def variable(self, component_id: str, name: str) -> str | None:
        """The value that the test set for a component's variable, if it did."""
        return self.secrets.get(name)

    @property
    def resolver(self) -> "VariableResolver":
        """The variables of the manifest, with the values that the test set."""
        return self._resolver

    def random_bytes(self, length: int) -> bytes:
        """Random bytes, the same in every run with a ``seed``."""
        return os.urandom(length) if self._random is None else self._random.randbytes(length)

    def wrote(self, stream: str, data: bytes) -> None:
        """Keep what a component wrote."""
        self._written[stream] += data

    async def _answer(self, request: KitRequest) -> ClientResponse:
        begun = len(self.calls)
        out, err = self._written["stdout"], self._written["stderr"]
        marks = len(out), len(err)
        exchange = self._hosting.WatchedExchange(self, self._runtime.measures_memory)
        answer = await exchange.ask(self._runtime.host, request)
        body = self._hosting.HostBody(answer, exchange, str(request), self.deadline_s)
        response = ClientResponse(
            str(request),
            answer.status,
            answer.headers,
            source=body,
            runner=self._portal,
            calls=lambda: self.calls.since(begun),
            output=lambda: (bytes(out[marks[0] :]), bytes(err[marks[1] :])),
        )

        def finished(response: ClientResponse) -> None:
            response.usage = exchange.usage
            if exchange.usage is not None:
                self.usages.append(exchange.usage)
            if exchange.error is None:
                return
            response.failure = str(exchange.error)
            if exchange.out_of_time and response.status == 500 and not response._content:
                # What came was the host's own answer, in place of one that never came.
                raise NoAnswerError(str(request), self.deadline_s or 0.0)

        response._on_end.append(finished)
        return response

    async def _take(self, event: AppEvent) -> EventResult:
        begun = len(self.calls)
        out, err = self._written["stdout"], self._written["stderr"]
        marks = len(out), len(err)
        exchange = self._hosting.WatchedExchange(self, self._runtime.measures_memory)
        try:
            outcomes = await self._runtime.host.trigger(event, exchange)
        except ValueError as error:
            raise KitError(f"{error}; declare the trigger in {self._path}") from None
        if not outcomes:
            raise KitError(f"no trigger in {self._path} listens to {event}")
        await exchange.end()
        if exchange.out_of_time:
            raise NoAnswerError(str(event), self.deadline_s or 0.0)
        if exchange.usage is not None:
            self.usages.append(exchange.usage)
        return EventResult(
            str(event),
            next((outcome.detail for outcome in outcomes if not outcome.ok), None),
            calls=lambda: self.calls.since(begun),
            output=lambda: (bytes(out[marks[0] :]), bytes(err[marks[1] :])),
            usage=exchange.usage,
        )
