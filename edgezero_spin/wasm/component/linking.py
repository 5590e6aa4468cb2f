"""Linker of components: definitions to the linked form.

In: a ``Component`` and the components that it depends on. Out: a ``LinkedComponent``, or an
error that says which rule of validation is broken.

Refused: core modules and components as imports of the root that it instantiates.

Source: WebAssembly/component-model, ``design/mvp/Explainer.md``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from edgezero_spin.wasm.component.adapting import adapt
from edgezero_spin.wasm.component.core_guest import CoreGuest
from edgezero_spin.wasm.component.definitions import Component, CoreModule, Sort
from edgezero_spin.wasm.component.errors import InvalidError
from edgezero_spin.wasm.component.evaluating import Evaluator
from edgezero_spin.wasm.component.linked import (
    ComponentExport,
    ExportedInstance,
    LinkedComponent,
    LinkedInstance,
)
from edgezero_spin.wasm.component.plan import Exports, InstantiationPlan
from edgezero_spin.wasm.component.scope import (
    ComponentItem,
    ComponentScope,
    InstanceItem,
    TypeClosure,
)
from edgezero_spin.wasm.component.types import FunctionType

__all__ = ["ProvidedComponent", "link", "link_with_scope", "unused_modules", "validate"]


@attrs.frozen
class ProvidedComponent:
    """A component whose exports are given to another as imports.

    Attributes:
        name: The name of the import that it provides, and its name for the host.
        component: The component, or a core module that becomes one.
        export: The name of the exported instance that is given; ``None`` gives an instance
            of all exports, for an import by a plain name.
        dependencies: Components that provide some of its own imports.
        host_name: Its name for the host, where that of the import is not unique.
    """

    name: str
    component: Component | CoreGuest
    export: str | None = None
    dependencies: "tuple[ProvidedComponent, ...]" = ()
    host_name: str | None = None


def link(
    component: Component | CoreGuest, dependencies: tuple[ProvidedComponent, ...] = ()
) -> LinkedComponent:
    """Link a component.

    Args:
        dependencies: Components that provide some of its imports; each is instantiated once,
            before the root, also if it provides several, unless it has dependencies itself.

    Raises:
        InvalidError: The component is not valid.
        UnsupportedError: It needs something that is refused, or is too large.
    """
    return link_with_scope(component, dependencies)[0]


def link_with_scope(
    component: Component | CoreGuest, dependencies: tuple[ProvidedComponent, ...] = ()
) -> tuple[LinkedComponent, ComponentScope]:
    """Link a component, and return what its root's indices stand for; see ``link``."""
    linker = Evaluator()
    plan = linker.plan = InstantiationPlan(is_real=True)
    plan.instances.append(LinkedInstance())
    given = _provided(linker, dependencies)
    scope = ComponentScope(instance=0)
    if isinstance(component, CoreGuest):
        exports = adapt(linker, component, 0, given)
    else:
        exports = linker.evaluate(component, scope, given, strict=False)
    linked = LinkedComponent(
        imports=tuple(dict.fromkeys(plan.imports)),
        resources=plan.resources,
        instances=tuple(plan.instances),
        core_instances=tuple(plan.core_instances),
        exports=_exported(exports),
    )
    return linked, scope


def validate(component: Component | CoreGuest) -> None:
    """Validate a component without linking it.

    Raises:
        InvalidError: It is not valid.
        UnsupportedError: It needs something that is refused, or is too large.
    """
    linker = Evaluator()
    with linker.scratch():
        _instantiate(linker, component)


def unused_modules(component: Component | CoreGuest, linked: LinkedComponent) -> Iterator[bytes]:
    """Yield the core modules of a component that its linked form does not have."""
    used = {id(core.module) for core in linked.core_instances}
    left = [component]
    while left:
        for each in left.pop().definitions:
            if isinstance(each, Component):
                left.append(each)
            elif isinstance(each, CoreModule) and id(each.data) not in used:
                yield each.data


def _provided(
    linker: Evaluator, dependencies: tuple[ProvidedComponent, ...]
) -> dict[str, tuple[Sort, Any]]:
    """Instantiate dependencies, those of each before it; return what they are given for."""
    given = {}
    provided: dict[int, Exports] = {}
    for each in dependencies:
        key = id(each if each.dependencies else each.component)
        exports = provided.get(key)
        if exports is None:
            below = _provided(linker, each.dependencies)
            linker.plan.dependency = each.host_name or each.name
            exports = provided[key] = _instantiate(linker, each.component, below)
            linker.plan.dependency = None
        given[each.name] = _given_by(each, exports)
    return given


def _instantiate(
    linker: Evaluator,
    component: Component | CoreGuest,
    given: Mapping[str, tuple[Sort, Any]] | None = None,
) -> Exports:
    if isinstance(component, Component):
        return linker.instantiate(ComponentItem(component, None), given, None)
    plan = linker.plan
    plan.instances.append(LinkedInstance(None, plan.dependency))
    return adapt(linker, component, len(plan.instances) - 1, given)


def _given_by(dependency: ProvidedComponent, exports: Exports) -> tuple[Sort, Any]:
    if dependency.export is None:
        return Sort.INSTANCE, InstanceItem(exports)
    if dependency.export not in exports:
        raise InvalidError(
            f"the component that provides `{dependency.name}` does not export "
            f"`{dependency.export}`",
            0,
        )
    return exports[dependency.export]


def _exported(exports: Mapping[str, tuple[Sort, Any]]) -> dict[str, ComponentExport]:
    found: dict[str, ComponentExport] = {}
    for name, (sort, item) in exports.items():
        if sort == Sort.INSTANCE:
            found[name] = ExportedInstance(_exported(item.exports))
        elif sort == Sort.FUNCTION or (
            sort == Sort.TYPE and not isinstance(item, TypeClosure | FunctionType)
        ):
            found[name] = item
    return found
