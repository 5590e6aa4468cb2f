"""Generated bindings of the store interfaces that a component imports.

componentize-py puts the bindings of our worlds into ``wit_world``, those of a component written
on spin-sdk into that package; spin-sdk 4 and 5 give modules the full names of interfaces.
WASI 0.2 and 0.3 call some interfaces alike, so functions tell them apart: only 0.3 has
coroutines.

In: what an app declares. Out: the functions and error types of the interfaces that it needs,
or which one is missing.

Source: componentize-py 0.17 to 0.25; contract wasi03.md, PY-1.
"""

from importlib import import_module
from inspect import CO_COROUTINE
from typing import Any

import attrs

from edgezero_spin.stores import BackendError, SecretNameInvalid, StoreDeclaration

__all__ = ["Err", "StoreInterfaces", "bind_stores", "imported", "secret_failure", "store_failure"]


def _first(*names: str) -> Any:
    """Return the first of these modules that exists, or ``None``."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


# What a call that failed raises; up to componentize-py 0.17 it lay with the bindings.
Err: Any = _first("componentize_py_types", "spin_sdk.wit.types", "wit_world.types").Err


@attrs.frozen(kw_only=True)
class StoreInterfaces:
    """The store interfaces of one generation of WASI.

    Attributes:
        key_value, variables: Their names in WIT, with versions.
        key_value_module, variables_module: What spin-sdk calls their modules.
        asynchronous: Whether their functions are coroutines.
        world: A fixed world that has both, for messages.
    """

    key_value: str
    variables: str
    key_value_module: str
    variables_module: str
    asynchronous: bool
    world: str


def bind_stores(declaration: StoreDeclaration, known: StoreInterfaces) -> tuple[Any, Any]:
    """Return the function that opens a store and the module of variables.

    Each is ``None`` where the declaration needs none.

    Raises:
        ImportError: The world lacks one of them; names it and the way out.
    """
    open_store = variables = None
    if declaration.kv or declaration.config:
        module = imported("Store.get", known.asynchronous, "key_value", known.key_value_module)
        if module is None:
            raise _missing(known.key_value, "key-value or config stores", known.world)
        open_store = module.Store.open
    if declaration.secrets or declaration.servers:
        variables = imported("get", known.asynchronous, "variables", known.variables_module)
        if variables is None:
            raise _missing(known.variables, "secret stores or servers", known.world)
    return open_store, variables


def imported(function: str, asynchronous: bool, *names: str) -> Any:
    """Return the module of an imported interface, ``None`` when the world does not import it.

    Args:
        function: One of its functions, which tells versions of the same name apart; empty for
            an interface of types alone.
        asynchronous: Whether that is a coroutine.
        names: What the module may be called.
    """
    for package in ("wit_world.imports", "spin_sdk.wit.imports"):
        for name in names:
            module = _first(f"{package}.{name}")
            if module is not None and not function:
                return module
            found = module
            for part in function.split("."):
                found = getattr(found, part, None)
            if found is not None:
                code = getattr(found, "__func__", found).__code__
                if bool(code.co_flags & CO_COROUTINE) == asynchronous:
                    return module
    return None


def _missing(interface: str, kind: str, world: str) -> ImportError:
    return ImportError(
        f"the app declares {kind}, but the world of this component does not import "
        f"{interface}: build it with `edgezero componentize`, which writes the world, or name one "
        f"that has it (-w {world})"
    )


_CASES = {
    "Error_StoreTableFull": "store-table-full (too many stores are open at once)",
    "Error_NoSuchStore": "no-such-store (the host knows no store by this label)",
    "Error_AccessDenied": (
        "access-denied (the label is not in this component's key_value_stores in spin.toml)"
    ),
}


def store_failure(error: Any) -> str:
    """Name a key-value error by its WIT case, or by the host's own text."""
    text = getattr(error, "value", None)
    if text is not None:
        return str(text)
    return _CASES.get(type(error).__name__, type(error).__name__)


def secret_failure(error: Any) -> BackendError | None:
    """Return what an error of a look-up means; ``None`` for a variable that is not defined."""
    case = type(error).__name__
    if case == "Error_Undefined":
        return None
    if case == "Error_InvalidName":
        return SecretNameInvalid(error.value)
    return BackendError(error.value)
