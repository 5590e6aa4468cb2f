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

from edgezero_spin.wasm.component import canonical
from edgezero_spin.wasm.component.definitions import (
    Alias,
    Bound,
    CanonicalDefinition,
    Component,
    ComponentType,
    CoreFunctionType,
    CoreInstanceExports,
    CoreInstantiate,
    CoreModule,
    CoreModuleType,
    CoreTypeDefinition,
    Definition,
    ExportDefinition,
    ExternType,
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
from edgezero_spin.wasm.component.extern_rules import check_annotation, check_visibility
from edgezero_spin.wasm.component.flattening import I32
from edgezero_spin.wasm.component.linked import (
    ComponentInstance,
    CoreExport,
    CoreImport,
    CoreInstance,
    Function,
    HostFunction,
    HostResource,
    LocalResource,
)
from edgezero_spin.wasm.component.matching import check_module, core_mismatch
from edgezero_spin.wasm.component.plan import MAX_INSTANCES, Evaluation, Exports
from edgezero_spin.wasm.component.scope import (
    ComponentItem,
    CoreInstanceItem,
    CoreItem,
    InstanceItem,
    Item,
    ModuleItem,
    Scope,
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
from edgezero_spin.wasm.core_module import read_core_module, reexport_module

__all__ = ["EXPORT", "Evaluator"]

EXPORT = "[export]"
"""First name of the path of what stands for an export of a world."""


class Evaluator(Evaluation):
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
            item: The component.
            arguments: What its imports are given. Without ``parent``, others are made up.
            parent: The component instance that instantiates it.
            at: Where it is instantiated.
        """
        definition = item.definition
        if isinstance(definition, ComponentType):
            if self.plan.is_real:
                raise UnsupportedError("imported components cannot be provided", at)
            closure = TypeClosure(definition, item.scope or Scope())
            return self._declared(closure, arguments, None, (), at)[1]
        scope = Scope(item.scope, instance=len(self.plan.instances))
        self.plan.instances.append(ComponentInstance(parent, self.plan.dependency))
        return self.evaluate(definition, scope, arguments, strict=parent is not None, at=at)

    def evaluate(
        self,
        component: Component,
        scope: Scope,
        arguments: Mapping[str, tuple[Sort, Any]] | None,
        *,
        strict: bool,
        at: int = 0,
    ) -> Exports:
        """Evaluate a component in a scope of its own; return its exports.

        Args:
            component: The component.
            scope: An empty scope.
            arguments, at: As for ``instantiate``.
            strict: Every import has to be given.
        """
        with self.deeper(at):
            exports: Exports = {}
            for each in component.definitions:
                self.spend(each.offset)
                if isinstance(each, ImportDefinition):
                    self._import(each, scope, arguments, strict)
                elif isinstance(each, ExportDefinition):
                    self._export(each, scope, exports)
                else:
                    self._define(each, scope)
            return exports

    def _import(
        self,
        each: ImportDefinition,
        scope: Scope,
        arguments: Mapping[str, tuple[Sort, Any]] | None,
        strict: bool,
    ) -> tuple[Sort, Any]:
        at = each.offset
        scope.imports.add(each.name, "import", at)
        actual = arguments.get(each.name) if arguments is not None else None
        if actual is None and strict:
            raise InvalidError(f"missing import named `{each.name}`", at)
        item = self._ascribe(each.type, actual, scope, (each.name,), at)
        check_annotation(each.name, each.type.sort, each.implements, item, scope.import_labels, at)
        if not scope.is_instance_type:
            check_visibility(self.types, scope, scope.imported, each.type.sort, item, "import", at)
        if each.type.sort == Sort.TYPE and isinstance(item, ResourceType):
            scope.import_labels[each.name] = item
        scope.spaces[each.type.sort].append(item)
        return each.type.sort, item

    def _export(self, each: ExportDefinition, scope: Scope, exports: Exports) -> None:
        at = each.offset
        scope.exports.add(each.name, "export", at)
        if each.reference is None:
            raise InvalidError("an export of a component names no definition", at)
        sort, index = each.reference
        item = scope.item(sort, index, at)
        if each.type is not None:
            if each.type.sort != sort:
                raise InvalidError(f"expected {each.type.sort.value}, found {sort.value}", at)
            item = self._ascribe(each.type, (sort, item), scope, (each.name,), at)
        check_annotation(each.name, sort, each.implements, item, scope.export_labels, at)
        check_visibility(self.types, scope, scope.named, sort, item, "export", at)
        if isinstance(item, ResourceType):
            scope.export_labels[each.name] = item
            item.name = each.name if item.name == "resource" else item.name
        scope.spaces[sort].append(item)
        exports[each.name] = sort, item

    def world(
        self, world: ComponentType, arguments: Mapping[str, tuple[Sort, Any]] | None
    ) -> tuple[Exports, Exports]:
        """Evaluate the type of a world; return its imports and exports.

        Args:
            world: The component type.
            arguments: What some of its imports are given. Others are made up, and so are its
                exports, with ``EXPORT`` before their path.
        """
        closure = TypeClosure(world, Scope(is_type=True))
        return self._declared(closure, arguments, None, (EXPORT,), 0, strict=False)

    # Types with what is given

    def _declared(
        self,
        closure: TypeClosure,
        arguments: Mapping[str, tuple[Sort, Any]] | None,
        actual: Mapping[str, tuple[Sort, Any]] | None,
        path: tuple[str, ...],
        at: int,
        *,
        strict: bool = True,
    ) -> tuple[Exports, Exports]:
        """Evaluate a component or instance type; return its imports and exports.

        Args:
            closure: The type.
            arguments: What its imports are given; made up where ``None``.
            actual: What has to match its exports; made up where ``None``.
            path: Names that lead to it.
            at: Where that is needed.
            strict: Where ``arguments`` are given, all imports have to be among them.
        """
        with self.deeper(at):
            is_instance = closure.form.is_instance
            scope = Scope(closure.scope, is_type=True, is_instance_type=is_instance)
            imports: Exports = {}
            exports: Exports = {}
            for each in closure.form.declarators:
                self.spend(at)
                if isinstance(each, ImportDefinition):
                    needed = strict and arguments is not None
                    imports[each.name] = self._import(each, scope, arguments, needed)
                elif isinstance(each, ExportDefinition):
                    scope.exports.add(each.name, "export", each.offset)
                    found = None if actual is None else actual.get(each.name)
                    if actual is not None and found is None:
                        raise InvalidError(f"missing expected export `{each.name}`", at)
                    type_ = each.type or ExternType(Sort.TYPE, None, Bound.SUB_RESOURCE)
                    item = self._ascribe(type_, found, scope, (*path, each.name), each.offset)
                    check_annotation(
                        each.name, type_.sort, each.implements, item, scope.export_labels, at
                    )
                    if not is_instance:
                        visible = scope.named
                        check_visibility(self.types, scope, visible, type_.sort, item, "export", at)
                    if isinstance(item, ResourceType):
                        scope.export_labels[each.name] = item
                    scope.spaces[type_.sort].append(item)
                    exports[each.name] = type_.sort, item
                else:
                    self._define(each, scope)
            return imports, exports

    def _ascribe(
        self,
        type_: ExternType,
        actual: tuple[Sort, Any] | None,
        scope: Scope,
        path: tuple[str, ...],
        at: int,
    ) -> Item:
        """Return what an import or export of a type stands for: what is given, or made up."""
        sort, name = type_.sort, path[-1]
        if actual is not None and actual[0] != sort:
            raise InvalidError(
                f"type mismatch for `{name}`: expected {sort.value}, found {actual[0].value}", at
            )
        item = None if actual is None else actual[1]
        if type_.bound == Bound.SUB_RESOURCE or type_.index is None:
            return self._resource(item, path, at)
        index = type_.index
        match sort:
            case Sort.TYPE:
                declared = scope.item(Sort.TYPE, index, at)
                if item is not None and not self._same(declared, item, at):
                    raise InvalidError(_unequal(name, declared, item), at)
                return declared  # type: ignore[no-any-return]
            case Sort.FUNCTION:
                function = scope.type(index, FunctionType, "a function type", at)
                if item is None:
                    return self._host_function(path, function)
                if item.type != function:
                    raise InvalidError(_unequal(name, function, item.type), at)
                return item  # type: ignore[no-any-return]
            case Sort.INSTANCE:
                closure = scope.type(index, TypeClosure, "an instance type", at)
                if not closure.form.is_instance:
                    raise InvalidError(f"type index {index} is not an instance type", at)
                exports = None if item is None else item.exports
                return InstanceItem(self._declared(closure, None, exports, path, at)[1])
            case Sort.COMPONENT:
                closure = scope.type(index, TypeClosure, "a component type", at)
                if closure.form.is_instance:
                    raise InvalidError(f"type index {index} is not a component type", at)
                if item is None:
                    return ComponentItem(closure.form, closure.scope)
                self._check_component(closure, item, at)
                return item  # type: ignore[no-any-return]
        module = scope.item(Sort.CORE_TYPE, index, at)
        if not isinstance(module, CoreModuleType):
            raise InvalidError(f"core type index {index} is not a module type", at)
        if item is None:
            return ModuleItem(None, module)
        check_module(module, item.type, at)
        return item  # type: ignore[no-any-return]

    def _resource(self, item: object, path: tuple[str, ...], at: int) -> ResourceType:
        if item is None:
            # Components that import the same name from the host mean the same type.
            known = self.plan.host_resources.get(path) if self.plan.is_real else None
            if known is not None:
                return known
            made = self.plan.host_resources[path] = ResourceType(path[-1])
            self.plan.resources[made] = HostResource(path, self.plan.dependency)
            return made
        if not isinstance(item, ResourceType):
            raise InvalidError(f"expected resource for `{path[-1]}`, found another type", at)
        return item

    def _host_function(self, path: tuple[str, ...], type_: FunctionType) -> HostFunction:
        function = HostFunction(path, type_, self.plan.dependency)
        self.plan.imports.append(function)
        return function

    def _same(self, declared: object, item: object, at: int) -> bool:
        if isinstance(declared, TypeClosure) and isinstance(item, TypeClosure):
            return declared is item or (
                declared.form.is_instance == item.form.is_instance
                and self._subsumes(declared, item, at)
                and self._subsumes(item, declared, at)
            )
        return declared == item

    def _subsumes(self, wanted: TypeClosure, given: TypeClosure, at: int) -> bool:
        try:
            if wanted.form.is_instance:
                with self.scratch():
                    exports = self._declared(given, None, None, ("",), at)[1]
                    self._declared(wanted, None, exports, ("",), at)
            else:
                self._check_component(wanted, ComponentItem(given.form, given.scope), at)
        except InvalidError:
            return False
        return True

    def _check_component(self, wanted: TypeClosure, item: ComponentItem, at: int) -> None:
        with self.scratch():
            imports = self._declared(wanted, None, None, ("",), at)[0]
            exports = self.instantiate(item, imports, -1, at=at)
            self._declared(wanted, imports, exports, ("",), at)

    # Definitions

    @singledispatchmethod
    def _define(self, each: Definition, scope: Scope) -> None:
        raise UnsupportedError("a definition of an unknown kind", each.offset)

    @_define.register
    def _(self, each: CoreModule, scope: Scope) -> None:
        key = id(each)
        if key not in self._modules:
            type_ = read_core_module(each.data).module_type()
            names = {(module, name) for module, name, _ in type_.imports}
            if len(names) < len(type_.imports):
                raise InvalidError("duplicate import name in a core module", each.offset)
            self._modules[key] = ModuleItem(each.data, type_)
        scope.spaces[Sort.CORE_MODULE].append(self._modules[key])

    @_define.register
    def _(self, each: Component, scope: Scope) -> None:
        item = ComponentItem(each, scope)
        if id(each) not in self._validated:
            with self.scratch():
                self.instantiate(item, None, None, at=each.offset)
            self._validated.add(id(each))
        scope.spaces[Sort.COMPONENT].append(item)

    @_define.register
    def _(self, each: CoreInstantiate, scope: Scope) -> None:
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

    @_define.register
    def _(self, each: CoreInstanceExports, scope: Scope) -> None:
        exports: CoreInstanceItem = {}
        for name, (sort, index) in each.exports:
            if name in exports:
                raise InvalidError(f"export name `{name}` already defined", each.offset)
            exports[name] = sort, scope.item(sort, index, each.offset)
        scope.spaces[Sort.CORE_INSTANCE].append(exports)

    @_define.register
    def _(self, each: Instantiate, scope: Scope) -> None:
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

    @_define.register
    def _(self, each: InstanceExports, scope: Scope) -> None:
        made = Scope()
        exports: Exports = {}
        for name, (sort, index), implements in each.exports:
            item = scope.item(sort, index, each.offset)
            made.exports.add(name, "export", each.offset)
            check_annotation(name, sort, implements, item, made.export_labels, each.offset)
            if isinstance(item, ResourceType):
                made.export_labels[name] = item
            exports[name] = sort, item
        scope.spaces[Sort.INSTANCE].append(InstanceItem(exports))

    @_define.register
    def _(self, each: Alias, scope: Scope) -> None:
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

    def _outer(self, each: Alias, scope: Scope) -> object:
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
                if isinstance(each, Alias) and each.target == "outer" and each.sort == Sort.TYPE:
                    if each.count == 0:
                        continue
                    outer = closure.scope.outward(each.count - 1, at)
                    if self._has_resource(outer.item(Sort.TYPE, each.index, at), at):
                        return True
        return False

    @_define.register
    def _(self, each: CoreTypeDefinition, scope: Scope) -> None:
        scope.spaces[Sort.CORE_TYPE].append(each.form)

    @_define.register
    def _(self, each: TypeDefinition, scope: Scope) -> None:
        scope.spaces[Sort.TYPE].append(self._type(each, scope))

    def _type(self, each: TypeDefinition, scope: Scope) -> object:
        form, at = each.form, each.offset
        match form:
            case ComponentType():
                closure = TypeClosure(form, scope)
                if id(form) not in self._validated:
                    with self.scratch():
                        self._declared(closure, None, None, ("",), at)
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

    def _value(self, reference: ValueRef, scope: Scope, at: int) -> ValueType:
        if isinstance(reference, Primitive):
            return reference
        item = scope.item(Sort.TYPE, reference, at)
        if isinstance(item, ResourceType | FunctionType | TypeClosure):
            raise InvalidError(f"type index {reference} is not a defined type", at)
        return item  # type: ignore[no-any-return]

    def _local_resource(self, form: ResourceForm, scope: Scope, at: int) -> ResourceType:
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

    @_define.register
    def _(self, each: CanonicalDefinition, scope: Scope) -> None:
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

    def _builtin_type(self, each: CanonicalDefinition, scope: Scope) -> ValueType | None:
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


def _unequal(name: str, declared: object, found: object) -> str:
    if isinstance(declared, ResourceType) and isinstance(found, ResourceType):
        return f"type mismatch for `{name}`: resource types are not the same"
    return f"type mismatch for `{name}`: the declared type and the given one are not the same"
