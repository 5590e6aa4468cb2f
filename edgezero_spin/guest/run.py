"""Make the class that a component exports out of an ``App``.

Inside a component (``sys.platform`` is ``wasi``) ``run_app`` runs while the component
is built: it compiles the app, imports the bindings, does once what an instance would
otherwise do at its first request, and what it leaves in memory is the snapshot that
every instance starts from. Outside it returns a class that can be made but not called,
so an app module imports natively with its last line in place.

Source: design.md, "The public API to aim for"; notes-wasm.md, "Instruction counts".
"""

import gc
import sys
from typing import Any

from edgezero_spin.bundle.building import take_bundle
from edgezero_spin.core.app import App
from edgezero_spin.core.unawaited import explain_unawaited
from edgezero_spin.guest.finalizers import guard_handles
from edgezero_spin.guest.free_memory import zero_free_memory
from edgezero_spin.guest.seeding import defer_seeding
from edgezero_spin.guest.warm import prepare_models, warm_up

__all__ = ["NativeHandler", "run_app"]


class NativeHandler:
    """What ``run_app`` returns outside a component: it knows its app, and refuses to run.

    Attributes:
        app: The app that the component serves.
    """

    app: App

    def handle(self, request: object, response_out: object) -> None:
        """Refuse.

        Raises:
            RuntimeError: Always; there is no host to answer to.
        """
        raise RuntimeError(
            "this handler runs inside a component; call the app itself (app.handle), "
            "or compile it: edgezero componentize app:app -o app.wasm"
        )


def run_app(app: App) -> type[Any]:
    """Return the class that the component exports as ``IncomingHandler``.

    Call it once, as the last line of the app module, when every route is declared::

        IncomingHandler = run_app(app)

    Args:
        app: The application. Its routes and bindings are compiled here.

    Returns:
        A class without constructor arguments and with the method
        ``handle(request, response_out)`` of ``wasi:http/incoming-handler@0.2.0``.
        Its attribute ``app`` is the app. In a component of WASI 0.3 its method is that of
        ``wasi:http/handler@0.3.0``, and the module that calls this function has it as
        ``HttpHandler``, too.

    Raises:
        TypeError: A handler's signature cannot be bound.
        ValueError: Two routes conflict, or a pattern is not valid.
        ImportError: Inside a component: the world it is built for lacks an interface
            that the app's stores need, or has two handlers.
    """
    app.compile()
    if sys.platform != "wasi":
        return type("IncomingHandler", (NativeHandler,), {"app": app})
    # These need the bindings, which exist nowhere but in a component being built.
    import componentize_py_runtime as runtime
    from wit_world import exports

    asynchronous = hasattr(exports, "HttpHandler")
    if asynchronous and hasattr(exports, "IncomingHandler"):
        raise ImportError(
            "the world of this component exports the handlers of WASI 0.2 and 0.3, and hosts take "
            "a component with one of them: leave wasi:http/incoming-handler or wasi:http/handler "
            "out of it, or have `edgezero componentize` choose the world"
        )
    drops = [runtime.drop_resource]
    if asynchronous:
        drops += [runtime.stream_drop_readable, runtime.stream_drop_writable]
        drops += [runtime.future_drop_readable]
    guard_handles(*drops)

    if asynchronous:
        from edgezero_spin.guest.wasi03.handler import incoming_handler
    else:
        from edgezero_spin.guest.wasi02.handler import incoming_handler

    handler = incoming_handler(app)
    explain_unawaited()
    defer_seeding()
    prepare_models(app)
    warm_up(bool(app.declaration.kv), runtime.drop_resource)
    take_bundle()
    # What the snapshot holds lives as long as the instance: a collection that falls
    # into a request need not walk it (2 million instructions in a hello app).
    gc.collect()
    zero_free_memory()
    gc.freeze()
    # componentize-py looks for a class by the name of each interface, in the app's module.
    names = ["HttpHandler"] if asynchronous else []
    if app.triggers:
        names += ["InboundRedis", "WitWorld"]
    sys._getframe(1).f_globals.update(dict.fromkeys(names, handler))
    return handler
