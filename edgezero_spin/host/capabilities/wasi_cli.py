"""``wasi:cli``: environment, exit, standard streams and the absence of terminals.

Nothing of the host process is inherited (ENV-1): no argument, no directory, no input, and
only the variables that the manifest names. Output goes to the component's logs (ENV-5).
"""

from edgezero_spin.host.capabilities.wasi_io import (
    EmptyInput,
    InputStream,
    IoError,
    OutputStream,
    Pollable,
)
from edgezero_spin.host.instance import InstanceState
from edgezero_spin.host.interface import Interface, Ok, Trap

__all__ = ["INTERFACES", "GuestExit", "LogStream", "TerminalInput", "TerminalOutput"]


class GuestExit(Trap):
    """The guest called ``wasi:cli/exit``, which ends it like a trap (ENV-17).

    Attributes:
        code: The status; 0 means that the guest saw itself as successful.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"the guest exited with status {code}")
        self.code = code


class LogStream(OutputStream):
    """Standard output or error. It never makes a guest wait."""

    __slots__ = ("_name", "_state")

    def __init__(self, state: InstanceState, name: str) -> None:
        self._state = state
        self._name = name

    def write(self, contents: bytes) -> None:
        """Append to the component's log."""
        self._state.sink(self._name).write(contents)


class TerminalInput:
    """Never made: a component has no terminal (ENV-11)."""


class TerminalOutput:
    """Never made: a component has no terminal (ENV-11)."""


def _exit(state: InstanceState, status: object) -> None:
    raise GuestExit(0 if isinstance(status, Ok) else 1)


def _exit_with_code(state: InstanceState, code: int) -> None:
    raise GuestExit(code)


def _no_terminal(state: InstanceState) -> None:
    return None


_STREAM_TYPES = {
    "input-stream": InputStream,
    "output-stream": OutputStream,
    "error": IoError,
    "pollable": Pollable,
}
_TERMINALS = {"terminal-input": TerminalInput, "terminal-output": TerminalOutput}

INTERFACES = (
    Interface(
        "wasi:cli/environment",
        {
            "get-environment": lambda state: state.grants.environment,
            "get-arguments": lambda state: [],
            "initial-cwd": lambda state: None,
        },
    ),
    Interface("wasi:cli/exit", {"exit": _exit, "exit-with-code": _exit_with_code}),
    Interface("wasi:cli/stdin", {"get-stdin": lambda state: EmptyInput()}, _STREAM_TYPES),
    Interface(
        "wasi:cli/stdout", {"get-stdout": lambda state: LogStream(state, "stdout")}, _STREAM_TYPES
    ),
    Interface(
        "wasi:cli/stderr", {"get-stderr": lambda state: LogStream(state, "stderr")}, _STREAM_TYPES
    ),
    Interface("wasi:cli/terminal-input", {}, _TERMINALS),
    Interface("wasi:cli/terminal-output", {}, _TERMINALS),
    Interface("wasi:cli/terminal-stdin", {"get-terminal-stdin": _no_terminal}, _TERMINALS),
    Interface("wasi:cli/terminal-stdout", {"get-terminal-stdout": _no_terminal}, _TERMINALS),
    Interface("wasi:cli/terminal-stderr", {"get-terminal-stderr": _no_terminal}, _TERMINALS),
)
"""All of ``wasi:cli`` that a component can import."""
