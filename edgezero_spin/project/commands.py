"""Commands that a project replaces: ``[adapters.<name>.commands]`` of ``edgezero.toml``.

In: the project's manifest, the adapter and the action asked for. Out: the line to run with
the folder and environment it runs in, or ``None`` where the built-in does the work. The
line goes to ``sh`` in the manifest's folder; what a person typed after ``--`` follows it,
quoted, and is never shown.

A line may call ``edgezero`` for the same action again, and gets the built-in then.

Source: contract edgezero.md, CLI-4, CLI-6, BLD-1 to BLD-7, AUT-2, ENV-20.
"""

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs

from edgezero_spin.environment import EnvironmentLayer, ascii_lower
from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import AppManifest, ManifestUnreadableError, load_app_manifest
from edgezero_spin.project.children import run_child, search_path
from edgezero_spin.project.locate import APP_MANIFEST, find_app_manifest
from edgezero_spin.project.spin_environment import spin_environment

__all__ = [
    "BUILT_IN",
    "CommandFailedError",
    "CommandName",
    "ManifestCommand",
    "check_adapter",
    "check_built_in",
    "inside_command",
    "load_manifest",
    "load_project",
    "manifest_command",
    "resolve_listen",
    "run_manifest_command",
    "shell_quote",
]

CommandName = Literal["build", "serve", "deploy", "auth login", "auth logout", "auth status"]

BUILT_IN = ("spin",)
"""The adapters that this package can act for."""

MANIFEST_VARIABLE = "EDGEZERO_MANIFEST"
# What a running command tells the `edgezero` that it starts: whose command it is.
_INSIDE = "EDGEZERO_INSIDE_COMMAND"
_HOST, _PORT = "EDGEZERO__ADAPTER__HOST", "EDGEZERO__ADAPTER__PORT"
# What a shell means by a status.
_CLUES = {
    126: ": a program in it may not be run",
    127: ": a program in it is not installed, or not on PATH",
}
_PLAIN = re.compile(r"[A-Za-z0-9._/:=@-]+")


@attrs.frozen(kw_only=True)
class ManifestCommand:
    """A line that replaces a built-in.

    Attributes:
        action: What it stands for.
        adapter: The adapter's name as the manifest spells it.
        line: The line, as the manifest has it.
        folder: Where it runs: the manifest's folder.
        environment: All variables it runs with.
    """

    action: CommandName
    adapter: str
    line: str
    folder: Path
    environment: Mapping[str, str] = attrs.field(repr=False)


@attrs.frozen
class CommandFailedError(ProjectError):
    """A program that did the work ended with a status other than 0.

    Attributes:
        what: The program or line, without what was typed after ``--``.
        exit_status: Its status, which becomes ours.
        clue: What that status says, if anything.
    """

    what: str
    exit_status: int
    clue: str = ""

    def __str__(self) -> str:
        return f"{self.what} with status {self.exit_status}{self.clue}"


def load_project(environ: Mapping[str, str], *, start: Path | None = None) -> AppManifest | None:
    """Return the manifest of the project at hand, ``None`` where there is none.

    Args:
        environ: ``EDGEZERO_MANIFEST`` in it names the file and makes it mandatory.
        start: The folder to look in, and above; the current folder when ``None``.

    Raises:
        ProjectError: The file that was named is not there.
        ManifestError: There is one and it cannot be used.
    """
    named = environ.get(MANIFEST_VARIABLE)
    path = Path(named) if named else find_app_manifest(start)
    return None if path is None else load_manifest(path)


def load_manifest(path: Path) -> AppManifest:
    """Return a project's manifest.

    Raises:
        ProjectError: There is no such file, or it cannot be read.
        ManifestError: It cannot be used.
    """
    try:
        return load_app_manifest(path)
    except ManifestUnreadableError as err:
        raise ProjectError(f"failed to load {path}: {err.reason}. {err.remedy}") from err


def check_adapter(manifest: AppManifest | None, name: str | None) -> str:
    """Return the adapter to act for, spelled as the manifest does.

    Args:
        manifest: The project's manifest, if it has one.
        name: What was asked for; ``None`` is Spin, declared or not.

    Raises:
        ProjectError: The manifest does not declare it.
    """
    wanted = name or BUILT_IN[0]
    declared = None if manifest is None else manifest.adapter(wanted)
    if declared is not None:
        return declared.name
    if manifest is None or name is None:
        return wanted
    known = ", ".join(manifest.adapters)
    offer = f"available: {known}" if known else "no adapters defined"
    raise ProjectError(f"adapter `{name}` is not configured in {APP_MANIFEST} ({offer})")


def check_built_in(adapter: str) -> None:
    """Stop where this package has nothing that acts for an adapter.

    Raises:
        ProjectError: It names the adapters that there are.
    """
    if ascii_lower(adapter) not in BUILT_IN:
        raise ProjectError(
            f"adapter `{adapter}` is not registered in this build "
            f"(available: {', '.join(BUILT_IN)})"
        )


def manifest_command(
    manifest: AppManifest | None, adapter: str, action: CommandName, environ: Mapping[str, str]
) -> ManifestCommand | None:
    """Return the line that replaces an action, ``None`` when the built-in does it.

    Args:
        manifest: The project's manifest, if it has one.
        adapter: The adapter to act for.
        environ: The variables of this process. They win over the manifest's
            ``[[environment.variables]]``, which win over its ``host`` and ``port``; one
            that is set to nothing is set.

    Raises:
        ProjectError: There is no line and nothing built in; or there is one, and a variable
            of ``[[environment.secrets]]`` is not set.
    """
    declared = None if manifest is None else manifest.adapter(adapter)
    line = None
    if declared is not None:
        line = getattr(declared.commands, action.replace("auth ", "auth_"))
    inside = "" if manifest is None else f"{adapter} {action} {manifest.path}"
    if manifest is None or declared is None or line is None or environ.get(_INSIDE) == inside:
        check_built_in(adapter)
        return None
    missing = [
        f"{secret.name} (env `{secret.env}`)"
        for secret in manifest.secrets_for(adapter)
        if secret.env not in environ
    ]
    if missing:
        raise ProjectError(
            f"adapter `{adapter}` requires the following secrets to be set: {', '.join(missing)}"
        )
    hints: dict[str, str | None] = {
        _HOST: declared.host,
        _PORT: None if declared.port is None else str(declared.port),
        **{item.env: item.value for item in manifest.variables_for(adapter)},
    }
    defaults = {name: value for name, value in hints.items() if value is not None}
    environment = spin_environment(
        {**defaults, **environ, "PATH": search_path(environ), _INSIDE: inside}
    )
    if environ.get(MANIFEST_VARIABLE):
        # The line runs in another folder, where a relative path would lead elsewhere.
        environment[MANIFEST_VARIABLE] = str(manifest.path)
    return ManifestCommand(
        action=action, adapter=adapter, line=line, folder=manifest.root, environment=environment
    )


def run_manifest_command(command: ManifestCommand, arguments: Sequence[str] = ()) -> None:
    """Run a line to its end.

    Args:
        arguments: What follows it, quoted for the shell.

    Raises:
        CommandFailedError: Its status was not 0.
        ProjectError: It could not be started.
    """
    line = " ".join([command.line, *map(shell_quote, arguments)])
    what = f"{command.action} command `{command.line}`"
    try:
        status = run_child(line, folder=command.folder, environment=command.environment)
    except OSError as error:
        reason = error.strerror or error
        raise ProjectError(f"failed to run {what}: {reason}") from error
    if status:
        raise CommandFailedError(f"{what} exited", status, _CLUES.get(status, ""))


def inside_command(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a command of a project's own runs this process."""
    return _INSIDE in environ


def shell_quote(argument: str) -> str:
    """Return an argument as ``sh`` has to see it."""
    if _PLAIN.fullmatch(argument):
        return argument
    return "'" + argument.replace("'", "'\"'\"'") + "'"


def resolve_listen(
    manifest: AppManifest | None, adapter: str, environ: Mapping[str, str]
) -> tuple[str | None, tuple[str, ...]]:
    """Return where a server of ours listens by the hints of environment and manifest.

    Host and port are found apart: the variable, then the manifest, then the default.

    Returns:
        ``host:port``, ``None`` without any usable hint; and what to warn of.
    """
    layer = EnvironmentLayer.from_mapping(environ)
    declared = None if manifest is None else manifest.adapter(adapter)
    warnings: list[str] = []
    host = _host(layer.adapter_host(), _HOST, warnings)
    if host is None and declared is not None:
        host = _host(declared.host, f"adapters.{declared.name}.adapter.host", warnings)
    port = _port(layer.adapter_port(), _PORT, warnings)
    if port is None and declared is not None and declared.port == 0:
        warnings.append("configured port=0 is not a port to listen on; using the default")
    elif port is None and declared is not None:
        port = declared.port
    if host is None and port is None:
        return None, tuple(warnings)
    shown = f"[{host}]" if host is not None and ":" in host else host or "127.0.0.1"
    return f"{shown}:{3000 if port is None else port}", tuple(warnings)


def _host(text: str | None, name: str, warnings: list[str]) -> str | None:
    if text is None:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        warnings.append(f"{name}={text!r} is not a valid IP address; falling back")
        return None


def _port(text: str | None, name: str, warnings: list[str]) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        warnings.append(f"{name}={text!r} is not a valid port number; falling back")
        return None
    if int(text) == 0:
        warnings.append(f"{name}=0 is not a port to listen on; falling back")
        return None
    return int(text)
