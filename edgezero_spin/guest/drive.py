"""Drive a coroutine to its end, with an event loop only where one can be needed.

Handlers that await nothing but stores and bodies never suspend: WASI 0.2 calls block.
Driving them takes one ``send``. A coroutine that suspends waits on asyncio, and then
asyncio has been imported while the component was built; so that import decides.

Source: design.md, "A coroutine that never suspends is driven without an event loop".
"""

import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["run_without_loop", "runner", "wait"]

T = TypeVar("T")


def runner() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Return what drives this component's coroutines. Called while it is built.

    An app that imports asyncio gets an event loop on ``wasi:io/poll``; one that does not
    cannot suspend on it, and its component does not carry the 3 MB.
    """
    if sys.platform == "wasi" and "asyncio" in sys.modules:
        # asyncio is there already; its loop needs the bindings, so it exists only here.
        from edgezero_spin.guest.wasi02.loop import run_in_loop

        return run_in_loop
    return run_without_loop


def run_without_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run ``coroutine`` to its end and return its result.

    Raises:
        RuntimeError: It suspends, and nothing here could wake it.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError(
        "a coroutine waits for something that only an event loop can deliver; "
        "`import asyncio` at the top of the app module, so that the component carries one"
    )


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run one store call from a handler that is not ``async``.

    For a component written on another SDK that takes over only the stores::

        value = wait(stores.kv["notes"].get("id"))

    Raises:
        RuntimeError: The coroutine suspends, as calls of asynchronous stores may.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError(
        "wait cannot run a call that suspends: await it in an async handler, or open the stores "
        "with open_stores(..., blocking=True)"
    )
