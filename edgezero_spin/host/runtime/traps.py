"""Traps: what the canonical ABI refuses, and what the engine reports.

``Trap`` with a text is for rules that a guest broke; the texts are those that wasmtime has for
the same. What the engine reports becomes one of the errors of ``host/errors.py``, chosen by the
engine's code.

Source: ``CanonicalABI.md`` for the rules, ``wasmtime/trap.h`` for the codes; contract
wasi03.md, TR-1 to TR-31.
"""

import re

from edgezero_spin.host.errors import (
    DeadlineExceeded,
    EngineBusy,
    GuestTrapped,
    OutOfFuel,
    OutOfMemory,
    Trap,
)
from edgezero_spin.host.runtime.native import (
    delete_trap,
    error_message,
    trap_code,
    trap_message,
)

__all__ = [
    "cannot_enter",
    "cannot_leave",
    "failure_of_error",
    "failure_of_text",
    "failure_of_trap",
    "invalid_discriminant",
    "unaligned",
]

_INTERRUPT = 10
_OUT_OF_FUEL = 11


def cannot_enter() -> Trap:
    """Return the trap for a call into an instance that is in a call, or that trapped."""
    return Trap("wasm trap: cannot enter component instance")


def cannot_leave() -> Trap:
    """Return the trap for a call out of an instance during ``realloc`` or ``post-return``."""
    return Trap("wasm trap: cannot leave component instance")


def invalid_discriminant() -> Trap:
    """Return the trap for a case that a variant or enum does not have."""
    return Trap("invalid variant discriminant")


def unaligned(what: str = "") -> Trap:
    """Return the trap for a pointer that is not aligned as its type asks."""
    return Trap(f"{what}unaligned pointer")


def failure_of_trap(trap: int) -> GuestTrapped | EngineBusy:
    """Return the error for a trap, and free the trap."""
    code, text = trap_code(trap), trap_message(trap)
    delete_trap(trap)
    return failure_of_text(text, code)


def failure_of_error(error: int) -> GuestTrapped | EngineBusy:
    """Return the error for what is no trap: an instance that cannot be made. Frees it."""
    return failure_of_text(error_message(error))


def failure_of_text(text: str, code: int | None = None) -> GuestTrapped | EngineBusy:
    """Return the error for a trap of this code, or for a failure that has only a text.

    The engine has no codes for an instance that cannot be made.
    """
    reason = _reason(text)
    if code == _INTERRUPT:
        return DeadlineExceeded("the guest ran past its deadline", text)
    if code == _OUT_OF_FUEL:
        return OutOfFuel("the guest spent its fuel", text)
    if "maximum concurrent" in text:
        return EngineBusy(reason)
    if "memory minimum size" in text or "exceeds memory limits" in text:
        return OutOfMemory(reason, text)
    if "all fuel consumed" in text:
        return OutOfFuel("the guest spent its fuel", text)
    return GuestTrapped(reason, text)


def _reason(text: str) -> str:
    """Return the innermost cause of an engine's error text, in one line."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if "Caused by:" in lines:
        causes = [line for line in lines[lines.index("Caused by:") + 1 :] if line]
        if causes:
            return re.sub(r"^\d+: ", "", causes[-1])
    return lines[0] if lines else "the guest stopped"
