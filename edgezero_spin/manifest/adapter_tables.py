"""Tables of adapters in ``edgezero.toml``: ``[adapters.<name>]``, ``[logging.<name>]``.

Names of adapters are compared without regard to case; two that differ only in case are
refused, because every look-up would have to pick one of them.

Source: contract edgezero.md, MAN-11 to MAN-16 and MAN-20.
"""

import attrs

from edgezero_spin.environment import ascii_lower
from edgezero_spin.manifest.store_tables import MIGRATION_GUIDE
from edgezero_spin.manifest.table_reader import TableReader

__all__ = [
    "Adapter",
    "AdapterBuild",
    "AdapterCommands",
    "LoggingSettings",
    "read_adapters",
    "read_logging",
]

_LEVELS = ("trace", "debug", "info", "warn", "error", "off")
_LARGEST_PORT = 65535
_WASI = ("0.2", "0.3")


@attrs.frozen(kw_only=True)
class LoggingSettings:
    """How an app logs under one adapter.

    Attributes:
        level: ``trace``, ``debug``, ``info``, ``warn``, ``error`` or ``off``.
        endpoint: Where the log goes, where the adapter can choose.
        echo_stdout: Whether it is shown on standard output too, where the adapter can.
    """

    level: str = "info"
    endpoint: str | None = None
    echo_stdout: bool | None = None


@attrs.frozen(kw_only=True)
class AdapterBuild:
    """``[adapters.<name>.build]``: what travels with a component; the rest is for other tools.

    Attributes:
        target: Compilation target.
        profile: Build profile.
        features: Names of features.
        include: Modules and packages that a component can import later, although no import
            statement leads to them.
        exclude: Modules and packages that it cannot import later.
    """

    target: str | None = None
    profile: str | None = None
    features: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class AdapterCommands:
    """``[adapters.<name>.commands]``: shell text that replaces a command of ours.

    Attributes:
        build: Replaces ``edgezero build``.
        serve: Replaces ``edgezero serve``.
        deploy: Replaces ``edgezero deploy``.
        auth_login: Replaces ``edgezero auth login``.
        auth_logout: Replaces ``edgezero auth logout``.
        auth_status: Replaces ``edgezero auth status``.
    """

    build: str | None = None
    serve: str | None = None
    deploy: str | None = None
    auth_login: str | None = None
    auth_logout: str | None = None
    auth_status: str | None = None


@attrs.frozen(kw_only=True)
class Adapter:
    """One ``[adapters.<name>]``.

    Attributes:
        name: The name as the file spells it.
        crate: Folder of the adapter's code, relative to the manifest's folder.
        manifest: The platform's own manifest (``spin.toml``), relative likewise.
        component: Id of the component in it that belongs to the app.
        host: Address to listen on.
        port: Port to listen on, 0 to 65535.
        wasi: The WASI to compile for, ``0.2`` or ``0.3``.
        build: Build details.
        commands: Commands that replace ours.
        logging: ``[adapters.<name>.logging]``; ``None`` when it sets nothing.
    """

    name: str
    crate: str | None = None
    manifest: str | None = None
    component: str | None = None
    host: str | None = None
    port: int | None = None
    wasi: str | None = None
    build: AdapterBuild = AdapterBuild()
    commands: AdapterCommands = AdapterCommands()
    logging: LoggingSettings | None = None


def read_adapters(root: TableReader) -> dict[str, Adapter]:
    """Return the adapters by name, in the order of the file."""
    seen: dict[str, str] = {}
    adapters = {}
    for name, table in root.named_tables("adapters").items():
        twin = seen.setdefault(ascii_lower(name), name)
        if twin != name:
            root.table("adapters").problem(
                name,
                f"differs from `adapters.{twin}` only in case",
                "Adapter names are looked up without regard to case; keep one spelling.",
            )
        adapters[name] = _read_adapter(name, table)
    return adapters


def read_logging(root: TableReader) -> dict[str, LoggingSettings]:
    """Return the ``[logging.<name>]`` tables by name, those that set nothing left out."""
    found = {name: _read_logging(table) for name, table in root.named_tables("logging").items()}
    return {name: settings for name, settings in found.items() if settings is not None}


def _read_adapter(name: str, table: TableReader) -> Adapter:
    definition = table.table("adapter")
    adapter = Adapter(
        name=name,
        crate=definition.optional_text("crate", blank=False),
        manifest=definition.optional_text("manifest", blank=False),
        component=definition.optional_text("component", blank=False),
        host=definition.optional_text("host", blank=False),
        port=definition.optional_integer("port", 0, _LARGEST_PORT),
        wasi=_read_wasi(table),
        build=_read_build(table.table("build")),
        commands=_read_commands(table.table("commands")),
        logging=_read_logging(table.table("logging")),
    )
    if definition.rest():
        table.problem(
            "adapter",
            f"unknown field(s): {', '.join(sorted(definition.rest()))}",
            "Known here: component, crate, host, manifest, port; other settings are "
            f"EDGEZERO__* variables. See {MIGRATION_GUIDE}.",
        )
    if table.rest():
        table.problems.add(
            table.key,
            f"unknown field(s): {', '.join(sorted(table.rest()))}",
            "Known here: adapter, build, commands, logging, wasi; stores and runtime settings are "
            f"EDGEZERO__* variables. See {MIGRATION_GUIDE}.",
        )
    return adapter


def _read_wasi(table: TableReader) -> str | None:
    wasi = table.optional_text("wasi", blank=False)
    if wasi is not None and wasi not in _WASI:
        table.problem("wasi", f'must be "0.2" or "0.3" (got `{wasi}`)')
        return None
    return wasi


def _read_build(table: TableReader) -> AdapterBuild:
    return AdapterBuild(
        target=table.optional_text("target", blank=False),
        profile=table.optional_text("profile", blank=False),
        features=table.texts("features"),
        include=table.texts("include"),
        exclude=table.texts("exclude"),
    )


def _read_commands(table: TableReader) -> AdapterCommands:
    return AdapterCommands(
        build=table.optional_text("build", blank=False),
        serve=table.optional_text("serve", blank=False),
        deploy=table.optional_text("deploy", blank=False),
        auth_login=table.optional_text("auth-login", blank=False),
        auth_logout=table.optional_text("auth-logout", blank=False),
        auth_status=table.optional_text("auth-status", blank=False),
    )


def _read_logging(table: TableReader) -> LoggingSettings | None:
    level = table.optional_text("level")
    endpoint = table.optional_text("endpoint", blank=False)
    echo_stdout = table.flag("echo_stdout") if "echo_stdout" in table else None
    if level is None and endpoint is None and echo_stdout is None:
        return None
    folded = "info" if level is None else level.strip().lower()
    if folded not in _LEVELS:
        table.problem(
            "level",
            f"logging level must be trace, debug, info, warn, error, or off (got `{level}`)",
        )
    return LoggingSettings(level=folded, endpoint=endpoint, echo_stdout=echo_stdout)
