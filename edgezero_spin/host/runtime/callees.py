"""Lifted functions as tasks call them.

A function lifted synchronously, of whatever type, runs from its call to its end on the stack. One
lifted ``async`` with a callback returns whenever it waits, and is called back with an event. One
lifted ``async`` without a callback blocks on the stack.

Source: ``CanonicalABI.md``, "``canon lift``"; contract wasi03.md, CA-1, CA-2, CA-10, CA-30.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.errors import ValueMismatchError
from edgezero_spin.host.runtime.converters import Converters, lower_parameters
from edgezero_spin.host.runtime.lifted import lifted_call
from edgezero_spin.host.runtime.misfit import misfit_of_arguments
from edgezero_spin.host.runtime.scheduler import Completion
from edgezero_spin.host.runtime.storing import MISFITS
from edgezero_spin.host.runtime.tasks import Arguments, Resolve, Task, scheduler_of
from edgezero_spin.host.runtime.waitables import WaitableEvent
from edgezero_spin.wasm.component.layout import core_signature, slots
from edgezero_spin.wasm.component.linked import LiftedFunction

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["Callee", "callee_of"]


class Callee:
    """A lifted function, ready to be called as a task.

    Args:
        number: Index of its context in ``Instance.contexts``.

    Attributes:
        entered: The component instances that a call from outside enters.
        from_host: Its caller is the host.
        is_async: It is of asynchronous type.
        needs_exclusive: It runs only while no other task of its component instance does.
    """

    def __init__(
        self,
        function: LiftedFunction,
        converters: Converters,
        number: int,
        entered: Sequence[int],
        *,
        from_host: bool,
    ) -> None:
        self.function = function
        self._number = number
        self.entered = entered
        self.from_host = from_host
        options = function.options
        self.is_async = function.type.is_async
        self.needs_exclusive = self.is_async and (
            not options.is_async or options.callback is not None
        )
        self._prepare(converters)

    def _prepare(self, converters: Converters) -> None:
        """Make what each call needs.

        Raises:
            LinkError: A type cannot cross.
        """
        raise NotImplementedError

    def begin(self, task: Task) -> None:
        """Start the function."""
        raise NotImplementedError

    def call_back(self, task: Task, event: WaitableEvent) -> None:
        """Go on with it after an event."""
        raise NotImplementedError

    def call(self, owner: "Instance", values: tuple[Any, ...], entered: Sequence[int]) -> Any:
        """Call from the host or synchronously, and return the result."""
        results: list[Any] = []
        task = self.task(owner, lambda: values, results.append)
        task.start((entered, False))
        if not results:
            scheduler_of(owner).block(lambda: bool(results))
        return results[0]

    def run(self, owner: "Instance", values: tuple[Any, ...]) -> Any:
        """Call from the host and return the result, running other tasks until it is there."""
        completion = Completion()
        self.submit(owner, values, completion)
        scheduler_of(owner).run_until(completion)
        return completion.result()

    def submit(self, owner: "Instance", values: tuple[Any, ...], completion: Completion) -> None:
        """Start a call from the host; the completion gets its result."""
        tasks = scheduler_of(owner)
        tasks.expect(completion)
        task = self.task(
            owner, lambda: values, completion.finish, lambda error: completion.finish(None, error)
        )
        try:
            task.start((self.entered, False))
        except BaseException as error:
            tasks.fail(error)
            raise

    def task(
        self,
        owner: "Instance",
        arguments: Arguments,
        resolve: Resolve,
        reject: Callable[[BaseException], None] | None = None,
    ) -> Task:
        """Return a task that has not started."""
        component = owner.components[self.function.instance]
        return Task(owner, component, self, arguments, resolve, reject)


class _Synchronous(Callee):
    """A function that is lifted synchronously, of whatever type."""

    def _prepare(self, converters: Converters) -> None:
        self._invoke = lifted_call(
            self.function, converters, self._number, (), from_host=self.from_host
        )

    def begin(self, task: Task) -> None:
        try:
            value = self._invoke(task.owner, task.arguments())
        except ValueMismatchError as error:
            if task.owner.trapped:
                raise
            task.refuse(error)
            return
        task.finish(value)
        task.end()


class _Asynchronous(Callee):
    """A function that is lifted ``async``; without a callback it blocks on the stack."""

    def _prepare(self, converters: Converters) -> None:
        type_, options = self.function.type, self.function.options
        self._callback = options.callback
        self._class_of = converters.class_of
        signature = core_signature(type_, lowered=False, is_async=True, callback=True)
        lowering = converters.lowering(
            options.encoding, self.function.instance, from_host=self.from_host
        )
        self._lower = lower_parameters(lowering, type_, signature)
        self._parameters = slots(signature.parameters)
        self._width = len(signature.parameters)

    def begin(self, task: Task) -> None:
        owner = task.owner
        cx = owner.contexts[self._number]
        values = task.arguments()
        cx.call = task.call
        flat: list[Any] = [0] * self._width
        try:
            self._lower(cx, values, flat)
            self._parameters.pack_into(owner.slots, 0, *flat)
        except MISFITS as error:
            found = misfit_of_arguments(self.function.type, values, self._class_of)
            task.refuse(found or error)
            return
        if self._callback is None:
            owner.run(self.function.core, self._width)
            task.end()
            return
        owner.run(self.function.core, max(self._width, 1))
        task.react(owner.words[0])

    def call_back(self, task: Task, event: WaitableEvent) -> None:
        owner = task.owner
        if self._callback is None:
            raise RuntimeError("the function has no callback")
        words = owner.words
        words[0], words[4], words[8] = event
        owner.run(self._callback, 3)
        task.react(words[0])


def callee_of(
    function: LiftedFunction,
    converters: Converters,
    number: int,
    entered: Sequence[int],
    *,
    from_host: bool,
) -> Callee:
    """Return a lifted function as a callee; see ``Callee``.

    Raises:
        LinkError: A type cannot cross.
    """
    kind = _Asynchronous if function.options.is_async else _Synchronous
    return kind(function, converters, number, entered, from_host=from_host)
