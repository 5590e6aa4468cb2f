"""Calls of lifted functions: from the host, or from one component instance to another.

Source: ``CanonicalABI.md``, "``canon lift``" and "Embedding".
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.runtime.converters import Converters, contains, lower_parameters
from edgezero_spin.host.runtime.handles import Call
from edgezero_spin.host.runtime.memory import MAX_CALL_BYTES
from edgezero_spin.host.runtime.misfit import misfit_of_arguments
from edgezero_spin.host.runtime.native import call
from edgezero_spin.host.runtime.storing import MISFITS
from edgezero_spin.host.runtime.traps import cannot_enter
from edgezero_spin.wasm.component.layout import core_signature, slots
from edgezero_spin.wasm.component.linked import LiftedFunction
from edgezero_spin.wasm.component.types import BorrowType

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["Invoke", "lifted_call"]

Invoke = Callable[["Instance", tuple[Any, ...]], Any]
"""``(running instance, parameters) -> result``."""


def lifted_call(
    function: LiftedFunction,
    converters: Converters,
    context_number: int,
    entered: Sequence[int],
    *,
    from_host: bool,
) -> Invoke:
    """Return what calls a lifted function.

    Args:
        context_number: Index of its context in ``Instance.contexts``.
        entered: The component instances that a call enters.
        from_host: Parameters and result are the host's.

    Raises:
        LinkError: A type cannot cross.
    """
    type_, options = function.type, function.options
    signature = core_signature(type_, lowered=False)
    lower = lower_parameters(
        converters.lowering(options.encoding, function.instance, from_host=from_host),
        type_,
        signature,
    )
    lifting = converters.lifting(options.encoding, to_host=from_host, lends=False)
    result_of = lifting.lift_result(type_.result, signature.results, in_memory=signature.returned)
    core, post_return = function.core, options.post_return
    parameters, results = slots(signature.parameters), slots(signature.results)
    width = len(signature.parameters)
    count = max(width, len(signature.results))
    borrows = contains(type_.parameter_types, BorrowType)

    def invoke(owner: "Instance", values: tuple[Any, ...]) -> Any:
        components = owner.components
        for index in entered:
            if not components[index].may_enter:
                raise cannot_enter()
        for index in entered:
            components[index].may_enter = False
        cx = owner.contexts[context_number]
        lent = cx.call = Call()
        flat: list[Any] = [0] * width
        try:
            lower(cx, values, flat)
            parameters.pack_into(owner.slots, 0, *flat)
        except MISFITS as error:
            for index in entered:
                components[index].may_enter = True
            raise misfit_of_arguments(type_, values, converters.class_of) or error from error
        problem = call(*owner.call_arguments(core, count))
        if problem or owner.trap.value:
            raise owner.failure(problem)
        flat_result = results.unpack_from(owner.slots)
        cx.held = MAX_CALL_BYTES
        value = result_of(cx, flat_result)
        if borrows:
            lent.finish()
        if post_return is not None:
            instance = cx.instance
            instance.may_leave = False
            results.pack_into(owner.slots, 0, *flat_result)
            owner.run(post_return, len(flat_result))
            instance.may_leave = True
        for index in entered:
            components[index].may_enter = True
        return value

    return invoke
