"""The host's interfaces for tests: every call counted, and what a test can fix replaced."""

import time
from collections.abc import Callable
from typing import Any

import attrs

from edgezero_spin.host.compat import wasi_01
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.clocks import datetime_of
from edgezero_spin.host.factors.wasi.random import MAX_RANDOM_BYTES
from edgezero_spin.host.factors.wasi_03.clocks import instant_of
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.testing.hosting.context import CURRENT, current_client

__all__ = ["kit_interfaces"]


def kit_interfaces() -> dict[str, Interface]:
    """Return what components under test can import, by name."""
    tables = dict(HostInterfaces())
    replaced = {
        **_replaced("", wall_clock="wall-clock", now=_now, seed="insecure-seed"),
        **_replaced("@0.3", wall_clock="system-clock", now=_now_03, seed="get-insecure-seed"),
    }
    core_functions = {
        "clock_time_get": wasi_01.clock_function(_now_ns),
        "random_get": wasi_01.random_function(lambda length: current_client().random_bytes(length)),
    }
    tables[wasi_01.INTERFACE.name] = attrs.evolve(
        wasi_01.INTERFACE,
        core_functions={
            name: attrs.evolve(function, run=_carried(function.run))
            for name, function in {**wasi_01.INTERFACE.core_functions, **core_functions}.items()
        },
        configure=lambda state: wasi_01.configure(state, _environment(state), _write),
    )
    return {
        name: attrs.evolve(
            table,
            functions={
                item: _counted(function)
                for item, function in {**table.functions, **replaced.get(name, {})}.items()
            },
        )
        for name, table in tables.items()
    }


def _replaced(
    version: str, *, wall_clock: str, now: Callable[..., Any], seed: str
) -> dict[str, dict[str, Callable[..., Any]]]:
    """Return what a test can fix, of one generation of WASI."""
    return {
        f"wasi:cli/environment{version}": {"get-environment": _environment},
        f"wasi:clocks/{wall_clock}{version}": {"now": now},
        f"wasi:random/random{version}": {
            "get-random-bytes": _random,
            "get-random-u64": _random_u64,
        },
        f"wasi:random/insecure{version}": {
            "get-insecure-random-bytes": _random,
            "get-insecure-random-u64": _random_u64,
        },
        f"wasi:random/insecure-seed{version}": {
            seed: lambda state: (_random_u64(state), _random_u64(state))
        },
    }


def _counted(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(state: InstanceState, *arguments: Any) -> Any:
        context = state.context
        if context is not None:
            # An instance of WASI 0.3 goes on on whatever thread is free.
            CURRENT.context = context
            context.host_calls += 1
        return function(state, *arguments)

    return call


def _carried(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(cx: Context, *arguments: Any) -> Any:
        if cx.state.context is not None:
            CURRENT.context = cx.state.context
        return function(cx, *arguments)

    return call


def _write(state: InstanceState, stream: str, data: bytes) -> None:
    # The engine calls this on a thread of its own.
    CURRENT.context = state.context
    try:
        wasi_01.write_log(state, stream, data)
    finally:
        CURRENT.context = None


def _environment(state: InstanceState) -> list[tuple[str, str]]:
    return list({**dict(state.grants.environment), **current_client().env}.items())


def _now(state: InstanceState) -> dict[str, Any]:
    return datetime_of(_now_ns())


def _now_03(state: InstanceState) -> dict[str, Any]:
    return instant_of(_now_ns())


def _now_ns() -> int:
    now = current_client().now_ns
    return time.time_ns() if now is None else now


def _random(state: InstanceState, length: int) -> bytes:
    return current_client().random_bytes(min(length, MAX_RANDOM_BYTES))


def _random_u64(state: InstanceState) -> int:
    return int.from_bytes(current_client().random_bytes(8), "little")
