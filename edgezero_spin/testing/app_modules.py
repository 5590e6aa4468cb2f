"""Import the app that a component is compiled from."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from edgezero_spin.core.app import App
from edgezero_spin.testing.errors import KitError

__all__ = ["import_app"]


def import_app(target: str, folder: Path, *, beside: bool = False) -> App:
    """Import ``module:attribute`` from a folder.

    Args:
        target: What to import.
        folder: Where it is found.
        beside: Another module of this name, which tests may have imported, stays what the
            name means.

    Raises:
        KitError: There is no such module or app.
    """
    name, _, attribute = target.partition(":")
    if beside:
        module = _imported_beside(name, folder.resolve())
    else:
        module = _imported(name, folder.resolve())
    found = getattr(module, attribute, None) if attribute else _only_app(module)
    if isinstance(found, App):
        return found
    apps = [key for key, value in vars(module).items() if isinstance(value, App)]
    raise KitError(
        f"{module.__file__}: {attribute or 'IncomingHandler'} is not an App (apps there: "
        f"{', '.join(apps) or 'none'})"
    )


def _only_app(module: ModuleType) -> App | None:
    handler = getattr(module, "IncomingHandler", None)
    found: App | None = getattr(handler, "app", None)
    apps = [value for value in vars(module).values() if isinstance(value, App)]
    return found or (apps[0] if len(apps) == 1 else None)


def _imported(name: str, folder: Path) -> ModuleType:
    top = name.partition(".")[0]
    own = [path for path in (folder / top / "__init__.py", folder / f"{top}.py") if path.is_file()]
    origin = getattr(sys.modules.get(top), "__file__", None)
    if own and origin is not None and Path(origin).resolve() != own[0]:
        # Another folder's module of the same name, such as app.py.
        for each in _modules_of(top):
            del sys.modules[each]
    place = str(folder)
    if place in sys.path:
        sys.path.remove(place)
    sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or name.partition(".")[0] != error.name.partition(".")[0]:
            raise
        raise KitError(f"there is no module {name!r} in {folder}") from None


def _modules_of(top: str) -> dict[str, ModuleType]:
    return {key: each for key, each in sys.modules.items() if key.partition(".")[0] == top}


def _imported_beside(name: str, folder: Path) -> ModuleType:
    top = name.partition(".")[0]
    before, path = _modules_of(top), list(sys.path)
    try:
        return _imported(name, folder)
    finally:
        for each in _modules_of(top) if before else ():
            del sys.modules[each]
        sys.modules.update(before)
        sys.path[:] = [*path, str(folder)]
