"""Evaluation of definitions, as instantiating their component would.

Every import of a component that is not given is made up from its declared type: functions are
the host's, resource types the host's, instances have them as exports. What is instantiated on
the way is added to the plan. Components in a component are evaluated once for validation, with
made-up imports as well, and once for each time that they are instantiated, with the arguments
that they are given.

Source: WebAssembly/component-model, ``design/mvp/Explainer.md``; ``design/mvp/Binary.md``
(the rules of validation among them).
"""

from collections.abc import Mapping
from functools import singledispatchmethod
from typing import Any

import attrs

from edgezero_spin.wasm.component import canonical
from edgezero_spin.wasm.component.ascription import Ascription
from edgezero_spin.wasm.component.definitions import (
    AliasDefinition,
    CanonicalDefinition,
    Component,
    ComponentType,
    CoreExternType,
    CoreFunctionType,
    CoreInstanceExports,
    CoreInstantiate,
    CoreModule,
    CoreModuleType,
    CoreTypeDefinition,
    Definition,
    ExportDefinition,
    FunctionForm,
    ImportDefinition,
    InstanceExports,
    Instantiate,
    ResourceForm,
    Sort,
    TypeDefinition,
    ValueRef,
)
from edgezero_spin.wasm.component.errors import InvalidError, UnsupportedError
from edgezero_spin.wasm.component.extern_rules import check_annotation
from edgezero_spin.wasm.component.layout import I32
from edgezero_spin.wasm.component.linked import (
    CoreExport,
    CoreImport,
    CoreInstance,
    Function,
    LinkedInstance,
    LocalResource,
)
from edgezero_spin.wasm.component.matching import core_mismatch
from edgezero_spin.wasm.component.plan import MAX_INSTANCES, Exports
from edgezero_spin.wasm.component.scope import (
    ComponentItem,
    ComponentScope,
    CoreInstanceItem,
    CoreItem,
    InstanceItem,
    ModuleItem,
    Names,
    TypeClosure,
)
from edgezero_spin.wasm.component.types import (
    FunctionType,
    FutureType,
    Primitive,
    ResourceType,
    StreamType,
    ValueType,
)
from edgezero_spin.wasm.core_module import read_core_module
from edgezero_spin.wasm.module_writer import reexport_module

__all__ = ["Evaluator"]


class Evaluator(Ascription):
    """Evaluates the definitions of components and of component and instance types."""

    # Components

    def instantiate(
        self,
        item: ComponentItem,
        arguments: Mapping[str, tuple[Sort, Any]] | None,
        parent: int | None,
        at: int = 0,
    ) -> Exports:
        """Evaluate a component as a new component instance; return its exports.

        Args:
            arguments: What its imports are given. Without ``parent``, others are made up.
            parent: The component instance that instantiates it.
        """
        definition = item.definition
        if isinstance(definition, ComponentType):
            if self.plan.is_real:
                raise UnsupportedError("imported components cannot be provided", at)
            closure = TypeClosure(definition, item.scope or ComponentScope())
            return self.declared(closure, at, arguments=arguments, path=())[1]
        scope = ComponentScope(item.scope, instance=len(self.plan.instances))
        self.plan.instances.append(LinkedInstance(parent, self.plan.dependency))
        return self.evaluate(definition, scope, arguments, strict=parent is not None, at=at)

    def evaluate(
        self,
        component: Component,
        scope: ComponentScope,
        arguments: Mapping[str, tuple[Sort, Any]] | None,
        *,
        strict: bool,
        at: int = 0,
    ) -> Exports:
        """Evaluate a component in a scope of its own; return its exports.

        Args:
            scope: An empty scope.
            arguments, at: As for ``instantiate``.
            strict: Every import has to be given.
        """
        with self.deeper(at):
            exports: Exports = {}
            for each in component.definitions:
                self.spend(each.offset)
                if isinstance(each, ImportDefinition):
                    self.import_(each, scope, arguments, strict)
                elif isinstance(each, ExportDefinition):
                    self._export(each, scope, exports)
                else:
                    self.define(each, scope)
            return exports

    def _export(self, each: ExportDefinition, scope: ComponentScope, exports: Exports) -> None:
        at = each.offset
        scope.exports.add(each.name, at)
        if each.reference is None:
            raise InvalidError("an export of a component names no definition", at)
        sort, index = each.reference
        item = scope.item(sort, index, at)
        if each.type is not None:
            if each.type.sort != sort:
                raise InvalidError(f"expected {each.type.sort.value}, found {sort.value}", at)
            item = self.ascribe(each.type, (sort, item), scope, (each.name,), at)
        self.expose(each, scope, scope.exports, sort, item)
        if isinstance(item, ResourceType) and item.name == "resource":
            item.name = each.name
        exports[each.name] = sort, item

    # Definitions

    @singledispatchmethod
    def define(self, each: Definition, scope: ComponentScope) -> None:
        raise UnsupportedError("a definition of an unknown kind", each.offset)

    @define.register
    def _(self, each: CoreModule, scope: ComponentScope) -> None:
        key = id(each)
        if key not in self._modules:
            type_ = read_core_module(each.data).module_type()
            names = {(module, name) for module, name, _ in type_.imports}
            if len(names) < len(type_.imports):
                raise InvalidError("duplicate import name in a core module", each.offset)
            self._modules[key] = ModuleItem(each.data, type_)
        scope.spaces[Sort.CORE_MODULE].append(self._modules[key])

    @define.register
    def _(self, each: Component, scope: ComponentScope) -> None:
        item = ComponentItem(each, scope)
        if id(each) not in self._validated:
            with self.scratch():
                self.instantiate(item, None, None, at=each.offset)
            self._validated.add(id(each))
        scope.spaces[Sort.COMPONENT].append(item)

    @define.register
    def _(self, each: CoreInstantiate, scope: ComponentScope) -> None:
        at = each.offset
        module: ModuleItem = scope.item(Sort.CORE_MODULE, each.module, at)
        if module.data is None and self.plan.is_real:
            raise UnsupportedError("imported core modules cannot be provided", at)
        arguments: dict[str, CoreInstanceItem] = {}
        for name, index in each.arguments:
            if name in arguments:
                raise InvalidError(f"duplicate module instantiation argument named `{name}`", at)
            arguments[name] = scope.item(Sort.CORE_INSTANCE, index, at)
        imports = []
        for module_name, name, type_ in module.type.imports:
            self.spend(at)
            if module_name not in arguments:
                raise InvalidError(f"missing module instantiation argument `{module_name}`", at)
            _, item = arguments[module_name].get(name, (None, None))
            if item is None:
                raise InvalidError(
                    f"the argument `{module_name}` does not export an item named `{name}`", at
                )
            mismatch = core_mismatch(type_, item.type)
            if mismatch:
                raise InvalidError(
                    f"type mismatch for import `{module_name}` `{name}`: {mismatch}", at
                )
            imports.append(CoreImport(module_name, name, item.source))
        number = len(self.plan.core_instances)
        if number >= MAX_INSTANCES:
            raise UnsupportedError("too many core instances", at)
        self.plan.core_instances.append(
            CoreInstance(scope.instance, module.data or b"", tuple(imports))
        )
        self.spend(at, len(module.type.exports))
        scope.spaces[Sort.CORE_INSTANCE].append(
            {
                name: (Sort(f"core {type_.kind}"), CoreItem(CoreExport(number, name), type_))
                for name, type_ in module.type.exports
            }
        )

    @define.register
    def _(self, each: CoreInstanceExports, scope: ComponentScope) -> None:
        exports: CoreInstanceItem = {}
        for name, (sort, index) in each.exports:
            if name in exports:
                raise InvalidError(f"export name `{name}` already defined", each.offset)
            exports[name] = sort, scope.item(sort, index, each.offset)
        scope.spaces[Sort.CORE_INSTANCE].append(exports)

    @define.register
    def _(self, each: Instantiate, scope: ComponentScope) -> None:
        at = each.offset
        component = scope.item(Sort.COMPONENT, each.component, at)
        arguments: dict[str, tuple[Sort, Any]] = {}
        for name, (sort, index) in each.arguments:
            if name in arguments:
                raise InvalidError(f"instantiation argument `{name}` conflicts with another", at)
            arguments[name] = sort, scope.item(sort, index, at)
        if len(self.plan.instances) >= MAX_INSTANCES:
            raise UnsupportedError("too many component instances", at)
        exports = self.instantiate(component, arguments, scope.instance, at=at)
        scope.spaces[Sort.INSTANCE].append(InstanceItem(exports))

    @define.register
    def _(self, each: InstanceExports, scope: ComponentScope) -> None:
        names = Names("export")
        exports: Exports = {}
        for name, (sort, index), implements in each.exports:
            item = scope.item(sort, index, each.offset)
            names.add(name, each.offset)
            # No resource type has a label here, so that no name may be annotated.
            check_annotation(name, sort, implements, item, names.labels, each.offset)
            exports[name] = sort, item
        scope.spaces[Sort.INSTANCE].append(InstanceItem(exports))

    @define.register
    def _(self, each: AliasDefinition, scope: ComponentScope) -> None:
        at, sort = each.offset, each.sort
        if each.target == "outer":
            scope.spaces[sort].append(self._outer(each, scope))
            return
        if each.target == "core export":
            exports: Mapping[str, tuple[Sort, Any]] = scope.item(Sort.CORE_INSTANCE, each.index, at)
            what = f"core instance {each.index}"
        else:
            exports = scope.item(Sort.INSTANCE, each.index, at).exports
            what = f"instance {each.index}"
        if each.name not in exports:
            raise InvalidError(f"{what} has no export named `{each.name}`", at)
        found, item = exports[each.name]
        if found != sort:
            raise InvalidError(f"export `{each.name}` for {what} is not a {sort.value}", at)
        scope.spaces[sort].append(item)

    def _outer(self, each: AliasDefinition, scope: ComponentScope) -> object:
        at = each.offset
        target = scope.outward(each.count, at)
        item = target.item(each.sort, each.index, at)
        if each.sort == Sort.TYPE and self._has_resource(item, at):
            crossed = scope
            while crossed is not target and crossed.parent is not None:
                if not crossed.is_type:
                    raise InvalidError("the outer type transitively refers to resources", at)
                crossed = crossed.parent
        return item

    def _has_resource(self, item: object, at: int) -> bool:
        match item:
            case ResourceType():
                return True
            case FunctionType():
                return any(self.types.facts(each).has_resource for each in item.types)
            case TypeClosure():
                return self._refers_to_outer_resource(item, at)
            case _:
                return self.types.facts(item).has_resource  # type: ignore[arg-type]

    def _refers_to_outer_resource(self, closure: TypeClosure, at: int) -> bool:
        with self.deeper(at):
            for each in closure.form.declarators:
                self.spend(at)
                if (
                    isinstance(each, AliasDefinition)
                    and each.target == "outer"
                    and each.sort == Sort.TYPE
                ):
                    if each.count == 0:
                        continue
                    outer = closure.scope.outward(each.count - 1, at)
                    if self._has_resource(outer.item(Sort.TYPE, each.index, at), at):
                        return True
        return False

    @define.register
    def _(self, each: CoreTypeDefinition, scope: ComponentScope) -> None:
        form, at = each.form, each.offset
        if isinstance(form, CoreModuleType) and form.outer:
            found: dict[CoreFunctionType | None, CoreFunctionType] = {}
            for outer in form.outer:
                item = scope.outward(outer.count - 1, at).item(Sort.CORE_TYPE, outer.index, at)
                if not isinstance(item, CoreFunctionType):
                    raise InvalidError(f"core type index {outer.index} is not a function type", at)
                found[outer] = item

            def resolved(type_: CoreExternType) -> CoreExternType:
                return attrs.evolve(type_, function=found.get(type_.function, type_.function))

            form = CoreModuleType(
                tuple((module, name, resolved(type_)) for module, name, type_ in form.imports),
                tuple((name, resolved(type_)) for name, type_ in form.exports),
            )
        scope.spaces[Sort.CORE_TYPE].append(form)

    @define.register
    def _(self, each: TypeDefinition, scope: ComponentScope) -> None:
        scope.spaces[Sort.TYPE].append(self._type(each, scope))

    def _type(self, each: TypeDefinition, scope: ComponentScope) -> object:
        form, at = each.form, each.offset
        match form:
            case ComponentType():
                closure = TypeClosure(form, scope)
                if id(form) not in self._validated:
                    with self.scratch():
                        self.declared(closure, at)
                    self._validated.add(id(form))
                return closure
            case ResourceForm():
                return self._local_resource(form, scope, at)
            case FunctionForm():
                return self.types.function(form, lambda ref: self._value(ref, scope, at), at)
            case _:
                return self.types.value(
                    form,
                    lambda ref: self._value(ref, scope, at),
                    lambda index: scope.type(index, ResourceType, "a resource type", at),
                    at,
                )

    def _core_export(self, item: CoreItem) -> CoreExport:
        """Return an item as what a core instance exports; a canonical function gets one."""
        source, type_ = item.source, item.type.function
        if isinstance(source, CoreExport) or type_ is None:
            return source  # type: ignore[return-value]
        number = len(self.plan.core_instances)
        self.plan.core_instances.append(
            CoreInstance(source.instance, reexport_module(type_), (CoreImport("", "", source),))
        )
        return CoreExport(number, "")

    def _value(self, reference: ValueRef, scope: ComponentScope, at: int) -> ValueType:
        if isinstance(reference, Primitive):
            return reference
        item = scope.item(Sort.TYPE, reference, at)
        if isinstance(item, ResourceType | FunctionType | TypeClosure):
            raise InvalidError(f"type index {reference} is not a defined type", at)
        return item  # type: ignore[no-any-return]

    def _local_resource(self, form: ResourceForm, scope: ComponentScope, at: int) -> ResourceType:
        if scope.is_type:
            raise InvalidError("resources can only be defined within a concrete component", at)
        destructor: CoreExport | None = None
        if form.destructor is not None:
            item: CoreItem = scope.item(Sort.CORE_FUNCTION, form.destructor, at)
            if item.type.function != CoreFunctionType((I32,), ()):
                raise InvalidError("wrong signature for a destructor", at)
            destructor = self._core_export(item)
        made = ResourceType()
        self.plan.resources[made] = LocalResource(scope.instance, destructor)
        return made

    @define.register
    def _(self, each: CanonicalDefinition, scope: ComponentScope) -> None:
        at, name = each.offset, each.name
        if name == "lift":
            index = each.type if isinstance(each.type, int) else 0
            function = scope.type(index, FunctionType, "a function type", at)
            lifted = canonical.lift(each, scope, self.types, self._core_export, function)
            scope.spaces[Sort.FUNCTION].append(lifted)
            return
        index = each.index or 0
        if name == "lower":
            callee: Function = scope.item(Sort.FUNCTION, index, at)
            made = canonical.lower(each, scope, self.types, self._core_export, callee)
        elif name.startswith("resource."):
            resource = scope.type(index, ResourceType, "a resource type", at)
            owner = self.plan.resources.get(resource)
            made = canonical.resource_function(each, scope, resource, owner)
        else:
            type_ = self._builtin_type(each, scope)
            made = canonical.builtin(each, scope, self.types, self._core_export, type_)
        scope.spaces[Sort.CORE_FUNCTION].append(made)

    def _builtin_type(self, each: CanonicalDefinition, scope: ComponentScope) -> ValueType | None:
        at = each.offset
        if each.name == "task.return":
            return None if each.type is None else self._value(each.type, scope, at)
        if each.name.startswith("stream."):
            return scope.type(each.index or 0, StreamType, "a stream type", at)
        if each.name.startswith("future."):
            return scope.type(each.index or 0, FutureType, "a future type", at)
        if each.name == "thread.new-indirect":
            scope.item(Sort.CORE_TYPE, each.index or 0, at)
            scope.item(Sort.CORE_TABLE, each.slot, at)
        return None
