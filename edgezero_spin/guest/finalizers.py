"""Finalizers of resource handles, without the registry of ``weakref``.

componentize-py guards each resource with ``weakref.finalize``, which keeps a registry, counts and
remembers its order for the end of the process: 12 000 instructions for a handle, and a
response has six of them. What guards a handle here is an object that nothing but the resource
holds; it drops the handle when it goes, unless it was detached.

Every other use of ``weakref.finalize`` stays as it is.

Source: ``imported_resource_from_canon`` in the runtime of componentize-py 0.25; measured with
``benchmarks/instructions.py``.
"""

import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["guard_handles"]


def guard_handles(*drops: Callable[..., None]) -> None:
    """Have ``weakref.finalize`` make the lighter finalizer where it is to drop a handle.

    Called while a component is built.

    Args:
        drops: The functions of componentize-py's runtime that drop one; each takes two numbers,
            of which the second is the handle.
    """
    bare = object.__new__
    known = frozenset(drops)

    class Finalizer:
        """What drops one handle when its resource is gone."""

        __slots__ = ("args", "drop")
        args: tuple[Any, ...] | None
        drop: Callable[..., None]

        def detach(self) -> tuple[object, Callable[..., None], tuple[Any, ...] | None, None]:
            """Leave the handle to the caller, and return what would drop it."""
            args = self.args
            self.args = None
            return None, self.drop, args, None

        def __del__(self) -> None:
            args = self.args
            if args is not None:
                self.drop(*args)

    def new(cls: Any, obj: object, func: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
        if func not in known:
            return bare(cls)
        finalizer = bare(Finalizer)
        finalizer.args = args
        finalizer.drop = func
        return finalizer

    weakref.finalize.__new__ = staticmethod(new)  # type: ignore[method-assign,assignment]
