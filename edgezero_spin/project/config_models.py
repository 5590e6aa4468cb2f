"""Import the model of an app's configuration by its name, ``app_config:AppConfig``."""

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from edgezero_spin.errors import ProjectError

__all__ = ["ModelImportError", "import_model"]


@attrs.frozen
class ModelImportError(ProjectError):
    """The model that was named cannot be imported.

    Attributes:
        target: ``module:Class`` as it was given.
        reason: Why not.
        traceback: What went wrong in the module itself; empty when that was not reached.
    """

    target: str
    reason: str
    traceback: str = ""

    def __str__(self) -> str:
        head = f"cannot import the model {self.target!r}: {self.reason}"
        return f"{head}\n{self.traceback}" if self.traceback else head


def import_model(target: str, folder: Path) -> type:
    """Return a class by its name.

    Args:
        target: ``module:Class``.
        folder: Where the module is looked for first.

    Raises:
        ModelImportError: It is not of that form, not there, or no class.
    """
    module_name, colon, name = target.partition(":")
    if not (colon and module_name and name.isidentifier()):
        raise ModelImportError(target, "write module and class, as in app_config:AppConfig")
    with _search_first(folder):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            # Its package may be what is missing; anything else is missing inside of it.
            if not f"{module_name}.".startswith(f"{error.name}."):
                raise ModelImportError(target, str(error), traceback.format_exc()) from error
            reason = f"there is no module {module_name!r} in {folder}"
            raise ModelImportError(target, reason) from None
        except Exception as error:
            reason = "its module fails to import"
            raise ModelImportError(target, reason, traceback.format_exc()) from error
    model = getattr(module, name, None)
    if not isinstance(model, type):
        what = "has no class" if model is None else "has something else than a class named"
        raise ModelImportError(target, f"{module_name} {what} {name!r}")
    return model


@contextmanager
def _search_first(folder: Path) -> Iterator[None]:
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
