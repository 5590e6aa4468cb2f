"""Settings of a host: what an application may use of this machine, and how to run it.

Values only; nothing is opened or made here.
"""

import math
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict

import attrs
from attrs.validators import ge, gt, optional

from edgezero_spin.host.execution.concurrency_policy import ConcurrencyPolicy
from edgezero_spin.host.execution.instance_pool import ReusePolicy
from edgezero_spin.host.factors.logs import EchoTarget
from edgezero_spin.host.observers import Observer
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.triggers.trigger import ReconnectPolicy, Trigger

__all__ = [
    "HostSettings",
    "RunOptions",
    "default_cache_dir",
    "default_compiled_dir",
    "default_downloads_dir",
]


def _finite(seconds: float | None) -> float | None:
    return None if seconds == math.inf else seconds


@attrs.frozen(kw_only=True)
class HostSettings:
    """What an application may use of this machine.

    Attributes:
        max_instances: Instances alive at once. At least 1.
        max_queued: Requests that wait for an instance before others get a 503.
        parallel: Instances that compute at once; ``None`` for one per processor.
        request_timeout_s: Seconds that an instance may take; ``None`` or infinity for no limit
            (LIFE-7).
        least_request_timeout_s: Each request draws its own time between this and
            ``request_timeout_s``; ``None`` for just that (FLAG-7).
        max_instance_memory: Bytes of linear memory of one instance; ``None`` for what the
            engine allows (LIFE-9). What SQLite holds for it ends there, too.
        durable_writes: A write to a key-value file or a SQLite database that a guest was told
            of survives a power cut. Without, only the end of this process; the files stay
            sound either way.
        cache_dir: Where compiled components are kept; ``None`` compiles at every start.
        pooling: Reserve address space for instances in advance (ENG-1).
        debug_info: Let native debuggers see into guests (ENG-10).
        count_instructions: Count the instructions of guests, for observers. They are slower, and
            compiled by themselves. An engine that is shared decides for itself.
        wasi_otel: Let components report spans, metrics and log records of their own by
            ``wasi:otel``, which is experimental (TEL-47). An observer takes them.
        reuse: Whether instances are made ahead of time, and whether they serve more than
            one request, one after the other (FLAG-6).
        concurrency: How many requests share an instance of WASI 0.3, and how long it lives.
        reconnect: How triggers get back to a server that is gone.
    """

    max_instances: int = attrs.field(default=64, validator=ge(1))
    max_queued: int = attrs.field(default=1024, validator=ge(0))
    parallel: int | None = attrs.field(default=None, validator=optional(ge(1)))
    request_timeout_s: float | None = attrs.field(
        default=None, converter=_finite, validator=optional(gt(0))
    )
    least_request_timeout_s: float | None = attrs.field(
        default=None, converter=_finite, validator=optional(gt(0))
    )
    max_instance_memory: int | None = attrs.field(default=None, validator=optional(gt(0)))
    durable_writes: bool = True
    cache_dir: Path | None = attrs.field(factory=lambda: default_compiled_dir())
    pooling: bool = True
    debug_info: bool = False
    count_instructions: bool = False
    wasi_otel: bool = False
    reuse: ReusePolicy = attrs.field(factory=ReusePolicy)
    concurrency: ConcurrencyPolicy = attrs.field(factory=ConcurrencyPolicy)
    reconnect: ReconnectPolicy = attrs.field(factory=ReconnectPolicy)


class RunOptions(TypedDict, total=False):
    """How to run an application, beside what it says itself. All may be left out.

    Attributes:
        state_dir: Where data is kept. ``None`` means ``.spin`` beside the manifest, or
            nowhere for a component file; an empty text means in memory (STATE-1).
        log_dir: Where components' output goes. ``None`` means ``logs`` in the state
            directory; an empty text means to this process's stderr only (STATE-3).
        runtime_config: The runtime configuration; ``None`` for none. Where it is left out,
            the ``runtime-config.toml`` beside the manifest, if there is one.
        variables: As ``--variable`` takes them: ``name=value``, ``name=@file`` (VAR-20). Others
            come from the environment and from the file ``.env`` in the current folder, else
            beside the manifest (VAR-22).
        env: Environment variables for every component (ENV-1).
        key_values: Entries written to the store ``default`` first (KV-45).
        sqlite: Run first, as ``--sqlite`` takes them: a statement for the database
            ``default``, ``@file`` or ``@file:label`` (DB-2).
        follow: Components whose output is echoed; ``None`` for all, ``()`` for none.
        truncate_logs: Empty the logs of earlier runs.
        max_log_bytes: Size of a log file past which the next one is begun; one that was full
            is kept beside it.
        echo_to: Where output is echoed; ``None`` means this process's stderr.
        echo_as_json: Echo each line as a JSON object: time, component, stream, message, trace.
        profile: The build profile of the manifest.
        components: Run these and their triggers only; all when empty (LOCK-43).
        direct_mounts: Let guests see the manifest's folders themselves, not a copy, so
            that edits are visible (MAN-70).
        transient_write: Let guests change the files that they see, until the host closes
            (ENV-13). Not with ``direct_mounts``.
        work_dir: Where copies of files and the ``spin.lock`` of this run are made; it
            stays. ``None`` for a folder that is gone at the end (LOCK-40).
        downloads_dir: Where downloaded components are kept (MAN-33).
        triggers: Kinds of triggers beside those that are built in.
        settings: What the application may use of this machine.
        engine: Shared with other hosts of the process.
        observers: Told of requests, calls and instances; see ``Observer``.
    """

    state_dir: str | Path | None
    log_dir: str | Path | None
    runtime_config: str | Path | None
    variables: Iterable[str]
    env: Mapping[str, str] | None
    key_values: Mapping[str, str | bytes] | None
    sqlite: Iterable[str]
    follow: Iterable[str] | None
    truncate_logs: bool
    max_log_bytes: int
    echo_to: EchoTarget | None
    echo_as_json: bool
    profile: str | None
    components: Iterable[str]
    direct_mounts: bool
    transient_write: bool
    work_dir: str | Path | None
    downloads_dir: str | Path | None
    triggers: Iterable[Trigger]
    settings: HostSettings | None
    engine: Engine | None
    observers: Iterable[Observer]


def default_cache_dir() -> Path:
    """The folder for what can be made again."""
    return _user_cache_dir() / "edgezero-spin"


def default_compiled_dir() -> Path:
    """The folder for compiled components."""
    return default_cache_dir() / "components"


def default_downloads_dir() -> Path:
    """The folder for what can be fetched again, which is Spin's (OCI-40)."""
    return _user_cache_dir() / "spin" / "registry"


def _user_cache_dir() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
