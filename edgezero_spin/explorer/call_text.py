"""Text of calls: how a call of a host function is shown.

In: a ``HostCall``. Out: one line, ``get "greeting"``. Values that are written are shown by their
size, and nothing that may be a password is: not an address, not the value of a variable.
"""

from typing import Any

from edgezero_spin.host.observers import HostCall
from edgezero_spin.host.telemetry.spans import masked

__all__ = ["call_text"]

_LONGEST = 120
_PLAIN = (str, bytes, bytearray, memoryview, int, float, list, tuple, dict)


def call_text(call: HostCall) -> str:
    """Return what was called, with its arguments."""
    name = call.function.rpartition("]")[2].rpartition(".")[2]
    given = call.arguments[1:] if call.function.startswith("[method]") else call.arguments
    shown = [_shown(value) for value in given if isinstance(value, _PLAIN)]
    if "mqtt" in call.interface and name.endswith("open"):
        # Behind the address come a user and a password.
        shown = shown[:1]
    return " ".join([name, *shown])


def _shown(value: Any) -> str:
    if isinstance(value, str):
        text = masked(value)
        return f'"{text[:_LONGEST]}{"..." if len(text) > _LONGEST else ""}"'
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"({len(value)} bytes)"
    if isinstance(value, (list, tuple)):
        return f"[{len(value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(map(str, list(value)[:8])) + "}"
    return str(value)[:_LONGEST]
