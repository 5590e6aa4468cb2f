"""Linking of a component to host functions.

In: a ``CompiledComponent`` and the ``Interface`` tables of the capabilities. Out: a
``PreparedComponent``, from which instances are made. No interface is known here; what a
component imports and the capabilities offer is matched by name.

Source: contract spin-host.md, LIFE-1 and ENV-22.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from edgezero_spin.host.errors import LinkError
from edgezero_spin.host.runtime.component_loading import (
    CompiledComponent,
    ProvidedImport,
    compiled_form,
)
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.interface import CoreInterface, HostFunction, Interface
from edgezero_spin.host.runtime.prepared import Imports, PreparedComponent
from edgezero_spin.wasm.component.linked import WASI_01, HostResource, ImportedFunction

__all__ = ["ROOT", "ImportProvider", "find_interface", "link"]

ROOT = "$root"
"""Key of the ``Interface`` that serves functions which a world imports by themselves."""


class ImportProvider(Protocol):
    """A component that satisfies an import of another; ``dependencies.ResolvedDependency``."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def component(self) -> CompiledComponent:
        """The component."""

    @property
    def export(self) -> str | None:
        """What of it is used; ``None`` for all of its exports."""

    @property
    def interfaces(self) -> Mapping[str, Interface]:
        """The host's side, as the dependency sees it."""

    @property
    def dependencies(self) -> "Mapping[str, ImportProvider]":
        """Components in the place of its own imports, by the import's full name."""


def link(
    engine: Engine,
    component: CompiledComponent,
    interfaces: Mapping[str, Interface],
    dependencies: Mapping[str, ImportProvider] | None = None,
) -> PreparedComponent:
    """Join a component's imports to host functions, with converters made once.

    Args:
        interfaces: The host's side, by name. An import ``ns:pkg/iface@version`` looks for
            exactly that key, then, for WASI 0.2 releases, for ``ns:pkg/iface``, and for
            WASI 0.3 releases, the candidate among them, for ``ns:pkg/iface@0.3``.
            ``ROOT`` serves functions imported outside any interface.
        dependencies: Other components in the place of imports, by the import's full name.

    Returns:
        A component whose every import is defined. What ``interfaces`` lacks stops the
        guest when it is called, with a message that names it.

    Raises:
        LinkError: A function that the host has uses a type that cannot cross, or a
            dependency does not fit the component.
        ComponentError: A component is not valid.
    """
    if component.engine is not engine:
        raise LinkError(str(component.path), "was loaded with another engine")
    given = dependencies or {}
    sides: dict[str | None, Mapping[str, Interface]] = {None: interfaces}
    form = component.code
    if form is None or given:
        try:
            form = compiled_form(component, tuple(_providers(given, sides)))
        except LinkError as error:
            part = given[error.item]
            raise LinkError(
                error.item,
                f"dependency '{part.name}' exports '{part.export}' which is not compatible with "
                f"import '{error.item}': {error.problem}",
            ) from error
    return PreparedComponent(
        engine, form.linked, _HostImports(sides), form.modules.__getitem__, str(component.path)
    )


def _providers(
    given: Mapping[str, ImportProvider],
    sides: dict[str | None, Mapping[str, Interface]],
    above: str = "",
) -> Iterator[ProvidedImport]:
    """Yield components as they are compiled, and note what each sees of the host."""
    for name, part in given.items():
        host_name = f"{above}{name}"
        sides[host_name] = part.interfaces
        below = tuple(_providers(part.dependencies, sides, f"{host_name} / "))
        yield ProvidedImport(name, part.component, part.export, host_name, below)


class _HostImports(Imports):
    """Looks imports up in the tables of the capabilities."""

    def __init__(self, sides: Mapping[str | None, Mapping[str, Interface]]) -> None:
        self._sides = sides
        self._found: dict[tuple[str, str | None], Interface | None] = {}

    def function(self, imported: ImportedFunction) -> HostFunction | None:
        """Return the function to run, ``None`` where the host has none."""
        interface = self._interface(imported.path, imported.dependency)
        return None if interface is None else interface.functions.get(imported.path[-1])

    def resource_class(self, resource: HostResource) -> type:
        """Return the class of the objects of a resource type."""
        interface = self._interface(resource.path, resource.dependency)
        return object if interface is None else interface.resources.get(resource.path[-1], object)

    def core_interface(self, dependency: str | None) -> CoreInterface | None:
        """Return the host's side of WASI 0.1, which dependencies do not get."""
        found = None if dependency else self._sides[None].get(WASI_01)
        return found if isinstance(found, CoreInterface) else None

    def _interface(self, path: tuple[str, ...], dependency: str | None) -> Interface | None:
        if len(path) > 2:
            return None
        key = (path[0] if len(path) == 2 else ROOT, dependency)
        if key not in self._found:
            self._found[key] = find_interface(key[0], self._sides[dependency])
        return self._found[key]


# Tables of WASI 0.2 have no version in their name, those of 0.3 have it without the patch. Only
# one candidate of 0.3 has the functions of the release (XP-2, G3-4).
_RELEASE = re.compile(r"(wasi:[^@]+)(?:@0\.2\.\d+|(@0\.3)\.(?:\d+|0-rc-2026-03-15))\Z")


def find_interface(name: str, interfaces: Mapping[str, Interface]) -> Interface | None:
    """Return the host's side of an imported interface, or ``None`` when it has none.

    Args:
        name: The import as the component writes it, ``wasi:io/streams@0.2.9``.
        interfaces: By name, with a version or without.
    """
    exact = interfaces.get(name)
    if exact is not None:
        return exact
    release = _RELEASE.match(name)
    return None if release is None else interfaces.get(release[1] + (release[2] or ""))
