"""Find the Spin component that an app is built into.

In: ``edgezero.toml``, whose ``[adapters.spin.adapter]`` names ``spin.toml`` and, where that
has several components, one of them. Out: a ``SpinProject``. Nothing is written, and of
``spin.toml`` no more is checked than has to be known here.

Source: contract edgezero.md, CMP-1 to CMP-8, MAN-16 and CLD-2.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import AppManifest, InvalidManifestError, ManifestUnreadableError
from edgezero_spin.manifest.errors import tell_problems
from edgezero_spin.manifest.toml_file import parse_toml, read_text

__all__ = ["ComponentUnknownError", "SpinProject", "discover_component"]


@attrs.frozen
class ComponentUnknownError(ProjectError):
    """It cannot be told which component of ``spin.toml`` an app is.

    Attributes:
        reason: Why not, with the file and the components that there are.
        remedy: What to change, as a sentence.
    """

    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.reason}. {self.remedy}" if self.remedy else self.reason


@attrs.frozen
class SpinProject:
    """A ``spin.toml`` and the component in it that is the app.

    Attributes:
        path: The file.
        application: ``[application].name``; ``None`` when the file has no such text.
        labels: The key-value labels that the component may open.
    """

    path: Path
    component_id: str
    application: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The folder of ``spin.toml``."""
        return self.path.parent


def discover_component(manifest: AppManifest) -> SpinProject:
    """Return the app's ``spin.toml`` and component.

    Raises:
        ComponentUnknownError: There is no ``spin.toml`` that can be read, it has no
            component, or it is not clear which one is meant.
    """
    adapter = manifest.adapter("spin")
    if adapter is None or adapter.manifest is None:
        raise ComponentUnknownError(
            f"{manifest.path}: [adapters.spin.adapter].manifest is not set",
            'Name the app\'s spin.toml: manifest = "spin.toml".',
        )
    path = manifest.root / adapter.manifest
    root = _read(path)
    components = root.get("component")
    ids = tuple(components) if isinstance(components, Mapping) else ()
    if not ids:
        raise ComponentUnknownError(
            f"{path}: no [component.*] declarations found",
            "Declare the app's component there, as manifest version 2 does.",
        )
    selector = adapter.component
    known = ", ".join(ids)
    if selector is not None and selector not in ids:
        raise ComponentUnknownError(
            f"{path}: component `{selector}` is not declared (available: {known})",
            "Correct [adapters.spin.adapter].component in edgezero.toml.",
        )
    if selector is None and len(ids) > 1:
        raise ComponentUnknownError(
            f"{path} declares {len(ids)} components ({known}) and "
            "[adapters.spin.adapter].component is unset",
            f'Choose one in edgezero.toml: component = "{ids[0]}".',
        )
    chosen = selector or ids[0]
    return SpinProject(path, chosen, _application(root), _labels(root["component"][chosen]))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return parse_toml(read_text(path), path)
    except ManifestUnreadableError as error:
        raise ComponentUnknownError(
            f"failed to read spin manifest at {path}: {error.reason}",
            "Write spin.toml, or correct [adapters.spin.adapter].manifest in edgezero.toml.",
        ) from error
    except InvalidManifestError as error:
        said = tell_problems(f"failed to parse {path} as TOML", error.problems)
        raise ComponentUnknownError(said) from error


def _application(root: Mapping[str, Any]) -> str | None:
    table = root.get("application")
    name = table.get("name") if isinstance(table, Mapping) else None
    return name if isinstance(name, str) else None


def _labels(component: object) -> tuple[str, ...]:
    listed = component.get("key_value_stores") if isinstance(component, Mapping) else None
    if not isinstance(listed, list):
        return ()
    return tuple(label for label in listed if isinstance(label, str))
