"""``wasi:cli``: environment, exit, standard streams and the absence of terminals.

Nothing of the host process is inherited (ENV-1): no argument, no directory, no input, and
only the variables that the manifest names. Output goes to the component's logs (ENV-5).
A program that is run like a command has its own arguments, input and output, and variables
of the request (WAGI-2, WAGI-3).
"""

from edgezero_spin.host.exchange.channel import BytesLike
from edgezero_spin.host.factors.command import Command
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.io import (
    EmptyInput,
    InputStream,
    IoError,
    OutputStream,
    Pollable,
    closed,
)
from edgezero_spin.host.runtime.interface import Interface, Ok, Trap

__all__ = [
    "INTERFACES",
    "CommandInput",
    "CommandOutput",
    "GuestExit",
    "LogStream",
    "TerminalInput",
    "TerminalOutput",
    "too_much_output",
]


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


class CommandInput(InputStream):
    """Standard input of a command: bytes that are all there."""

    __slots__ = ("_rest",)

    def __init__(self, content: bytes) -> None:
        self._rest = memoryview(content)

    def read(self, most: int) -> BytesLike:
        """Return the next bytes."""
        if not self._rest:
            raise closed()
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece


class CommandOutput(OutputStream):
    """Standard output of a command. It never makes a guest wait."""

    __slots__ = ("_command",)

    def __init__(self, command: Command) -> None:
        self._command = command

    def write(self, contents: bytes) -> None:
        """Keep the bytes; a guest that prints more than it may is stopped."""
        if not self._command.print(contents):
            raise Trap(too_much_output(self._command))


def too_much_output(command: Command) -> str:
    """Say that a command printed more than it may."""
    return f"the program printed more than {command.output_limit_bytes} bytes"


class TerminalInput:
    """Never made: a component has no terminal (ENV-11)."""


class TerminalOutput:
    """Never made: a component has no terminal (ENV-11)."""


def _environment(state: InstanceState) -> tuple[tuple[str, str], ...]:
    command = state.command
    return state.grants.environment if command is None else command.environment


def _arguments(state: InstanceState) -> list[str]:
    command = state.command
    return list(state.grants.arguments if command is None else command.arguments)


def _stdin(state: InstanceState) -> InputStream:
    command = state.command
    return EmptyInput() if command is None else CommandInput(command.stdin)


def _stdout(state: InstanceState) -> OutputStream:
    command = state.command
    return LogStream(state, "stdout") if command is None else CommandOutput(command)


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
            "get-environment": _environment,
            "get-arguments": _arguments,
            "initial-cwd": lambda state: None,
        },
    ),
    Interface("wasi:cli/exit", {"exit": _exit, "exit-with-code": _exit_with_code}),
    Interface("wasi:cli/stdin", {"get-stdin": _stdin}, _STREAM_TYPES),
    Interface("wasi:cli/stdout", {"get-stdout": _stdout}, _STREAM_TYPES),
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
