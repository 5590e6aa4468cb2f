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
from edgezero_spin.host.runtime.native import delete_trap, error_message, trap_code, trap_message

__all__ = [
    "cannot_enter",
    "cannot_leave",
    "failure_of_error",
    "failure_of_trap",
    "invalid_discriminant",
    "table_full",
]

_INTERRUPT = 10
_OUT_OF_FUEL = 11
# By the engine's code; the texts are those of wasmtime.
_REASONS = {
    0: "call stack exhausted",
    1: "out of bounds memory access",
    2: "misaligned memory access",
    3: "undefined element: out of bounds table access",
    4: "uninitialized element",
    5: "indirect call type mismatch",
    6: "integer overflow",
    7: "integer divide by zero",
    8: "invalid conversion to integer",
    9: "wasm `unreachable` instruction executed",
}
_HASH = re.compile(r"(?<=\w)\[[0-9a-f]+\]|::h[0-9a-f]{16}\b")


def cannot_enter() -> Trap:
    """Return the trap for a call into an instance that is in a call, or that trapped."""
    return Trap("wasm trap: cannot enter component instance")


def cannot_leave() -> Trap:
    """Return the trap for a call out of an instance during ``realloc`` or ``post-return``."""
    return Trap("wasm trap: cannot leave component instance")


def invalid_discriminant() -> Trap:
    """Return the trap for a case that a variant or enum does not have."""
    return Trap("invalid variant discriminant")


def table_full(limit: int) -> Trap:
    """Return the trap for an instance that holds more than it may, which leaks handles."""
    return Trap(f"the instance holds {limit} host resources, which is its limit")


def failure_of_trap(trap: int) -> GuestTrapped:
    """Return the error for a trap, and free the trap."""
    code, text = trap_code(trap), trap_message(trap)
    delete_trap(trap)
    backtrace = _frames(text)
    if code == _INTERRUPT:
        return DeadlineExceeded("the guest ran past its deadline", backtrace)
    if code == _OUT_OF_FUEL:
        return OutOfFuel("the guest spent its fuel", backtrace)
    reason = None if code is None else _REASONS.get(code)
    return GuestTrapped(f"wasm trap: {reason}" if reason else _cause(text), backtrace)


def failure_of_error(error: int) -> GuestTrapped | EngineBusy:
    """Return the error for an instance that cannot be made, for which there is no code. Frees it.

    Source: wasmtime 50, the texts of its pooling allocator and of its limits on stores.
    """
    text = error_message(error)
    reason = _cause(text)
    if "maximum concurrent" in text:
        return EngineBusy(reason)
    if "memory minimum size" in text or "exceeds memory limits" in text:
        return OutOfMemory(reason, text)
    return GuestTrapped(reason, text)


def _frames(text: str) -> str:
    """Return the engine's text without what is no help in it.

    The engine demangles names; what stays are hashes of Rust crates, and that a fused module
    has no name.
    """
    return _HASH.sub("", text).replace(" - <unknown>!", " - ")


def _cause(text: str) -> str:
    """Return the innermost cause of an engine's error text, in one line."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if "Caused by:" in lines:
        causes = [line for line in lines[lines.index("Caused by:") + 1 :] if line]
        if causes:
            return re.sub(r"^\d+: ", "", causes[-1])
    return lines[0] if lines else "the guest stopped"
