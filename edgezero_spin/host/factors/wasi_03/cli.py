"""``wasi:cli@0.3``: the same as 0.2, with output that the host takes as streams.

Several streams on one output may be open at a time; what is written to them goes to the one
log in the order of the writes.

Source: contract wasi03.md, WE-1 to WE-4.
"""

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.streams import drained
from edgezero_spin.host.factors.wasi import cli as wasi_cli
from edgezero_spin.host.runtime.host_ends import StreamReader
from edgezero_spin.host.runtime.host_sources import FutureValue
from edgezero_spin.host.runtime.interface import HostFunction, Interface, Ok

__all__ = ["INTERFACES_03"]

_OF_02 = {interface.name.partition("/")[2]: interface for interface in wasi_cli.INTERFACES}
_ENVIRONMENT = _OF_02["environment"].functions


def _read_stdin(state: InstanceState) -> tuple[bytes, FutureValue]:
    command = state.command
    return b"" if command is None else command.stdin, FutureValue(Ok(None))


def _output(name: str, function: str) -> HostFunction:
    open_output = _OF_02[name].functions[function]

    def write(state: InstanceState, data: StreamReader) -> FutureValue:
        return drained(data, open_output(state).write)

    return write


INTERFACES_03 = (
    Interface("wasi:cli/types@0.3"),
    Interface(
        "wasi:cli/environment@0.3",
        {
            "get-environment": _ENVIRONMENT["get-environment"],
            "get-arguments": _ENVIRONMENT["get-arguments"],
            "get-initial-cwd": _ENVIRONMENT["initial-cwd"],
        },
    ),
    Interface("wasi:cli/stdin@0.3", {"read-via-stream": _read_stdin}),
    Interface("wasi:cli/stdout@0.3", {"write-via-stream": _output("stdout", "get-stdout")}),
    Interface("wasi:cli/stderr@0.3", {"write-via-stream": _output("stderr", "get-stderr")}),
    *(
        Interface(f"wasi:cli/{name}@0.3", table.functions, table.resources)
        for name, table in _OF_02.items()
        if name == "exit" or name.startswith("terminal-")
    ),
)
"""All of ``wasi:cli@0.3`` that a component can import."""
