"""The class that a component of WASI 0.3 exports: many requests at once in one instance.

An instance never traps because of a request: whatever fails in the app becomes the JSON 500 of
the contract with the traceback on stderr, and once the head is out, an aborted body.

Source: ``wasi:http/handler@0.3.0``; contract wasi03.md, WH-30 to WH-42, PY-20.
"""

import os
from asyncio import Task
from collections.abc import Coroutine
from typing import Any

import componentize_py_runtime as runtime
from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports import wasi_http_types as types

from edgezero_spin.core.app import App
from edgezero_spin.core.outbound import OutboundTransport
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.guest.response_rules import FAILED, FAILED_HEADERS, headers_of_nothing, report
from edgezero_spin.guest.wasi03.event_loop import loop
from edgezero_spin.guest.wasi03.export_index import export_index
from edgezero_spin.guest.wasi03.incoming import IncomingSource
from edgezero_spin.guest.wasi03.outgoing import BodyWriter, response_of, response_passing_on
from edgezero_spin.guest.wasi03.stores import platform
from edgezero_spin.guest.wasi03.tasks import current, spawn, start
from edgezero_spin.stores import open_on_platform

__all__ = ["incoming_handler"]


def _transport() -> OutboundTransport:
    """Bind the way out; only a component that asks for it imports one."""
    try:
        from edgezero_spin.guest.wasi03.outbound import ComponentTransport
    except ImportError as error:
        raise ImportError(
            "the app sends requests, but the world of this component does not import "
            "wasi:http/client@0.3.0: build it with `edgezero componentize`, which chooses the "
            "world, or name one that has it"
        ) from error
    return ComponentTransport()


def incoming_handler(app: App) -> type[Any]:
    """Return the export class for ``app``, with everything bound that can be bound now."""
    index = export_index(exports.HttpHandler, "handle", 1)
    declaration = app.declaration
    stores_of = platform(declaration)
    handle_request = app.handle
    if app.outbound_http:
        app.transport = _transport()
    # One for all requests: neither the labels nor the open stores change in an instance.
    stores = open_on_platform(declaration, stores_of, lambda: os.environ)

    async def serve(request: Request) -> Response | None:
        try:
            return await handle_request(request, stores)
        except BaseException:
            report()
            return None

    class IncomingHandler:
        """``wasi:http/handler@0.3.0`` for one app."""

        def _async_start_handle(self, request: types.Request, borrows: int) -> int:
            source = IncomingSource(request)
            asked = Request(source)

            def respond(main: "Task[Response | None]") -> None:
                response = None if main.cancelled() else main.result()
                if response is None:
                    source.close()
                    _fail(index, borrows)
                    return
                work = asked.background_work()
                content = response.body
                status, pairs = response.status, response.header_pairs
                if content == b"":
                    pairs = headers_of_nothing(status, pairs, asked.method)
                given = body = None
                try:
                    # What is done behind a response has to know when it was sent.
                    if work is None and isinstance(content, BodyStream):
                        given = content.give_source()
                    if given is None:
                        head, body = response_of(status, pairs)
                    else:
                        head = response_passing_on(status, pairs, *given)
                except BaseException:
                    report()
                    if work is not None:
                        work.close()
                    source.close()
                    _fail(index, borrows)
                    return
                runtime.call_task_return(index, borrows, Ok(head))
                if body is None:
                    source.close()
                else:
                    _send(body, content, source, work)

            return start(serve(asked), loop, respond)

    if app.triggers:
        # Only an app with handlers of events carries what takes them.
        from edgezero_spin.guest.wasi03.events import add_event_exports

        add_event_exports(IncomingHandler, app, stores)
    IncomingHandler.app = app  # type: ignore[attr-defined]
    return IncomingHandler


def _send(
    body: BodyWriter,
    content: bytes | BodyStream,
    source: IncomingSource,
    work: "Coroutine[Any, Any, None] | None",
) -> None:
    """Send a body behind its head, and do what is to be done after it."""
    if isinstance(content, bytes):
        if work is None:
            source.close()
            body.send(current(), content)
        else:
            body.send(current(), content, lambda: spawn(_work_behind(work, source)))
        return

    async def stream() -> None:
        try:
            await body.send_all(current(), content)
            if work is not None:
                await work
        finally:
            if work is not None:
                # Not begun where the body failed, and nobody waits for it any more.
                work.close()
            source.close()

    spawn(stream())


async def _work_behind(work: "Coroutine[Any, Any, None]", source: IncomingSource) -> None:
    try:
        await work
    finally:
        source.close()


def _fail(index: int, borrows: int) -> None:
    head, body = response_of(500, FAILED_HEADERS)
    runtime.call_task_return(index, borrows, Ok(head))
    body.send(current(), FAILED)
