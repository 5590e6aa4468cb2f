"""Warm-up: what an instance would otherwise do at its first request, done while it is built.

The first use of ``weakref.finalize`` in an interpreter imports ``atexit`` and registers a hook:
250 000 wasm instructions, more than half of what an empty handler costs. Made here, that first
use is part of the snapshot and no instance pays for it.

A class that an app keeps in a store is named where it is read and nowhere else. What reads and
writes JSON for it is made when it is first needed: 5 million instructions, in the first request
of each instance that finds something stored. Every model that a handler's module names has
both made here.

The rest is CPython's own adaptation: a function that has run a few times is specialised to
the types it saw, and the snapshot keeps that too.

Source: measured with wasmtime's fuel, ``benchmarks/instructions.py``.
"""

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from edgezero_spin.core import warm as core_warm
from edgezero_spin.core.app import App
from edgezero_spin.core.route_table import Route
from edgezero_spin.guest.drive import run_without_loop
from edgezero_spin.stores import KeyValueStore, MemoryKeyValue
from edgezero_spin.stores.json_values import JsonValueError, writer_of
from edgezero_spin.stores.structure_hooks import is_model
from edgezero_spin.stores.structuring import structurer

__all__ = ["prepare_models", "warm_up"]

# The interpreter specialises a function after a handful of calls; more changes nothing.
_ROUNDS = 32


class _Anything:
    """Something that can be referred to weakly."""


def warm_up(stores: bool, drop_resource: Callable[..., None]) -> None:
    """Take the paths that every request takes, without a host and without the app's handlers.

    Args:
        stores: Whether the app has key-value stores; their facade is taken along.
        drop_resource: What drops a handle. It is not called: there is none yet.
    """
    thing = _Anything()
    weakref.finalize(thing, len, ())
    del thing
    for _ in range(_ROUNDS):
        weakref.finalize(None, drop_resource, 0, 0).detach()
    core_warm.warm_up()
    if stores:
        store = KeyValueStore(MemoryKeyValue({}))
        for _ in range(_ROUNDS):
            run_without_loop(store.put("key", {"text": "value", "number": 1}))
            run_without_loop(store.get("key", dict))
            run_without_loop(store.get("missing"))


def prepare_models(app: App) -> None:
    """Make what reads and writes JSON for the models that the modules of handlers name."""
    modules = {id(names): names for names in map(_globals_of, app.routes)}
    for names in modules.values():
        for value in list(names.values()):
            if isinstance(value, type) and is_model(value):
                # What has no JSON form says so where it is used.
                with suppress(TypeError, JsonValueError):
                    structurer(value)
                    writer_of(value)


def _globals_of(route: Route) -> dict[str, Any]:
    names: dict[str, Any] = getattr(route.handler, "__globals__", {})
    return names
