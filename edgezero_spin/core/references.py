"""Handlers and middleware that a manifest names as text: ``pkg.mod:func``.

They are looked up when the app is compiled and not before, because the module that makes
the app from its manifest may define them further down.

Source: contract edgezero.md, APP-7; the syntax is Python's own (OPQ-11).
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from edgezero_spin.errors import ManifestError

__all__ = ["Reference", "parse_reference", "resolve", "resolved"]


class Reference(NamedTuple):
    """A name to be looked up.

    Attributes:
        module: Dotted module.
        name: What in it, dotted for a static method.
        origin: The file and key that say so, for messages.
        caller: The module that loaded the manifest.
    """

    module: str
    name: str
    origin: str
    caller: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


def parse_reference(text: str, origin: str, caller: str) -> Reference:
    """Read the text that names a handler or a middleware.

    Args:
        text: As the manifest has it.
        origin: The file and key that say so, for messages.
        caller: The module that loads the manifest.

    Raises:
        ManifestError: It is not a module, a colon and a name.
    """
    module, colon, name = text.partition(":")
    steps = [*module.split("."), *name.split(".")]
    if not colon or not all(step.isidentifier() for step in steps):
        raise ManifestError(
            f"{origin}: invalid handler path {text!r}: write the module, a colon and the "
            f"function, as in 'app.handlers:root'"
        )
    return Reference(module, name, origin, caller)


def resolve(reference: Reference) -> Callable[..., Any]:
    """Import the module and return the callable.

    Raises:
        ManifestError: There is no such module, no such name in it, or it is not callable.
            A failure inside the module itself passes as it is.
    """
    found: Any = _module(reference)
    for step in reference.name.split("."):
        try:
            found = getattr(found, step)
        except AttributeError:
            raise ManifestError(
                f"{reference.origin}: {str(reference)!r} names nothing: "
                f"module {reference.module!r} has no {reference.name!r}"
            ) from None
    if not callable(found):
        raise ManifestError(f"{reference.origin}: {str(reference)!r} is not a function")
    handler: Callable[..., Any] = found
    return handler


def resolved(named: Callable[..., Any] | Reference) -> Callable[..., Any]:
    """Return a callable as it is, and what a reference names. Raises as ``resolve`` does."""
    return resolve(named) if isinstance(named, Reference) else named


def _module(reference: Reference) -> ModuleType:
    if reference.caller == "__main__":
        # ``python app.py`` runs app.py under another name; importing it again would make
        # a second app.
        main = sys.modules["__main__"]
        file = getattr(main, "__file__", None) or ""
        if file.replace("\\", "/").rpartition("/")[2] == f"{reference.module}.py":
            return main
    try:
        return importlib.import_module(reference.module)
    except ModuleNotFoundError as error:
        if error.name and f"{reference.module}.".startswith(f"{error.name}."):
            raise ManifestError(
                f"{reference.origin}: {str(reference)!r}: there is no module {error.name!r} "
                f"on the Python path"
            ) from None
        raise
