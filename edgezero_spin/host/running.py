"""One running instance of a component: starting it, calling it, ending it.

In: a linked component and a state. Out: results in Python form, or one of the errors
that say why there is none. Everything that a call needs is prepared by ``linking``; the
arguments and the result lie in one buffer per instance.

Source: contract spin-host.md, LIFE-2, LIFE-6 and LIFE-9; ``wasmtime/component/func.h``.
"""

import ctypes
import logging
import math
import re
from collections.abc import Sequence
from typing import Any, Protocol, Self

import attrs
from wasmtime import _ffi as ffi
from wasmtime import component as wit

from edgezero_spin.host import forwarding
from edgezero_spin.host.callbacks import scopes
from edgezero_spin.host.engine import TICK_S, Engine, InstanceLimits
from edgezero_spin.host.errors import (
    DeadlineExceeded,
    EngineBusy,
    GuestTrapped,
    InstanceError,
    OutOfFuel,
    OutOfMemory,
    Trap,
    ValueMismatchError,
    WitError,
)
from edgezero_spin.host.interface import InstanceState
from edgezero_spin.host.values import Lift, Lower, Scope
from edgezero_spin.host.values.raw import (
    MEMORY,
    VALUE_SIZE,
    WORDS,
    Kind,
    Size,
    error_delete,
    error_message,
    keeping,
    releasing,
    value_delete,
)
from edgezero_spin.wasm.bulk_names import plain_name

__all__ = ["MOST_ARGUMENTS", "NO_DEADLINE", "Export", "Instance", "Template", "failure_of"]

_log = logging.getLogger(__name__)

NO_DEADLINE = 1 << 60
"""Epoch ticks that no engine lives to see."""
_UNLIMITED_FUEL = (1 << 64) - 1

_store_new = keeping("wasmtime_store_new", Size, Size, Size, Size)
_store_context = keeping("wasmtime_store_context", Size, Size)
_store_limiter = keeping("wasmtime_store_limiter", None, Size, *[ctypes.c_int64] * 5)
_store_delete = releasing("wasmtime_store_delete", None, Size)
_set_fuel = keeping("wasmtime_context_set_fuel", Size, Size, ctypes.c_uint64)
_get_fuel = keeping("wasmtime_context_get_fuel", Size, Size, Size)
_set_deadline = keeping("wasmtime_context_set_epoch_deadline", None, Size, ctypes.c_uint64)
_instantiate = releasing("wasmtime_component_linker_instantiate", Size, Size, Size, Size, Size)
_get_function = keeping("wasmtime_component_instance_get_func", ctypes.c_bool, *[Size] * 4)
_call = releasing("wasmtime_component_func_call", Size, *[Size] * 6)

_INSTANCE_BYTES = ctypes.sizeof(ffi.wasmtime_component_instance_t)
_FUNCTION_BYTES = ctypes.sizeof(ffi.wasmtime_component_func_t)
_FUNCTION_AT = (_INSTANCE_BYTES + 15) // 16 * 16
_RESULT_AT = _FUNCTION_AT + (_FUNCTION_BYTES + 15) // 16 * 16
_ARGUMENTS_AT = _RESULT_AT + VALUE_SIZE
MOST_ARGUMENTS = 16
"""Parameters that an exported function may have; the component model allows as many flat."""

_Buffer = ctypes.c_char * (_ARGUMENTS_AT + MOST_ARGUMENTS * VALUE_SIZE)

_LAST_FLAT_KIND = int(Kind.CHAR)
"""Values of this kind and below own no memory."""


@attrs.frozen(eq=False)
class Export:
    """One exported function, ready to be called.

    Attributes:
        name: For messages.
        index: The engine's index; ``address`` is its pointer.
        lowers: One converter per parameter.
        has_result: Whether the function returns anything.
        lift: Converter of the result, of its ok case where it is a ``result``.
        lift_error: Converter of the err case; ``None`` for one without payload.
        fallible: Whether the result is a ``result``.
    """

    name: str
    index: wit.ExportIndex
    address: int
    lowers: tuple[Lower, ...]
    has_result: bool
    lift: Lift | None
    lift_error: Lift | None
    fallible: bool


class Template(Protocol):
    """What instances are made from; ``linking.LinkedComponent``."""

    engine: Engine
    engine_address: int
    linker_address: int
    component_address: int

    @property
    def providers(self) -> Sequence[forwarding.Provider]:
        """Components whose instances begin before its own."""

    def prepared(self, interface: str | None, function: str) -> Export:
        """Return an exported function."""


class Instance:
    """One running copy of a component, used by one thread at a time.

    Use it in ``with``, or ``close`` it: its memory goes back to the pool at once and every
    host object that it held is dropped. Closing twice is harmless.
    """

    __slots__ = (
        "_base",
        "_buffer",
        "_found",
        "_fuel_given",
        "_fuel_used",
        "_running",
        "_store",
        "_template",
        "_ticking",
        "_trapped",
        "scope",
    )

    def __init__(self, template: Template, state: InstanceState, limits: InstanceLimits) -> None:
        """Called by ``LinkedComponent.instantiate``."""
        self._store = 0
        self._template = template
        self._ticking = False
        self._trapped = False
        self._running = False
        self._found: Export | None = None
        self._fuel_given: int | None = None
        self._fuel_used: int | None = None
        self._buffer = _Buffer()
        self._base = ctypes.addressof(self._buffer)
        self._store = _store_new(template.engine_address, 0, 0)
        context = _store_context(self._store)
        self.scope = Scope(context, state, state.table)
        try:
            self._apply(limits, context)
            scopes[context] = self.scope
            problem = forwarding.start(context, template.providers) if template.providers else 0
            if problem:
                raise self._failure(problem)
            problem = _instantiate(
                template.linker_address, context, template.component_address, self._base
            )
            if problem:
                raise self._failure(problem)
        except BaseException:
            self.close()
            raise

    def _apply(self, limits: InstanceLimits, context: int) -> None:
        settings = self._template.engine.settings
        if limits.memory_bytes is not None:
            _store_limiter(self._store, limits.memory_bytes, -1, -1, -1, -1)
        if settings.fuel:
            self._fuel_given = _UNLIMITED_FUEL if limits.fuel is None else limits.fuel
            problem = _set_fuel(context, self._fuel_given)
            if problem:
                raise InstanceError(error_message(problem))
        elif limits.fuel is not None:
            raise InstanceError("a fuel limit needs an engine with EngineSettings(fuel=True)")
        if settings.epoch:
            self._set_deadline(limits.deadline_s, context)
        elif limits.deadline_s is not None:
            raise InstanceError("a deadline needs an engine with EngineSettings(epoch=True)")

    def _set_deadline(self, deadline_s: float | None, context: int) -> None:
        ticker = self._template.engine.ticker
        ticks = NO_DEADLINE
        if deadline_s is not None:
            if not self._ticking:
                ticker.acquire()
                self._ticking = True
            ticks = math.ceil(deadline_s / TICK_S) + 1
        elif self._ticking:
            self._ticking = False
            ticker.release()
        _set_deadline(context, ticks)

    def restart_deadline(self, deadline_s: float | None) -> None:
        """Start the clock anew, between two calls; ``None`` stops it.

        Raises:
            InstanceError: The instance is closed, or its engine keeps no deadlines.
        """
        if not self._store:
            raise InstanceError("the instance is closed")
        if self._template.engine.settings.epoch:
            # Without a ticker there was no deadline to begin with.
            if deadline_s is not None or self._ticking:
                self._set_deadline(deadline_s, self.scope.context)
        elif deadline_s is not None:
            raise InstanceError("a deadline needs an engine with EngineSettings(epoch=True)")

    def call(self, interface: str | None, function: str, *args: Any) -> Any:
        """Call an exported function and return its result in Python form.

        Args:
            interface: The exported interface, with its version or, for WASI 0.2, without;
                ``None`` for a function that the world exports by itself.
            function: Its WIT name.
            args: Its parameters in Python form; see ``host/interface.py``.

        Raises:
            WitError: The function returned ``err``.
            GuestTrapped: The guest stopped; one of its subclasses where the reason is known.
            InstanceError: The instance is closed or trapped before, or has no such export.
            ValueMismatchError: An argument does not fit its type.
            BaseException: Whatever a host function raised, with its traceback.
        """
        export = self._template.prepared(interface, function)
        count = len(export.lowers)
        if len(args) != count:
            raise TypeError(f"{export.name} takes {count} arguments, got {len(args)}")
        self._enter()
        scope = self.scope
        base = self._base
        try:
            self._lower(export, args)
            if self._found is not export:
                self._find(export)
            problem = _call(
                base + _FUNCTION_AT,
                scope.context,
                base + _ARGUMENTS_AT,
                count,
                base + _RESULT_AT,
                export.has_result,
            )
            if problem:
                self._trapped = True
                raise self._failure(problem)
            return self._result(export, base + _RESULT_AT)
        finally:
            self._running = False
            first = base + _RESULT_AT
            for at in range(first, first + (count + 1) * VALUE_SIZE, VALUE_SIZE):
                if MEMORY[at] > _LAST_FLAT_KIND:
                    value_delete(at)
                MEMORY[at] = 0
            if scope.loans:
                scope.settle_loans()

    def _find(self, export: Export) -> None:
        """Put the engine's handle of a function in its place; it stays good for the next call."""
        self._found = None
        base = self._base
        if not _get_function(base, self.scope.context, export.address, base + _FUNCTION_AT):
            raise InstanceError(f"the instance has no function {export.name}")
        self._found = export

    def _enter(self) -> None:
        if self._running:
            raise InstanceError("the instance is in a call; it runs one at a time")
        if self._trapped:
            raise InstanceError("the instance stopped in an earlier call")
        if not self._store:
            raise InstanceError("the instance is closed")
        self._running = True

    def _lower(self, export: Export, args: tuple[Any, ...]) -> None:
        at = first = self._base + _ARGUMENTS_AT
        try:
            for lower, value in zip(export.lowers, args, strict=True):
                lower(self.scope, at, value)
                at += VALUE_SIZE
        except ValueMismatchError as error:
            error.place = f"argument {(at - first) // VALUE_SIZE}{error.place}"
            raise

    def _result(self, export: Export, results: int) -> Any:
        lift = export.lift
        if not export.fallible:
            return None if lift is None else lift(self.scope, results)
        payload = WORDS[(results >> 3) + 2]
        if MEMORY[results + 8]:
            return None if lift is None else lift(self.scope, payload)
        lift_error = export.lift_error
        raise WitError(None if lift_error is None else lift_error(self.scope, payload))

    def _failure(self, problem: int) -> BaseException:
        """Return what to raise for an engine error: the host function's own, or a kind of trap."""
        raised, self.scope.error = self.scope.error, None
        if raised is not None:
            if isinstance(raised, GuestTrapped) and not raised.backtrace:
                raised.backtrace = error_message(problem)
            else:
                error_delete(problem)
            return raised
        return failure_of(error_message(problem))

    @property
    def fuel_used(self) -> int | None:
        """Instructions spent so far, also after ``close``; ``None`` when the engine counts none."""
        if self._store and self._fuel_given is not None:
            left = ctypes.c_uint64()
            problem = _get_fuel(self.scope.context, ctypes.addressof(left))
            if problem:
                raise InstanceError(error_message(problem))
            self._fuel_used = self._fuel_given - left.value
        return self._fuel_used

    def close(self) -> None:
        """Free the instance and drop what it held.

        Raises:
            InstanceError: The instance is in a call.
        """
        store = self._store
        if not store:
            return
        if self._running:
            raise InstanceError("the instance is in a call and cannot be closed now")
        if self._fuel_given is not None:
            self._fuel_used = self.fuel_used
        self._store = 0
        scope = self.scope
        scopes.pop(scope.context, None)
        if self._template.providers:
            forwarding.end(scope.context)
        scope.context = 0
        _store_delete(store)
        if self._ticking:
            self._ticking = False
            self._template.engine.ticker.release()
        for resource in scope.table.drain():
            drop = getattr(resource, "drop", None)
            if drop is not None:
                try:
                    drop(scope.state)
                except Exception:
                    _log.exception("a host resource could not be dropped")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


_UNKNOWN_IMPORT = re.compile(r"unknown import: `([^`]+)` has not been defined")


def failure_of(text: str) -> GuestTrapped | EngineBusy:
    """Return the error for the engine's text about a call or a start that failed."""
    unknown = _UNKNOWN_IMPORT.search(text)
    if unknown is not None:
        owner, _, function = plain_name(unknown[1]).rpartition("#")
        item = f"{function} of {owner}" if owner else function
        return Trap(
            f"the component called {item}, which this host does not provide; `spin up` may",
            text,
        )
    reason = _reason(text)
    if "wasm trap: interrupt" in text:
        return DeadlineExceeded("the guest ran past its deadline", text)
    if "all fuel consumed" in text:
        return OutOfFuel("the guest spent its fuel", text)
    if "maximum concurrent" in text:
        return EngineBusy(reason)
    if "memory minimum size" in text or "exceeds memory limits" in text:
        return OutOfMemory(reason, text)
    if "fuel allocated for hostcalls" in text:
        # Where bytes cannot cross in bulk, each of a list counts as a value of its own.
        return GuestTrapped(
            "the guest passed too much to the host in one call: 128 MiB cross, but of bytes "
            "inside other values about 2 MiB only; under `spin up` it is 128 MiB for all",
            text,
        )
    return GuestTrapped(reason, text)


def _reason(text: str) -> str:
    """Return the innermost cause of an engine's error text, in one line."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if "Caused by:" in lines:
        causes = [line for line in lines[lines.index("Caused by:") + 1 :] if line]
        if causes:
            return re.sub(r"^\d+: ", "", causes[-1])
    return lines[0] if lines else "the guest stopped"
