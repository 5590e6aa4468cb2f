"""A component whose function takes the events of a trigger.

In: a linked component and the functions that a trigger may call. Out: an ``EventComponent``, from
which an executor makes instances and has them take events, or an error that says what the component
exports instead.

Source: contract services.md, TRG-9, TRG-11, RDT-7, CRN-6, MQT-7; wasi03.md, XP-13.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from edgezero_spin.host.errors import HandlerError, WitError
from edgezero_spin.host.exchange.call import Failure
from edgezero_spin.host.exchange.event import TriggerEvent
from edgezero_spin.host.exchange.handler_type import HandlerType
from edgezero_spin.host.execution.instance_pool import PooledInstance
from edgezero_spin.host.execution.pace import QUICK_SHARED_S, Pace
from edgezero_spin.host.execution.shared_call import TIMED_OUT, Post
from edgezero_spin.host.factors.instance import Grants
from edgezero_spin.host.runtime.engine import InstanceLimits
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import Err
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.host.runtime.scheduler import Completion
from edgezero_spin.wasm.component.linked import ComponentExport, ExportedInstance, LiftedFunction
from edgezero_spin.wasm.component.types import FunctionType, ResultType, ValueType

__all__ = ["EventCall", "EventComponent", "EventFunction", "check_export_names", "event_function"]


@attrs.frozen
class EventFunction:
    """A function by which components take events.

    Attributes:
        interface: The exported interface, with its version; ``None`` for a function that the world
            exports by itself.
        name: Its WIT name.
        parameters: The types of its parameters.
        signature: The same in WIT, for messages.
        is_async: Whether it is an ``async func``; ``None`` where both are the interface's.
    """

    interface: str | None
    name: str
    parameters: tuple[ValueType, ...]
    signature: str
    is_async: bool | None = None

    def __str__(self) -> str:
        return self.name if self.interface is None else f"{self.interface}.{self.name}"

    def type_in(self, exports: Mapping[str, ComponentExport]) -> FunctionType | None:
        """Return the type that it has among the exports of a component; ``None`` for none."""
        found: ComponentExport | None = exports.get(self.interface or self.name)
        if self.interface is not None:
            found = found.exports.get(self.name) if isinstance(found, ExportedInstance) else None
        return found.type if isinstance(found, LiftedFunction) else None

    def fits(self, type_: FunctionType) -> bool:
        """Whether a function of this type can be called as this one is."""
        return (
            self.is_async in (None, type_.is_async)
            and tuple(parameter for _, parameter in type_.parameters) == self.parameters
            and isinstance(type_.result, ResultType)
            and type_.result.ok is None
        )


def event_function(
    component_id: str,
    kind: str,
    exports: Mapping[str, ComponentExport],
    functions: Sequence[EventFunction],
) -> tuple[EventFunction, bool]:
    """Return the function of a component that takes the events of a trigger.

    Args:
        kind: The kind of the trigger, for messages.
        exports: What the component exports.
        functions: Those that the trigger may call.

    Returns:
        The function, and whether it is asynchronous.

    Raises:
        HandlerError: There is none of them, several, or one of another type.
    """
    found = [(function, function.type_in(exports)) for function in functions]
    there = [(function, type_) for function, type_ in found if type_ is not None]
    if not there:
        raise _no_function(component_id, kind, exports, functions)
    title = kind.capitalize()
    fitting = [(function, type_) for function, type_ in there if function.fits(type_)]
    if len({function.interface for function, _ in there}) > 1:
        raise HandlerError(
            component_id,
            f"component exports multiple {title} interfaces: "
            f"{', '.join(str(function) for function, _ in there)}; export one of them",
        )
    if not fitting:
        function = there[0][0]
        raise HandlerError(
            component_id,
            f"its {function} is not `{function.signature}`; build it against the published "
            "interface",
        )
    function, type_ = fitting[0]
    return function, type_.is_async


def check_export_names(
    component_id: str, kind: str, exports: Sequence[str], functions: Sequence[EventFunction]
) -> None:
    """Make sure that a component exports what a trigger calls, as far as names tell.

    Raises:
        HandlerError: It does not.
    """
    if not any((function.interface or function.name) in exports for function in functions):
        raise _no_function(component_id, kind, exports, functions)


def _no_function(
    component_id: str, kind: str, exports: Iterable[str], functions: Sequence[EventFunction]
) -> HandlerError:
    offer = ", ".join(exports) or "nothing"
    return HandlerError(
        component_id,
        f"component does not export a {kind.capitalize()} interface: a {kind} trigger calls "
        f"{' or '.join(map(str, functions))}; it exports {offer}",
    )


@attrs.frozen(eq=False)
class EventComponent:
    """A component that is ready to take the events of one kind of trigger.

    Attributes:
        linked: The component with its imports defined.
        grants: What its instances may use.
        limits: What each of its instances may spend.
        function: What takes an event.
        is_async: Whether events may share an instance.
        is_fresh: Whether each event gets an instance of its own all the same.
        pace: How long its events take.
    """

    linked: PreparedComponent
    grants: Grants
    limits: InstanceLimits
    function: EventFunction
    is_async: bool
    is_fresh: bool
    pace: Pace = attrs.field(init=False)

    @pace.default
    def _pace_of_function(self) -> Pace:
        return Pace(QUICK_SHARED_S) if self.is_async else Pace()

    @property
    def handler_type(self) -> HandlerType:
        """How it takes events."""
        return HandlerType.ASYNC_FUNCTION if self.is_async else HandlerType.FUNCTION

    def handle(self, started: PooledInstance, event: TriggerEvent) -> None:
        """Call the function of an instance. Called on the guest's thread.

        Raises:
            GuestTrapped: The guest stopped.
        """
        function = self.function
        try:
            started.instance.call(function.interface, function.name, *event.arguments)
        except WitError as error:
            event.returned_error(_error_text(error.payload))
        else:
            event.returned_ok()

    def shared_call(self, event: TriggerEvent) -> "EventCall":
        """Return an event as it goes through an instance."""
        return EventCall(event, self.function)


class EventCall:
    """An event on its way through an instance that others share; a ``SharedCall``."""

    __slots__ = ("_function", "answered", "call", "component_id", "until_s")

    def __init__(self, event: TriggerEvent, function: EventFunction) -> None:
        self.call = event
        self.component_id = event.component_id
        self.answered = False
        self.until_s = math.inf
        self._function = function

    @property
    def over(self) -> bool:
        """Whether the function ended."""
        return self.answered

    @property
    def moving(self) -> bool:
        """An outcome has no parts that could be on their way."""
        return False

    def start(self, instance: Instance, post: Post) -> None:
        """Call the function."""
        function = self._function
        instance.start(
            function.interface, function.name, *self.call.arguments, when_done=self._returned
        )

    def _returned(self, completion: Completion) -> None:
        try:
            result = completion.result()
        except BaseException:
            # A trap ends the instance, which tells every call in it.
            return
        if self.answered:
            return
        self.answered = True
        if isinstance(result, Err):
            self.call.returned_error(_error_text(result.value))
        else:
            self.call.returned_ok()
        self.call.end_observation()
        self.call.released()

    def expire(self) -> bool:
        """End it in the guest's place; from any thread."""
        if self.answered:
            return False
        self.fail(TIMED_OUT)
        return True

    def fail(self, failure: Failure) -> None:
        """Say that the function will not return."""
        self.answered = True
        self.call.finish(failure)
        self.call.end_observation()
        self.call.released()


def _error_text(error: Any) -> str:
    """Return the error that a guest returned, for people: a case and what it carries."""
    if isinstance(error, tuple) and len(error) == 2:
        case, payload = error
        return str(case) if payload is None else f"{case}: {payload}"
    return "error" if error is None else str(error)
