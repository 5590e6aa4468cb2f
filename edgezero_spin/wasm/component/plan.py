"""Plan of a component in the making, and the bounds on making it.

In: nothing. Out: what evaluating definitions adds to, and an error where that takes too long,
goes too deep or makes too much: no small file makes a large plan.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from edgezero_spin.wasm.component.definitions import Sort
from edgezero_spin.wasm.component.errors import UnsupportedError
from edgezero_spin.wasm.component.linked import (
    CoreInstance,
    HostResource,
    ImportedFunction,
    LinkedInstance,
    LocalResource,
)
from edgezero_spin.wasm.component.scope import ModuleItem
from edgezero_spin.wasm.component.type_table import TypeTable
from edgezero_spin.wasm.component.types import ResourceType

__all__ = ["MAX_INSTANCES", "Evaluation", "Exports", "InstantiationPlan"]

MAX_WORK = 500_000
MAX_EVALUATION_DEPTH = 48
MAX_INSTANCES = 10_000

Exports = dict[str, tuple[Sort, Any]]


@attrs.define
class InstantiationPlan:
    """A ``LinkedComponent`` in the making, or what validation throws away.

    Attributes:
        is_real: It is to be instantiated.
        dependency: Name of the dependency that is evaluated.
        imports, resources, instances, core_instances: As in ``LinkedComponent``.
        host_resources: The host's resource types by the names they are imported by.
    """

    is_real: bool = False
    dependency: str | None = None
    imports: list[ImportedFunction] = attrs.Factory(list)
    resources: dict[ResourceType, LocalResource | HostResource] = attrs.Factory(dict)
    host_resources: dict[tuple[str, ...], ResourceType] = attrs.Factory(dict)
    instances: list[LinkedInstance] = attrs.Factory(list)
    core_instances: list[CoreInstance] = attrs.Factory(list)


class Evaluation:
    """What is shared by all evaluations of definitions while one component is linked.

    Attributes:
        types: The types made so far.
    """

    def __init__(self) -> None:
        self.plan = InstantiationPlan()
        self.types = TypeTable()
        self._modules: dict[int, ModuleItem] = {}
        self._validated: set[int] = set()
        self._work = 0
        self._depth = 0

    @contextmanager
    def scratch(self) -> Iterator[None]:
        """Evaluate into a plan that is thrown away."""
        plan, self.plan = self.plan, InstantiationPlan()
        try:
            yield
        finally:
            self.plan = plan

    @contextmanager
    def deeper(self, at: int) -> Iterator[None]:
        """Go one level deeper, into a component or type; refuse too many levels."""
        self._depth += 1
        if self._depth > MAX_EVALUATION_DEPTH:
            raise UnsupportedError("components or types refer to each other too deep", at)
        try:
            yield
        finally:
            self._depth -= 1

    def spend(self, at: int, work: int = 1) -> None:
        """Count definitions evaluated; refuse too many."""
        self._work += work
        if self._work > MAX_WORK:
            raise UnsupportedError("the component is too large: linking it takes too long", at)
