"""Warn natively of what a component could not import.

In: an app. Out: a ``ComponentImportWarning`` at each import statement, in the modules that define
its handlers, of a module that works here and in no component. Imports that a ``try`` catches
have a way out and are left alone.

Source: ``edgezero_spin.bundle.unavailable``.
"""

import ast
import functools
import inspect
import sys
import warnings
from collections.abc import Iterator

from edgezero_spin.bundle.unavailable import COMPILED, NOT_BUNDLED, PAGE, why_unavailable
from edgezero_spin.core.app import App

__all__ = ["ComponentImportWarning", "warn_of_unavailable_imports"]

_COMPILED_SUFFIXES = (".so", ".pyd")
_CATCHING = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


class ComponentImportWarning(UserWarning):
    """An app imports a module that it cannot have inside a component."""


def warn_of_unavailable_imports(app: App) -> None:
    """Warn of each import of a module that no component has."""
    names = {getattr(inspect.unwrap(route.handler), "__module__", None) for route in app.routes}
    for name in sorted(name for name in names if name):
        file = getattr(sys.modules.get(name), "__file__", None)
        for line, sentence in _found(file) if file else ():
            warnings.warn_explicit(
                f"{sentence} ({PAGE})", ComponentImportWarning, str(file), line, name
            )


@functools.cache
def _found(file: str) -> tuple[tuple[int, str], ...]:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - a name that __file__ has, as it is
            tree = ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError):
        return ()
    found = []
    for node, name in _imports(tree, caught=False):
        # Tools work in a component when they are imported at the top.
        if name.partition(".")[0] in NOT_BUNDLED and node.col_offset == 0:
            continue
        why = why_unavailable(name) or (COMPILED if _is_compiled(name) else None)
        if why:
            found.append((node.lineno, f"{name} cannot be imported in a component: {why}"))
    return tuple(found)


def _imports(node: ast.AST, *, caught: bool) -> Iterator[tuple[ast.stmt, str]]:
    if isinstance(node, ast.Import) and not caught:
        yield from ((node, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not caught and node.module and not node.level:
        yield node, node.module
    if isinstance(node, ast.Try) and _catches_imports(node):
        for statement in node.body:
            yield from _imports(statement, caught=True)
        rest: list[ast.AST] = [*node.handlers, *node.orelse, *node.finalbody]
    else:
        rest = list(ast.iter_child_nodes(node))
    for child in rest:
        yield from _imports(child, caught=caught)


def _catches_imports(node: ast.Try) -> bool:
    return any(
        handler.type is None
        or any(getattr(each, "id", "") in _CATCHING for each in ast.walk(handler.type))
        for handler in node.handlers
    )


def _is_compiled(name: str) -> bool:
    if name.partition(".")[0] in sys.stdlib_module_names:
        return False
    origin = getattr(getattr(sys.modules.get(name), "__spec__", None), "origin", None)
    return isinstance(origin, str) and origin.endswith(_COMPILED_SUFFIXES)
