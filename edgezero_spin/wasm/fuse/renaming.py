"""Renaming of core exports in a linked component.

In: a function from each core export to what it is called afterwards. Out: any part of a linked
component, with what it mentions under these names.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs

from edgezero_spin.wasm.component.linked import (
    Builtin,
    CoreExport,
    CoreImport,
    CoreInstance,
    ExportedInstance,
    LiftedFunction,
    LinkedComponent,
    LocalResource,
    LoweredFunction,
    Options,
    WasiFunction,
)

__all__ = ["Renaming"]

# What mentions core exports, or has something in it that does.
_MENTIONING = (
    Builtin,
    CoreImport,
    CoreInstance,
    ExportedInstance,
    LiftedFunction,
    LinkedComponent,
    LocalResource,
    LoweredFunction,
    Options,
    WasiFunction,
)
_Part = TypeVar("_Part")


@attrs.frozen
class Renaming:
    """A renaming; ``export`` returns the new name of a core export."""

    export: Callable[[CoreExport], CoreExport]

    def of(self, part: _Part) -> _Part:
        """Rename the core exports in a part of a linked component."""
        return self._of(part)  # type: ignore[no-any-return]

    def _of(self, part: Any) -> Any:
        if isinstance(part, CoreExport):
            return self.export(part)
        if isinstance(part, tuple):
            return tuple(map(self._of, part))
        if isinstance(part, dict):
            return {key: self._of(value) for key, value in part.items()}
        if not isinstance(part, _MENTIONING):
            return part
        values = {
            each.name: self._of(getattr(part, each.name)) for each in attrs.fields(type(part))
        }
        return attrs.evolve(part, **values)

    def component(
        self, linked: LinkedComponent, core_instances: Sequence[CoreInstance]
    ) -> LinkedComponent:
        """Return a component with other core instances, and the rest of it renamed."""
        rest = self.of(attrs.evolve(linked, core_instances=()))
        return attrs.evolve(rest, core_instances=tuple(core_instances))
