"""Renaming of core exports in a linked component.

In: a function from each core export to what it is called afterwards. Out: canonical functions,
resource types and component exports that mention them by these names.
"""

from collections.abc import Callable, Mapping, Sequence

import attrs

from edgezero_spin.wasm.component.linked import (
    Builtin,
    Canonical,
    ComponentExport,
    CoreExport,
    CoreInstance,
    ExportedInstance,
    Function,
    ImportedFunction,
    LiftedFunction,
    LinkedComponent,
    LocalResource,
    LoweredFunction,
    Options,
    ResourceFunction,
    WasiFunction,
)

__all__ = ["Renaming"]


@attrs.frozen
class Renaming:
    """A renaming.

    Attributes:
        export: Returns the new name of a core export.
    """

    export: Callable[[CoreExport], CoreExport]

    def source(self, source: CoreExport | Canonical) -> CoreExport | Canonical:
        """Rename what an import is given."""
        match source:
            case CoreExport():
                return self.export(source)
            case LoweredFunction():
                return attrs.evolve(
                    source,
                    callee=self.function(source.callee),
                    options=self.options(source.options),
                )
            case Builtin():
                return attrs.evolve(source, options=self.options(source.options))
            case WasiFunction():
                return attrs.evolve(source, memory=self._optional(source.memory))
            case ResourceFunction():
                return source

    def options(self, options: Options) -> Options:
        """Rename the core definitions that options name."""
        return attrs.evolve(
            options,
            memory=self._optional(options.memory),
            realloc=self._optional(options.realloc),
            post_return=self._optional(options.post_return),
            callback=self._optional(options.callback),
        )

    def _optional(self, export: CoreExport | None) -> CoreExport | None:
        return None if export is None else self.export(export)

    def function(self, function: Function) -> Function:
        """Rename what a component function is lifted from."""
        if isinstance(function, ImportedFunction):
            return function
        return attrs.evolve(
            function, core=self.export(function.core), options=self.options(function.options)
        )

    def core_instance(self, instance: CoreInstance) -> CoreInstance:
        """Rename what the imports of a core instance are given."""
        imports = [attrs.evolve(each, source=self.source(each.source)) for each in instance.imports]
        return attrs.evolve(instance, imports=tuple(imports))

    def component(
        self, linked: LinkedComponent, core_instances: Sequence[CoreInstance]
    ) -> LinkedComponent:
        """Return a component with other core instances, and the rest of it renamed."""
        return attrs.evolve(
            linked,
            resources={
                resource: attrs.evolve(owner, destructor=self._optional(owner.destructor))
                if isinstance(owner, LocalResource)
                else owner
                for resource, owner in linked.resources.items()
            },
            core_instances=tuple(core_instances),
            exports=self._exports(linked.exports),
        )

    def _exports(self, exports: Mapping[str, ComponentExport]) -> dict[str, ComponentExport]:
        found: dict[str, ComponentExport] = {}
        for name, each in exports.items():
            match each:
                case ExportedInstance():
                    found[name] = ExportedInstance(self._exports(each.exports))
                case LiftedFunction() | ImportedFunction():
                    found[name] = self.function(each)
                case _:
                    found[name] = each
        return found
