"""Generated bindings of the interfaces that a component imports.

componentize-py puts the bindings of our worlds into ``wit_world``, those of a component written
on spin-sdk into that package; spin-sdk 4 and 5 give modules the full names of interfaces.
WASI 0.2 and 0.3 call some interfaces alike, so functions tell them apart: only 0.3 has
coroutines.

Source: componentize-py 0.17 to 0.25; contract wasi03.md, PY-1.
"""

from importlib import import_module
from inspect import CO_COROUTINE
from typing import Any

__all__ = ["interface_module"]


def interface_module(function: str, *names: str, asynchronous: bool) -> Any:
    """Return the module of an imported interface, ``None`` when the world does not import it.

    Args:
        function: A function of the interface, with its class (``Store.get``).
        names: What the module may be called.
        asynchronous: Whether the function has to be a coroutine.
    """
    for package in ("wit_world.imports", "spin_sdk.wit.imports"):
        for name in names:
            try:
                module = import_module(f"{package}.{name}")
            except ImportError:
                continue
            found: Any = module
            for part in function.split("."):
                found = getattr(found, part)
            if bool(found.__code__.co_flags & CO_COROUTINE) == asynchronous:
                return module
    return None
