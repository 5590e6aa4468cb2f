"""Test client of an app in this process: no wasm, no build, and the stores of a Spin host."""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from edgezero_spin.core.app import App
from edgezero_spin.core.event_handlers import AppEvent, NoEventHandlerError
from edgezero_spin.core.response import Response
from edgezero_spin.environment import EnvironmentLayer
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.testing.arguments import check_arguments
from edgezero_spin.testing.auth import AuthInput
from edgezero_spin.testing.client import DEFAULT_DEADLINE_S, Client
from edgezero_spin.testing.clock import nanoseconds_of
from edgezero_spin.testing.databases import DatabaseViews
from edgezero_spin.testing.errors import KitError, PreloadError
from edgezero_spin.testing.event_result import EventResult
from edgezero_spin.testing.grants import AppGrants, ComponentGrants, grants_of
from edgezero_spin.testing.native_component import NativeComponent
from edgezero_spin.testing.native_messages import (
    NativeAnswer,
    NativeBody,
    kept_headers,
    promised_length,
    response_headers,
)
from edgezero_spin.testing.native_outbound import NativeTransport
from edgezero_spin.testing.native_routes import NativeRoutes
from edgezero_spin.testing.request_tasks import RequestTasks
from edgezero_spin.testing.requests import KitRequest
from edgezero_spin.testing.response import ClientResponse
from edgezero_spin.testing.store_control import StoreControl
from edgezero_spin.testing.surroundings import Surroundings
from edgezero_spin.testing.unavailable_imports import warn_of_unavailable_imports

__all__ = ["TestClient"]

# pytest shows a failure where the test made it happen, not here.
__tracebackhide__ = True


class TestClient(Client):
    """A client of an ``App`` in this process.

    ```python
    client = TestClient(app, kv={"notes": {"bread": {"title": "Bread"}}})
    assert client.get("/notes/bread").json() == {"title": "Bread"}
    assert client.calls.texts == ["open notes", "get notes bread"]
    ```
    """

    mode = "native"
    __test__ = False

    def __init__(
        self,
        app: App,
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
        manifest: "str | PathLike[str] | None" = None,
        component: str | None = None,
        apps: Mapping[str, App] | None = None,
        deadline_s: float | None = DEFAULT_DEADLINE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make a client with stores of its own.

        Args:
            app: What to test.
            kv: Label to entries. Bytes and text are stored as they are, other values as
                JSON. Stores that the app declares and that are not here are empty.
            config: Label to a table of config values, or to the model of a configuration, as
                ``config push`` would write them.
            sqlite: Label to what fills that database: statements as text, a ``pathlib.Path`` of
                a file with them, or a list of both. Databases that the app declares and that are
                not here are empty.
            secrets: Secrets by name.
            variables: Variables of the application, for the templates of ``manifest``.
            env: Environment variables, ``EDGEZERO__*`` among them.
            cookies: Cookies that the client has from the beginning, by name.
            auth: Credentials of its requests; see ``request``.
            now: What the clock says during requests, instead of the time that it is; UTC
                unless it has a zone. Needs time-machine, of the extra ``testing``.
            seed: Makes what is random for the app the same in every run.
            manifest: A ``spin.toml``: only what it grants the component is granted.
            component: The app's component in it; may be left out where it has one.
            apps: Other components of it by id, which answer on their routes and what this app
                sends to ``http://ID.spin.internal``.
            deadline_s: Seconds that one request may take; ``None`` for no limit.
            sleep: What a delayed store call does.

        Warns:
            ComponentImportWarning: A module with handlers imports what no component has.

        Raises:
            KitError: ``now`` is given and time-machine is not installed.
            PreloadError: A value is of a wrong kind.
            UnknownLabelError: A label is neither declared by the app nor granted.
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
        self.app = app
        warn_of_unavailable_imports(app)
        loaded = None if manifest is None else load_spin_manifest(Path(manifest))
        grants = None if loaded is None else grants_of(loaded)
        own = None if grants is None else grants.one(component)
        environment = {**({} if own is None else own.environment), **(env or {})}
        if grants is None:
            if variables or apps:
                raise PreloadError(
                    "variables" if variables else "apps",
                    "they belong to a spin.toml; name it with manifest=..., or give secrets=... "
                    "by the names that the app asks for",
                )
            labels: Iterable[str] = _labels_of(app, environment)
            remedy = "declare it in the app, App(kv=[...]), or look at EDGEZERO__STORES__* in env"
        else:
            labels = [label for part in grants.components.values() for label in part.labels]
            remedy = f"add it to key_value_stores in {grants.path}"
        stores = StoreControl(dict.fromkeys(labels), remedy=remedy, sleep=sleep)
        stores.preload(kv, config)
        declared = _names_of(app, environment, "sqlite")
        if grants is not None:
            declared = [label for part in grants.components.values() for label in part.databases]
        databases = DatabaseViews(
            dict.fromkeys(declared),
            open_ended=grants is None,
            remedy=f"add it to sqlite_databases in {grants and grants.path}",
        )
        databases.fill(sqlite or {})
        now_ns = None if now is None else nanoseconds_of(now)
        super().__init__(
            stores,
            databases=databases,
            env=environment,
            secrets=dict(secrets or {}),
            deadline_s=deadline_s,
            cookies=cookies,
            auth=auth,
            now_ns=now_ns,
        )
        self.variables: dict[str, str] = dict(variables or {})
        if grants is not None and own is not None:
            for id in (own.id, *(apps or {})):
                grants.check_set(self.variables, self.secrets, grants.one(id).id)
        self._component = self._placed(app, own, grants)
        self._components = {
            id: self._placed(other, grants.components[id], grants)
            for id, other in (apps or {}).items()
            if grants is not None
        }
        id = "" if own is None else own.id
        self._components[id] = self._component
        self._owned += [each.databases.close for each in self._components.values()]
        self._routes = NativeRoutes(loaded, id)
        self._now_ns = now_ns
        self._dice = None if seed is None else random.Random(seed)
        self._surroundings = self._around()
        self._portal.on_give_up = self._leave_behind

    def _placed(
        self, app: App, part: ComponentGrants | None, grants: AppGrants | None
    ) -> NativeComponent:
        """Return an app as the component that it is."""

        def environment() -> Mapping[str, str]:
            own = self._component.own
            if part is None or own is None or part is own:
                return self.env
            # What the manifest gives the app under test is not the other's.
            tests = {k: v for k, v in self.env.items() if own.environment.get(k) != v}
            return {**part.environment, **tests}

        return NativeComponent(
            app,
            part,
            grants,
            stores=self.stores,
            databases=self.sqlite,
            secrets=self.secrets,
            variables=self.variables,
            env=environment,
        )

    def _leave_behind(self) -> None:
        self._surroundings.leave_behind()
        self._surroundings = self._around()

    def _around(self) -> Surroundings:
        return Surroundings(self.env, now_ns=self._now_ns, dice=self._dice)

    async def _answer(self, request: KitRequest) -> ClientResponse:
        begun = len(self.calls)
        outer = self._surroundings
        marks = len(outer.stdout), len(outer.stderr)
        transport = NativeTransport(
            self._component, self._components, self._routes, self.http, outer
        )
        tasks = RequestTasks()
        with outer, tasks.collect():
            found = self._routes.find(request)
            if found is None:
                answer = NativeAnswer(Response(b"", 404, [("content-length", "0")]))
            else:
                id, added = found
                if id not in self._components:
                    raise KitError(
                        f"{request} goes to {id!r}, which has no app in this test; give "
                        f"apps={{{id!r}: app}} to the TestClient, or test the component"
                    )
                headers = [*kept_headers(request), *added]
                answer = await transport.respond(self._components[id], request, headers)
        response = answer.response
        pairs = response_headers(response, request.method)
        length = promised_length(pairs, request.method)
        return ClientResponse(
            str(request),
            response.status,
            pairs,
            source=NativeBody(answer, str(request), outer, length, tasks),
            runner=self._portal,
            calls=lambda: self.calls.since(begun),
            output=lambda: (bytes(outer.stdout[marks[0] :]), bytes(outer.stderr[marks[1] :])),
        )

    async def _take(self, event: AppEvent) -> EventResult:
        begun = len(self.calls)
        outer = self._surroundings
        marks = len(outer.stdout), len(outer.stderr)
        transport = NativeTransport(
            self._component, self._components, self._routes, self.http, outer
        )
        tasks = RequestTasks()
        with outer, tasks.collect():
            try:
                error = await self._component.take(event, transport)
            except NoEventHandlerError as missing:
                raise KitError(str(missing)) from None
        return EventResult(
            str(event),
            error,
            calls=lambda: self.calls.since(begun),
            output=lambda: (bytes(outer.stdout[marks[0] :]), bytes(outer.stderr[marks[1] :])),
        )


def _labels_of(app: App, environment: Mapping[str, str]) -> list[str]:
    return [*_names_of(app, environment, "kv"), *_names_of(app, environment, "config")]


def _names_of(app: App, environment: Mapping[str, str], kind: str) -> list[str]:
    """Return what the platform calls the stores of one kind that an app declares."""
    layer = EnvironmentLayer.from_mapping(environment)
    declared = getattr(app.declaration, kind)
    return [] if declared is None else [layer.store_name(kind, id) for id in declared.ids]
