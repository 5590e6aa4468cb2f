"""What other components bring to the imports of one.

In: a component, its dependencies as the manifest has them, and the interfaces of this host.
Out: for each import that a dependency satisfies, a ``Dependency`` that ``linking.link``
joins to it. Every fault is told at the start.

A dependency sees what its user is granted only where the manifest says that it inherits
it. Everything else is as it would be for a component that is granted nothing: stores deny
access, there are no variables, files or environment, and no request leaves.

Source: contract spin-host.md, MAN-71 to MAN-75b and LOCK-37.
"""

import re
from collections.abc import Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import attrs
from wasmtime import component as wit

from edgezero_spin.errors import HostError
from edgezero_spin.host.capabilities.outbound_http import OUTGOING_HANDLER
from edgezero_spin.host.capabilities.wasi_http import OutgoingRequest
from edgezero_spin.host.engine import Component, Engine, load_component
from edgezero_spin.host.errors import LinkError
from edgezero_spin.host.forwarding import Lent, forward
from edgezero_spin.host.instance import Grants, InstanceState
from edgezero_spin.host.interface import HostFunction, Interface, WitError
from edgezero_spin.host.linking import LinkedComponent, items_of, link
from edgezero_spin.host.values import ResourceTypes

__all__ = [
    "Dependency",
    "DependencyError",
    "DependencyPlan",
    "Inherited",
    "dependencies_of",
    "granted",
    "restricted_to",
]

Inherited = bool | tuple[str, ...]
"""What a dependency inherits: all, nothing, or the kinds named (MAN-75)."""


@attrs.frozen(kw_only=True)
class DependencyPlan:
    """A dependency of a component, as ``plan`` reads it.

    Attributes:
        name: Which imports it is for: a plain name, or ``ns:pkg[/interface][@version]``.
        source: The wasm file.
        export: What it exports for them; ``None`` for the import's own name.
        inherit: What it may use of its user's configuration.
    """

    name: str
    source: Path
    export: str | None = None
    inherit: Inherited = False


class DependencyError(HostError):
    """The dependencies of a component do not fit it.

    Raised while an application is loaded.

    Attributes:
        problems: One sentence for each fault.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


def dependencies_of(
    engine: Engine,
    component: Component,
    component_id: str,
    plans: Sequence[DependencyPlan],
    interfaces: Mapping[str, Interface],
    cache_dir: Path | None,
) -> "dict[str, Dependency]":
    """Return what satisfies imports of a component, by import.

    Args:
        engine: What everything runs on.
        component: The component.
        component_id: Its id, for messages.
        plans: Its dependencies.
        interfaces: What this host has.
        cache_dir: Where compiled components are kept.

    Raises:
        DependencyError: They do not fit; every fault is named (MAN-75b).
        ComponentError: The file of one cannot be used.
    """
    imports = list(items_of(component.native.type.imports(engine.native)))
    matched = {
        plan.name: [name for name, _ in imports if _matches(plan.name, name)] for plan in plans
    }
    problems = [
        f"dependency '{plan.name}' doesn't match any imports of component '{component_id}' "
        f"(it imports {', '.join(name for name, _ in imports) or 'nothing'})"
        for plan in plans
        if not matched[plan.name]
    ]
    conflicts = []
    for name, _ in imports:
        users = [plan.name for plan in plans if name in matched[plan.name]]
        if len(users) > 1:
            conflicts.append(f"import '{name}' satisfied by dependencies: '{', '.join(users)}'")
    if conflicts:
        problems.append(
            f"component '{component_id}' has dependency conflicts: {'; '.join(conflicts)}"
        )
    if problems:
        raise DependencyError(*problems)
    found: dict[str, Dependency] = {}
    for plan in plans:
        provider = link(
            engine,
            load_component(engine, plan.source, cache_dir),
            granted(interfaces, plan.inherit),
        )
        for name in matched[plan.name]:
            export = plan.export or name
            if provider.type_of(export) is None:
                problems.append(
                    f"dependency '{plan.name}' doesn't export '{export}' to satisfy import "
                    f"'{name}' (it exports {', '.join(provider.exports) or 'nothing'})"
                )
            found[name] = Dependency(plan.name, provider, export)
    if problems:
        raise DependencyError(*problems)
    return found


_PACKAGE = re.compile(
    r"(?P<package>[^:/@]+:[^/@]+)(?:/(?P<interface>[^@]+))?(?:@(?P<version>.+))?\Z"
)


def _matches(dependency: str, name: str) -> bool:
    """Whether a dependency is meant for an import; what it does not say matches anything."""
    wanted, there = _PACKAGE.match(dependency), _PACKAGE.match(name)
    if wanted is None or there is None:
        return dependency == name
    return there["interface"] is not None and all(
        wanted[part] is None or wanted[part] == there[part]
        for part in ("package", "interface", "version")
    )


@attrs.frozen(eq=False)
class Dependency:
    """A dependency in the place of one import.

    Attributes:
        name: As the manifest has it, for messages.
        provider: The component, its imports defined.
        export: What of it is used.
    """

    name: str
    provider: LinkedComponent
    export: str

    def lend(self, item: Any, resources: ResourceTypes) -> dict[str, type]:
        """Note the resources of an import that the dependency defines, and return all of them.

        Args:
            item: The import's type.
            resources: Of the component that imports it.
        """
        classes: dict[str, type] = {}
        if isinstance(item, wit.ComponentInstanceType):
            for name, part in items_of(item.exports(self.provider.engine.native)):
                if isinstance(part, wit.ResourceType):
                    known = resources.find(part)
                    if known is None:
                        resources.add(part, name, type(name, (Lent,), {}))
                        known = resources.find(part)
                    if known is not None:
                        classes[name] = known.class_
        return classes

    def functions(self, import_name: str, item: Any, resources: ResourceTypes) -> dict[str, Any]:
        """Return the callbacks for an import, by the name of its function.

        Raises:
            LinkError: The dependency's export does not fit.
        """
        engine = self.provider.engine.native
        exported = self.provider.type_of(self.export)
        if isinstance(item, wit.FuncType):
            wanted, offered = {import_name: item}, {import_name: exported}
        elif isinstance(exported, wit.ComponentInstanceType):
            wanted = {
                name: part
                for name, part in items_of(item.exports(engine))
                if isinstance(part, wit.FuncType)
            }
            offered = dict(items_of(exported.exports(engine)))
        else:
            raise self._misfit(import_name, "is no interface")
        spelled_here = _Spelling(resources, {})
        spelled_there = _Spelling(
            self.provider.resources,
            {name: part for name, part in offered.items() if isinstance(part, wit.ResourceType)},
        )
        callbacks = {}
        for name, type_ in wanted.items():
            there = offered.get(name)
            if isinstance(item, wit.FuncType):
                index = self.provider.index_of(self.export)
            else:
                index = self.provider.index_of(name, self.export)
            if index is None or not isinstance(there, wit.FuncType):
                raise self._misfit(import_name, f"has no function '{name}'")
            expected, found = spelled_here.of(type_), spelled_there.of(there)
            if expected != found:
                raise self._misfit(import_name, f"'{name}' is {found}, not {expected}")
            callbacks[name] = forward(self.provider, index, type_, resources)
        return callbacks

    def _misfit(self, import_name: str, reason: str) -> LinkError:
        return LinkError(
            import_name,
            f"dependency '{self.name}' exports '{self.export}' which is not compatible with "
            f"import '{import_name}': {reason}",
        )


class _Spelling:
    """Writes types out in full, so that two components' can be compared."""

    def __init__(self, resources: ResourceTypes, own: Mapping[str, wit.ResourceType]) -> None:
        self._resources = resources
        self._own = own

    def of(self, type_: wit.FuncType) -> str:
        parameters = ", ".join(f"{name}: {self._value(part)}" for name, part in type_.params)
        result = "" if type_.result is None else f" -> {self._value(type_.result)}"
        return f"func({parameters}){result}"

    def _value(self, type_: wit.ValType | None) -> str:
        match type_:
            case None:
                return "_"
            case wit.ListType():
                return f"list<{self._value(type_.element)}>"
            case wit.OptionType():
                return f"option<{self._value(type_.payload)}>"
            case wit.ResultType():
                return f"result<{self._value(type_.ok)}, {self._value(type_.err)}>"
            case wit.TupleType():
                return f"tuple<{', '.join(map(self._value, type_.elements))}>"
            case wit.RecordType():
                fields = ", ".join(f"{name}: {self._value(part)}" for name, part in type_.fields)
                return f"record {{{fields}}}"
            case wit.VariantType():
                cases = ", ".join(f"{name}({self._value(part)})" for name, part in type_.cases)
                return f"variant {{{cases}}}"
            case wit.EnumType():
                return f"enum {{{', '.join(type_.names)}}}"
            case wit.FlagsType():
                return f"flags {{{', '.join(type_.names)}}}"
            case wit.OwnType():
                return f"own<{self._resource(type_.ty)}>"
            case wit.BorrowType():
                return f"borrow<{self._resource(type_.ty)}>"
        return type(type_).__name__.lower()

    def _resource(self, type_: wit.ResourceType) -> str:
        known = self._resources.find(type_)
        if known is not None:
            lent = issubclass(known.class_, Lent)
            return known.name if lent else f"{known.class_.__module__}.{known.class_.__qualname__}"
        return next((name for name, own in self._own.items() if own == type_), "another resource")


def granted(interfaces: Mapping[str, Interface], inherit: Inherited) -> Mapping[str, Interface]:
    """Return the interfaces of this host as a dependency sees them."""
    if inherit is True:
        return interfaces
    kinds = inherit or ()
    seen = {}
    for key, interface in interfaces.items():
        functions = dict(interface.functions)
        if interface.name == OUTGOING_HANDLER.name and "allowed_outbound_hosts" not in kinds:
            functions = {"handle": _deny_request}
        if interface.name == _ENVIRONMENT and "environment" not in kinds:
            functions = _NO_ENVIRONMENT
        restrict = _Restriction(kinds)
        seen[key] = attrs.evolve(
            interface,
            functions={name: restrict(function) for name, function in functions.items()},
        )
    return seen


_ENVIRONMENT = "wasi:cli/environment"
_NO_ENVIRONMENT: dict[str, HostFunction] = {
    "get-environment": lambda state: [],
    "get-arguments": lambda state: [],
    "initial-cwd": lambda state: None,
}


def _deny_request(state: InstanceState, request: OutgoingRequest, options: Any) -> Any:
    request.drop_body()
    raise WitError(("internal-error", '"wasi:http/outgoing-handler" is not permitted'))


class _Restriction:
    """Runs host functions with what a dependency inherits in the place of what there is."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self._kinds = kinds
        # The grants of a component hardly ever change between two calls.
        self._last: tuple[Grants, Grants] | None = None

    def __call__(self, function: HostFunction) -> HostFunction:
        """Return the function as the dependency has it."""

        @wraps(function)
        def restricted(state: InstanceState, *arguments: Any) -> Any:
            return function(_View(state, self._grants(state.grants)), *arguments)

        return restricted

    def _grants(self, grants: Grants) -> Grants:
        last = self._last
        if last is None or last[0] is not grants:
            last = self._last = (grants, restricted_to(grants, self._kinds))
        return last[1]


def restricted_to(grants: Grants, kinds: Sequence[str]) -> Grants:
    """Return what is left of some grants."""
    nothing: dict[str, dict[str, Any]] = {
        "ai_models": {"ai_models": ()},
        "allowed_outbound_hosts": {"outbound": None},
        "environment": {"environment": ()},
        "files": {"mounts": ()},
        "key_value_stores": {"key_value": {}},
        "sqlite_databases": {"databases": {}},
        "variables": {"variables": None},
    }
    changes: dict[str, Any] = {}
    for kind, without in nothing.items():
        if kind not in kinds:
            changes.update(without)
    return attrs.evolve(grants, **changes)


class _View:
    """The state of an instance with other grants; everything else is the instance's own."""

    __slots__ = ("_state", "grants")

    def __init__(self, state: InstanceState, grants: Grants) -> None:
        object.__setattr__(self, "_state", state)
        object.__setattr__(self, "grants", grants)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._state, name, value)
