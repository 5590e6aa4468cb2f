"""The flags of the commands that serve by the embedded host alone: ``up`` and ``watch``.

In: a command function. Out: the same with the flags added, their values gathered in one
``HostFlags``.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from edgezero_spin.cli.explorer_options import EXPLORER_OPTIONS, take_explorer_port
from edgezero_spin.cli.not_here import check_environment, refused_options
from edgezero_spin.cli.options import gathered, notify
from edgezero_spin.cli.reuse_options import REUSE_OPTIONS, ReuseFlags, take_reuse_flags
from edgezero_spin.cli.telemetry import telemetry_observer
from edgezero_spin.cli.values import Duration, DurationSpan

if TYPE_CHECKING:
    from edgezero_spin.host import HostSettings
    from edgezero_spin.host.http.server import ServerSettings
    from edgezero_spin.host.settings import RunOptions

__all__ = ["HostFlags", "host_options"]


# No attrs class: importing attrs for it would be a sixth of the time of `--help`.
class HostFlags(NamedTuple):
    """What the flags say, each in the field of its option; ``None`` where none was given."""

    tls_cert: str | None
    tls_key: str | None
    output_format: str
    truncate_logs: bool
    max_log_bytes: int
    sqlite: tuple[str, ...]
    allow_transient_write: bool
    direct_mounts: bool
    max_head_bytes: int
    body_timeout: float
    min_body_rate: int
    request_timeout: tuple[float, float] | None
    max_instance_memory: int | None
    durability: str | None
    max_instances: int | None
    reuse: ReuseFlags
    ready: int
    reconnect_timeout: float
    work_dir: str | None
    cache_dir: str | None
    cache_file: Path | None
    disable_cache: bool
    disable_pooling: bool
    debug_info: bool
    wasi_otel: bool
    operation_listen: str | None
    explorer_port: int | None
    log_as_json: bool

    @property
    def as_json(self) -> bool:
        """Whether address and routes are printed as one JSON object."""
        return self.output_format == "json"

    def server_settings(self, find_free_port: bool) -> "ServerSettings":
        """Return how clients are treated, and whether another port may be taken."""
        from edgezero_spin.host.http.server import ServerSettings

        tls = None
        if self.tls_cert is not None and self.tls_key is not None:
            tls = (self.tls_cert, self.tls_key)
        return ServerSettings(
            find_free_port=find_free_port,
            tls=tls,
            max_head_bytes=self.max_head_bytes,
            body_timeout_s=self.body_timeout,
            min_body_rate=self.min_body_rate,
        )

    def run_options(self, *, durable: bool = True) -> "RunOptions":
        """Return what the embedded host takes.

        Args:
            durable: Whether writes survive a power cut where no flag says so.
        """
        cache_dir = self.cache_dir
        return {
            "truncate_logs": self.truncate_logs,
            "max_log_bytes": self.max_log_bytes,
            "echo_as_json": self.log_as_json,
            "sqlite": self.sqlite,
            "transient_write": self.allow_transient_write,
            "direct_mounts": self.direct_mounts,
            "work_dir": self.work_dir,
            "downloads_dir": None if cache_dir is None else Path(cache_dir) / "registry",
            "settings": self._settings(durable),
        }

    def _settings(self, durable: bool) -> "HostSettings":
        import attrs

        from edgezero_spin.cli.cache_file import read_cache_dir
        from edgezero_spin.host import HostSettings, ReconnectPolicy
        from edgezero_spin.host.runtime.pool import instances_in_pool

        if self.wasi_otel and telemetry_observer() is None:
            notify(
                "--experimental-wasi-otel: no OTEL_EXPORTER_OTLP_... variable names a collector, "
                "so what components report is dropped"
            )
        least_s, most_s = self.request_timeout or (None, None)
        settings = HostSettings(
            request_timeout_s=most_s,
            least_request_timeout_s=least_s,
            max_instance_memory=self.max_instance_memory,
            durable_writes=durable if self.durability is None else self.durability == "full",
            pooling=not self.disable_pooling,
            debug_info=self.debug_info,
            wasi_otel=self.wasi_otel,
            count_instructions=self.explorer_port is not None,
            reconnect=ReconnectPolicy(timeout_s=self.reconnect_timeout),
            **self.reuse.policies(ready=self.ready),
        )
        changes: dict[str, Any] = {}
        room = None if self.disable_pooling else instances_in_pool(os.environ)
        if self.max_instances is not None:
            changes["max_instances"] = self.max_instances
        elif room is not None:
            # More would find no place in the pool; so they wait instead.
            changes["max_instances"] = min(settings.max_instances, room)
        if self.disable_cache:
            changes["cache_dir"] = None
        elif self.cache_file is not None:
            changes["cache_dir"] = read_cache_dir(self.cache_file, settings.cache_dir)
        return attrs.evolve(settings, **changes)


_OPTIONS = (
    click.option(
        "--tls-cert",
        metavar="FILE",
        envvar="SPIN_TLS_CERT",
        show_envvar=True,
        help="Serve https with this certificate chain, in PEM. Needs --tls-key.",
    ),
    click.option(
        "--tls-key",
        metavar="FILE",
        envvar="SPIN_TLS_KEY",
        show_envvar=True,
        help="The private key of the certificate, in PEM.",
    ),
    click.option(
        "--format",
        "output_format",
        type=click.Choice(["plain", "json"]),
        default="plain",
        help="How to print address and routes. Default: plain.",
    ),
    click.option("--truncate-logs", is_flag=True, help="Empty the log files of earlier runs."),
    click.option(
        "--max-log-bytes",
        metavar="BYTES",
        type=click.IntRange(min=4096),
        default=16 * 1024 * 1024,
        help="Begin a new log file past this size, and keep one old one. Default: 16777216.",
    ),
    click.option(
        "--sqlite",
        metavar="STATEMENT",
        multiple=True,
        help="Run SQL first: a statement for the database `default`, @FILE or @FILE:LABEL.",
    ),
    click.option(
        "--allow-transient-write",
        is_flag=True,
        help="Let components change their copy of the files, until this command ends.",
    ),
    click.option(
        "--direct-mounts",
        is_flag=True,
        help="Show components the folders themselves, not a copy, so that edits are seen.",
    ),
    click.option(
        "--http1-max-buf-size",
        "max_head_bytes",
        metavar="BYTES",
        envvar="SPIN_HTTP1_MAX_BUF_SIZE",
        show_envvar=True,
        type=click.IntRange(min=8192),
        default=256 * 1024,
        help="Most bytes of a request's head, 8192 or more. Default: 262144.",
    ),
    click.option(
        "--body-timeout",
        metavar="TIME",
        type=Duration(),
        default=30.0,
        help="End a request whose client sends or takes nothing of a body so long. Default: 30s.",
    ),
    click.option(
        "--min-body-rate",
        metavar="BYTES",
        type=click.IntRange(min=0),
        default=500,
        help="Bytes of a body that win its client another second of --body-timeout; 0 has any "
        "byte win all of it. Default: 500.",
    ),
    click.option(
        "--request-timeout",
        metavar="TIME|A..B",
        type=DurationSpan(),
        help="Stop an instance after this time: 2, 500ms; or between two: 1..8s.",
    ),
    click.option(
        "--max-instance-memory",
        metavar="BYTES",
        envvar="SPIN_MAX_INSTANCE_MEMORY",
        show_envvar=True,
        type=click.IntRange(min=1),
        help="Most memory of one instance.",
    ),
    click.option(
        "--durability",
        type=click.Choice(["full", "relaxed"]),
        help="Whether a write survives a power cut (full) or only the end of this process "
        "(relaxed). Default: full; relaxed with `watch`.",
    ),
    click.option(
        "--max-instances",
        metavar="N",
        envvar="SPIN_MAX_INSTANCE_COUNT",
        show_envvar=True,
        type=click.IntRange(min=1),
        help="Most instances that serve at once; further requests wait. Default: 64.",
    ),
    *REUSE_OPTIONS,
    click.option(
        "--ready-instances",
        "ready",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        help="Instances of each component to make ahead of time. Default: 0.",
    ),
    click.option(
        "--reconnect-timeout",
        metavar="TIME",
        type=Duration(zero=True),
        default=60.0,
        help="How long a Redis or MQTT trigger looks for a server that is gone before it ends; 0 "
        "ends it at once, as Spin does. Default: 60s.",
    ),
    click.option(
        "--temp",
        "--tmp",
        "work_dir",
        metavar="DIR",
        help="Where copies of files and a spin.lock of this run go, to stay.",
    ),
    click.option("--cache-dir", metavar="DIR", help="Where downloaded components are kept."),
    click.option(
        "--cache",
        "cache_file",
        metavar="FILE",
        envvar="WASMTIME_CACHE_FILE",
        show_envvar=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="A cache configuration of wasmtime: compiled components go to its directory.",
    ),
    click.option(
        "--disable-cache",
        is_flag=True,
        envvar="DISABLE_WASMTIME_CACHE",
        show_envvar=True,
        help="Compile components anew.",
    ),
    click.option("--disable-pooling", is_flag=True, help="Allocate instances one by one."),
    click.option("--debug-info", is_flag=True, help="Let native debuggers see into components."),
    click.option(
        "--experimental-wasi-otel",
        "wasi_otel",
        is_flag=True,
        help="Send spans, metrics and logs that components report by wasi:otel, to the collectors "
        "that OTEL_EXPORTER_OTLP_... name.",
    ),
    click.option(
        "--operation-listen",
        metavar="ADDRESS",
        help="Serve /healthz, /readyz and /metrics there, beside the application.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        help="How the host's own log and what components print are written, on standard error. "
        "Default: text.",
    ),
    *EXPLORER_OPTIONS,
    refused_options,
)


def _flags(values: dict[str, Any]) -> HostFlags:
    reuse = take_reuse_flags(values)
    explorer = take_explorer_port(values)
    taken = ("reuse", "explorer_port", "log_as_json")
    own = {name: values.pop(name) for name in HostFlags._fields if name not in taken}
    if (own["tls_cert"] is None) != (own["tls_key"] is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    if own["cache_file"] is not None and own["disable_cache"]:
        raise click.UsageError("--cache and --disable-cache contradict each other")
    own["disable_pooling"] |= _pooling_is_switched_off()
    check_environment()
    log_as_json = values.pop("log_format") == "json"
    if log_as_json:
        # Not needed for `--help`, and slow to import for that.
        from edgezero_spin.cli.log_format import write_log_as_json

        write_log_as_json()
    return HostFlags(**own, reuse=reuse, explorer_port=explorer, log_as_json=log_as_json)


host_options = gathered("more", _flags, *_OPTIONS)
"""Adds the flags; the command gets them as ``more``."""


def _pooling_is_switched_off() -> bool:
    """What ``SPIN_WASMTIME_POOLING`` says (ENG-1)."""
    value = os.environ.get("SPIN_WASMTIME_POOLING", "1")
    if value not in ("0", "1"):
        raise click.UsageError(f"SPIN_WASMTIME_POOLING is {value!r}; it can be 0 or 1")
    return value == "0"
