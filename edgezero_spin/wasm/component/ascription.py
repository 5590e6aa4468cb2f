"""Types of imports and exports, and what is given for them.

In: a declared type and an item that is given, or none. Out: the item, checked to match; one is
made up where none is given: functions are the host's, resource types the host's, instances have
them as exports.

Source: WebAssembly/component-model, ``design/mvp/Explainer.md``, "Import and Export
Definitions"; ``design/mvp/Binary.md`` (the rules of validation).
"""

from collections.abc import Mapping
from typing import Any

from edgezero_spin.wasm.component.definitions import (
    Bound,
    ComponentType,
    CoreModuleType,
    Definition,
    ExportDefinition,
    ExternType,
    ImportDefinition,
    Sort,
)
from edgezero_spin.wasm.component.errors import InvalidError
from edgezero_spin.wasm.component.extern_rules import check_annotation, check_visibility
from edgezero_spin.wasm.component.linked import HostResource, ImportedFunction
from edgezero_spin.wasm.component.matching import check_module
from edgezero_spin.wasm.component.plan import Evaluation, Exports
from edgezero_spin.wasm.component.scope import (
    ComponentItem,
    ComponentScope,
    InstanceItem,
    ModuleItem,
    Names,
    ScopeItem,
    TypeClosure,
)
from edgezero_spin.wasm.component.types import FunctionType, ResourceType

__all__ = ["EXPORT", "Ascription"]

EXPORT = "[export]"
"""First name of the path of what stands for an export of a world."""


class Ascription(Evaluation):
    """Evaluates the declarators of types; definitions in them are a subclass's."""

    def instantiate(
        self,
        item: ComponentItem,
        arguments: Mapping[str, tuple[Sort, Any]] | None,
        parent: int | None,
        at: int = 0,
    ) -> Exports:
        """Evaluate a component as a new component instance; return its exports."""
        raise NotImplementedError

    def define(self, each: Definition, scope: ComponentScope) -> None:
        """Evaluate a definition other than an import or export."""
        raise NotImplementedError

    def world(
        self, world: ComponentType, arguments: Mapping[str, tuple[Sort, Any]] | None
    ) -> tuple[Exports, Exports]:
        """Evaluate the type of a world; return its imports and exports.

        Args:
            arguments: What some of its imports are given. Others are made up, and so are its
                exports, with ``EXPORT`` before their path.
        """
        closure = TypeClosure(world, ComponentScope(is_type=True))
        return self.declared(closure, 0, arguments=arguments, path=(EXPORT,), strict=False)

    def import_(
        self,
        each: ImportDefinition,
        scope: ComponentScope,
        arguments: Mapping[str, tuple[Sort, Any]] | None,
        strict: bool,
    ) -> tuple[Sort, Any]:
        """Evaluate an import; return its sort and what it stands for.

        Args:
            arguments: What imports are given.
            strict: It has to be given.
        """
        at = each.offset
        scope.imports.add(each.name, at)
        actual = arguments.get(each.name) if arguments is not None else None
        if actual is None and strict:
            raise InvalidError(f"missing import named `{each.name}`", at)
        item = self.ascribe(each.type, actual, scope, (each.name,), at)
        self.expose(each, scope, scope.imports, each.type.sort, item)
        return each.type.sort, item

    def expose(
        self,
        each: ImportDefinition | ExportDefinition,
        scope: ComponentScope,
        names: Names,
        sort: Sort,
        item: Any,
    ) -> None:
        """Give an import or export its index, checked by ``extern_rules``."""
        at = each.offset
        check_annotation(each.name, sort, each.implements, item, names.labels, at)
        if not scope.is_instance_type:
            shown: tuple[Sort, Any] = sort, item
            if isinstance(item, TypeClosure) and item.form.is_instance:
                with self.scratch():
                    exports = self.declared(item, at)[1]
                shown = Sort.INSTANCE, InstanceItem(exports)
            check_visibility(self.types, scope, names, *shown, at)
        if isinstance(item, ResourceType):
            names.labels[each.name] = item
        scope.spaces[sort].append(item)

    # Types with what is given

    def declared(
        self,
        closure: TypeClosure,
        at: int,
        *,
        arguments: Mapping[str, tuple[Sort, Any]] | None = None,
        actual: Mapping[str, tuple[Sort, Any]] | None = None,
        path: tuple[str, ...] = ("",),
        strict: bool = True,
    ) -> tuple[Exports, Exports]:
        """Evaluate a component or instance type; return its imports and exports.

        Args:
            at: Where that is needed.
            arguments: What its imports are given; made up where ``None``.
            actual: What has to match its exports; made up where ``None``.
            path: Names that lead to it.
            strict: Where ``arguments`` are given, all imports have to be among them.
        """
        with self.deeper(at):
            is_instance = closure.form.is_instance
            scope = ComponentScope(closure.scope, is_type=True, is_instance_type=is_instance)
            imports: Exports = {}
            exports: Exports = {}
            for each in closure.form.declarators:
                self.spend(at)
                if isinstance(each, ImportDefinition):
                    needed = strict and arguments is not None
                    imports[each.name] = self.import_(each, scope, arguments, needed)
                elif isinstance(each, ExportDefinition):
                    scope.exports.add(each.name, each.offset)
                    found = None if actual is None else actual.get(each.name)
                    if actual is not None and found is None:
                        raise InvalidError(f"missing expected export `{each.name}`", at)
                    type_ = each.type or ExternType(Sort.TYPE, None, Bound.SUB_RESOURCE)
                    item = self.ascribe(type_, found, scope, (*path, each.name), each.offset)
                    self.expose(each, scope, scope.exports, type_.sort, item)
                    exports[each.name] = type_.sort, item
                else:
                    self.define(each, scope)
            return imports, exports

    def ascribe(
        self,
        type_: ExternType,
        actual: tuple[Sort, Any] | None,
        scope: ComponentScope,
        path: tuple[str, ...],
        at: int,
    ) -> ScopeItem:
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
                return InstanceItem(self.declared(closure, at, actual=exports, path=path)[1])
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

    def _host_function(self, path: tuple[str, ...], type_: FunctionType) -> ImportedFunction:
        function = ImportedFunction(path, type_, self.plan.dependency)
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
                    self.declared(wanted, at, actual=self.declared(given, at)[1])
            else:
                self._check_component(wanted, ComponentItem(given.form, given.scope), at)
        except InvalidError:
            return False
        return True

    def _check_component(self, wanted: TypeClosure, item: ComponentItem, at: int) -> None:
        with self.scratch():
            imports = self.declared(wanted, at)[0]
            exports = self.instantiate(item, imports, -1, at=at)
            self.declared(wanted, at, arguments=imports, actual=exports)


def _unequal(name: str, declared: object, found: object) -> str:
    if isinstance(declared, ResourceType) and isinstance(found, ResourceType):
        return f"type mismatch for `{name}`: resource types are not the same"
    return f"type mismatch for `{name}`: the declared type and the given one are not the same"
