"""A host around the guest in ``guests/script.wat``, and states for host functions."""

import asyncio
import io
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.host import Host
from edgezero_spin.host.http.trigger import HttpEntry, HttpTriggers
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.load.plan import ApplicationPlan, ComponentPlan
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.interface import WitError
from edgezero_spin.host.settings import HostSettings
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = [
    "SCRIPT",
    "Capture",
    "HostLog",
    "call",
    "error_of",
    "instance_state",
    "script_host",
    "script_plan",
    "until",
]

SCRIPT = Path(__file__).parent / "guests" / "script.wat"

INTERFACES = HostInterfaces()


class Capture(io.RawIOBase):
    """Takes what components print, and lets a test wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.content = b""
        self._changed = threading.Condition()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with self._changed:
            self.content += bytes(data)
            self._changed.notify_all()
        return len(data)

    def wait_for(self, wanted: bytes, timeout_s: float = 10) -> bool:
        """Return whether the bytes were printed in time."""
        with self._changed:
            return self._changed.wait_for(lambda: wanted in self.content, timeout_s)


class HostLog(logging.Handler):
    """What the host says in its log, while the ``with`` lasts."""

    def __init__(self) -> None:
        super().__init__()
        self._capture = Capture()
        self._logger = logging.getLogger("edgezero_spin.host")

    def emit(self, record: logging.LogRecord) -> None:
        self._capture.write(self.format(record).encode() + b"\n")

    @property
    def content(self) -> bytes:
        """Everything so far."""
        return self._capture.content

    def wait_for(self, wanted: bytes) -> bool:
        """Return whether it was said in time."""
        return self._capture.wait_for(wanted)

    def __enter__(self) -> "HostLog":
        self._logger.addHandler(self)
        return self

    def __exit__(self, *exc: object) -> None:
        self._logger.removeHandler(self)


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    """Wait for something that another thread will bring about."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)


def script_plan(*triggers: HttpEntry, source: Path = SCRIPT) -> ApplicationPlan:
    """An application whose one component is the script guest."""
    return ApplicationPlan(
        name="script",
        version="1.2.3",
        components=(ComponentPlan(id="script", source=source, description="Does as told"),),
        triggers=(
            HttpTriggers(triggers or (HttpEntry(id="all", route="/...", component="script"),)),
        ),
    )


def script_host(
    engine: Engine,
    *triggers: HttpEntry,
    settings: HostSettings | None = None,
    logs: Logs | None = None,
) -> Host:
    """A host of the script guest on a shared engine."""
    return Host(
        script_plan(*triggers),
        engine=engine,
        settings=settings or HostSettings(cache_dir=None),
        logs=logs,
    )


def instance_state(
    *,
    environment: tuple[tuple[str, str], ...] = (),
    stores: Mapping[str, KeyValueBackend] | None = None,
    logs: Logs | None = None,
    **grants: Any,
) -> InstanceState:
    """A state as the runner makes it, without an instance."""
    return InstanceState(
        Grants(
            component_id="test",
            environment=environment,
            key_value=stores or {},
            log=(logs or Logs(None)).of("test"),
            **grants,
        )
    )


def call(state: InstanceState, function: str, *arguments: Any) -> Any:
    """Call a host function: ``call(state, "wasi:io/poll poll", [...])``."""
    interface, name = function.split(" ", 1)
    return INTERFACES[interface].functions[name](state, *arguments)


def error_of(state: InstanceState, function: str, *arguments: Any) -> Any:
    """Return the err case that a host function answers with."""
    try:
        result = call(state, function, *arguments)
    except WitError as error:
        return error.payload
    raise AssertionError(f"{function} returned {result!r}")
