"""WASI 0.1 for core modules: the engine's own, with what an instance may use.

In: an instance's state. Out: the engine's configuration of its environment, directories and
streams, with nothing of the host process inherited. A program that is run like a command has
its own arguments, input and output; other modules have none, and print to the component's log.

Functions that wait, end or draw on what the state says are served here: ``poll_oneoff`` waits
where a deadline and the end of the host reach a guest that sleeps, ``proc_exit`` ends it as
``wasi:cli/exit`` does.

Source: contract spin-host.md, WAGI-1 to WAGI-3, ENV-1, ENV-12 to ENV-17, LIFE-6 and LIFE-9;
WASI preview 1 for the layout of what ``poll_oneoff`` reads and writes.
"""

import ctypes
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic_ns, time_ns

import attrs
import wasmtime
from wasmtime import _ffi as ffi

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.cli import GuestExit
from edgezero_spin.host.runtime.interface import CoreFunction, CoreInterface
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.wasm.component.linked import WASI_01

__all__ = ["INTERFACE", "clock_function", "configure", "random_function", "write_log"]

# Of one poll. Each takes more of the host than of the guest, which has no table of them.
MAX_SUBSCRIPTIONS = 65_536

_ENOSPC = 28
_RANDOM_PIECE = 1 << 16

# Of WASI preview 1.
_SUCCESS = 0
_FAULT = 21
_INVALID = 28
_CLOCK = 0
_REALTIME, _MONOTONIC = 0, 1
_ABSOLUTE = 1
_SUBSCRIPTION = struct.Struct("<QB7xI4xQQH6x")
_EVENT = struct.Struct("<QHB5xQH6x")
_COUNT = struct.Struct("<I")


def write_log(state: InstanceState, stream: str, data: bytes) -> None:
    """Write to the component's log."""
    state.sink(stream).write(data)


def configure(
    state: InstanceState,
    environment: Sequence[tuple[str, str]] | None = None,
    write: Callable[[InstanceState, str, bytes], None] = write_log,
) -> wasmtime.WasiConfig:
    """Return what the engine's functions may use.

    Args:
        state: Of the instance.
        environment: Variables in the place of those that the component is granted.
        write: Takes what goes to the log, on a thread of the engine's while the guest waits.
    """
    config = wasmtime.WasiConfig()
    command = state.command
    if command is None:
        config.argv = list(state.grants.arguments)
        config.env = list(state.grants.environment if environment is None else environment)
        config.stdout_custom = partial(write, state, "stdout")
        stdin = b""
    else:
        config.argv = list(command.arguments)
        config.env = command.environment
        config.stdout_custom = lambda data: len(data) if command.print(data) else -_ENOSPC
        stdin = command.stdin
    config.stderr_custom = partial(write, state, "stderr")
    content = ffi.wasm_byte_vec_t()
    # The configuration takes these bytes over.
    ffi.wasm_byte_vec_new(
        ctypes.byref(content),
        len(stdin),
        ctypes.cast(ctypes.c_char_p(stdin), ctypes.POINTER(ctypes.c_uint8)),
    )
    ffi.wasi_config_set_stdin_bytes(config.ptr(), ctypes.byref(content))
    for mount in state.grants.mounts:
        config.preopen_dir(str(mount.host_path), mount.guest_path, fs_mutable=mount.writable)
    return config


def _exit(cx: Context, code: int) -> None:
    raise GuestExit(code)


def clock_function(now_ns: Callable[[], int]) -> CoreFunction:
    """Return ``clock_time_get`` with a wall clock: nanoseconds since 1970."""

    def clock_time_get(cx: Context, clock: int, _precision: int, target: int) -> int:
        if clock not in (_REALTIME, _MONOTONIC):
            return _INVALID
        now = max(0, now_ns()) if clock == _REALTIME else monotonic_ns()
        return _write(cx, target, now.to_bytes(8, "little"))

    return CoreFunction(("i32", "i64", "i32"), ("i32",), clock_time_get)


def random_function(random: Callable[[int], bytes]) -> CoreFunction:
    """Return ``random_get`` with a source of so many random bytes."""

    def random_get(cx: Context, target: int, length: int) -> int:
        if not _reaches(cx, target + length):
            return _FAULT
        for at in range(target, target + length, _RANDOM_PIECE):
            _write(cx, at, random(min(_RANDOM_PIECE, target + length - at)))
        return _SUCCESS

    return CoreFunction(("i32", "i32"), ("i32",), random_get)


def _write(cx: Context, at: int, data: bytes) -> int:
    """Write to the guest's memory; return WASI's code for how that went."""
    end = at + len(data)
    if not _reaches(cx, end):
        return _FAULT
    cx.u8[at:end] = data
    return _SUCCESS


def _reaches(cx: Context, end: int) -> bool:
    if end > cx.size:
        cx.extend(0, "")
    return end <= cx.size


@attrs.frozen
class _Subscription:
    """What a guest waits for.

    Attributes:
        id: Its own mark on it.
        kind: The clock, or reading or writing a descriptor.
        until_ns: ``monotonic_ns`` at which a clock is due; ``None`` for a descriptor.
    """

    id: int
    kind: int
    until_ns: int | None


def _poll(cx: Context, source: int, target: int, count: int, counted: int) -> int:
    """``poll_oneoff``: sleep until one of the subscriptions is due.

    Descriptors are files, bytes in memory or logs, and ready at any time.

    Raises:
        GuestTrapped: The instance's time is up, or the host is closing.
    """
    if not 0 < count <= MAX_SUBSCRIPTIONS:
        return _INVALID
    ends = (source + count * _SUBSCRIPTION.size, target + count * _EVENT.size, counted + 4)
    if not _reaches(cx, max(ends)):
        return _FAULT
    content = bytes(cx.u8[source : source + count * _SUBSCRIPTION.size])
    wanted = [_subscription(*parts) for parts in _SUBSCRIPTION.iter_unpack(content)]
    times = [part.until_ns for part in wanted if part.until_ns is not None]
    if len(times) == len(wanted):
        cx.state.wait(lambda: False, min(times))
    due = list(_due(wanted, monotonic_ns()))
    events = b"".join(_EVENT.pack(part.id, _SUCCESS, part.kind, 1, 0) for part in due)
    _write(cx, target, events)
    return _write(cx, counted, _COUNT.pack(len(due)))


def _due(wanted: Iterable[_Subscription], now: int) -> Iterable[_Subscription]:
    return (part for part in wanted if part.until_ns is None or part.until_ns <= now)


def _subscription(
    id: int, kind: int, clock: int, timeout: int, _slack: int, flags: int
) -> _Subscription:
    if kind != _CLOCK:
        return _Subscription(id, kind, None)
    if flags & _ABSOLUTE:
        timeout = max(0, timeout - (monotonic_ns() if clock == _MONOTONIC else time_ns()))
    return _Subscription(id, kind, monotonic_ns() + timeout)


_NUMBERS = ("i32",) * 4

INTERFACE = CoreInterface(
    WASI_01,
    core_functions={
        "clock_time_get": clock_function(time_ns),
        "poll_oneoff": CoreFunction(_NUMBERS, ("i32",), _poll),
        "proc_exit": CoreFunction(("i32",), (), _exit),
    },
    configure=configure,
)
"""WASI 0.1, for ``linking.link``."""
