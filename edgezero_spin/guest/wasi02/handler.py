"""The class that a component exports: one call, one request, one response.

An instance never traps because of a request: whatever fails in the app becomes the
JSON 500 of the contract with the traceback on stderr, and once the head is out, an
aborted body.

Source: ``wasi:http/incoming-handler@0.2.0``; contract edgezero.md, SPN-1 to SPN-7;
design.md, "Deliberate differences".
"""

import os
from typing import Any

from wit_world.imports import types

from edgezero_spin.core.app import App
from edgezero_spin.core.outbound import OutboundTransport
from edgezero_spin.core.request import Request
from edgezero_spin.guest.drive import runner
from edgezero_spin.guest.response_rules import FAILED, FAILED_HEADERS, report
from edgezero_spin.guest.wasi02.incoming import IncomingSource
from edgezero_spin.guest.wasi02.outgoing import send_bytes, send_stream
from edgezero_spin.guest.wasi02.stores import platform
from edgezero_spin.stores import Stores, open_on_platform

__all__ = ["incoming_handler"]


def _transport() -> OutboundTransport:
    """Bind the way out; only a component that asks for it imports one."""
    try:
        from edgezero_spin.guest.wasi02.outbound import ComponentTransport
    except ImportError as error:
        raise ImportError(
            "the app sends requests, but the world of this component does not import "
            "wasi:http/outgoing-handler@0.2.0: build it with `edgezero componentize`, which "
            "chooses the world, or name one that has it"
        ) from error
    return ComponentTransport()


def _environ() -> "os._Environ[str]":
    return os.environ


def incoming_handler(app: App) -> type[Any]:
    """Return the export class for ``app``, with everything bound that can be bound now."""
    declaration = app.declaration
    stores_of = platform(declaration)
    run = runner()
    handle_request = app.handle
    if app.outbound_http:
        app.transport = _transport()

    def opened() -> Stores:
        return open_on_platform(declaration, stores_of, _environ)

    stores = None if declaration.empty else opened

    async def serve(source: IncomingSource, outparam: types.ResponseOutparam) -> None:
        request = Request(source)
        response = await handle_request(request, stores)
        body = response.body
        if isinstance(body, bytes):
            send_bytes(outparam, response.status, response.header_pairs, body, source.method)
        else:
            try:
                await send_stream(outparam, response.status, response.header_pairs, body)
            finally:
                await body.aclose()
        work = request.background_work()
        if work is not None:
            await work

    class IncomingHandler:
        """``wasi:http/incoming-handler@0.2.0`` for one app."""

        def handle(
            self, request: types.IncomingRequest, response_out: types.ResponseOutparam
        ) -> None:
            source = IncomingSource(request)
            try:
                run(serve(source, response_out))
            except BaseException:
                report()
                _answer_failure(response_out)
            source.close()

    if app.triggers:
        # Only an app with handlers of events carries what takes them.
        from edgezero_spin.guest.wasi02.events import add_event_exports

        add_event_exports(IncomingHandler, app, run, stores)
    IncomingHandler.app = app  # type: ignore[attr-defined]
    return IncomingHandler


def _answer_failure(outparam: types.ResponseOutparam) -> None:
    """Answer 500, unless an answer is out already."""
    if getattr(outparam, "handle", None) is None:
        return
    try:
        send_bytes(outparam, 500, FAILED_HEADERS, FAILED)
    except BaseException:
        report()
