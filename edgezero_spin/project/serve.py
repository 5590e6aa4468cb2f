"""Decide how a project is served: by Spin when it is there, by the embedded host when not.

In: what was asked for, as a ``ServeRequest``. Out: the engine, and the arguments of
``spin up`` that mean the same. Nothing is started but by ``run_spin``.

Source: contract edgezero.md, BLD-11; spin-host.md, CLI-10 and CLI-11; design.md, "The command".
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import attrs

from edgezero_spin.errors import ManifestError, ProjectError
from edgezero_spin.manifest import AppManifest
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.children import run_child
from edgezero_spin.project.commands import CommandFailedError
from edgezero_spin.project.inspection import InspectionError
from edgezero_spin.project.spin_environment import spin_environment
from edgezero_spin.project.spin_needed import outdated_spin

__all__ = [
    "EngineChoice",
    "ServeRequest",
    "choose_engine",
    "run_spin",
    "spin_arguments",
    "starts_missing_spin",
]


EngineChoice = Literal["auto", "spin", "embedded"]


@attrs.frozen(kw_only=True)
class ServeRequest:
    """What to serve, and how. ``None`` and empty mean: as the engine does by itself.

    Attributes:
        manifest: The application's ``spin.toml``.
        listen: Address and port, ``127.0.0.1:3000``.
        find_free_port: Where the port is taken, try the next ones.
        state_dir: Where data and logs go; an empty text keeps everything in memory.
        log_dir: Where the components' output goes; an empty text drops it.
        runtime_config: The runtime configuration file.
        variables: Application variables as Spin spells them: ``name=value``,
            ``name=@file``, ``@file.toml``.
        environment: Environment variables of every component.
        key_values: Entries to write to the store ``default`` before the first request.
        follow: Ids of the components whose output is shown; all when empty.
        quiet: Show no component's output.
        components: Ids of the components that are run; all when empty.
        more: Further words of its command line, as they are.
    """

    manifest: Path
    listen: str | None = None
    find_free_port: bool = False
    state_dir: str | None = None
    log_dir: str | None = None
    runtime_config: Path | None = None
    variables: tuple[str, ...] = ()
    environment: Mapping[str, str] = attrs.field(factory=dict)
    key_values: Mapping[str, str] = attrs.field(factory=dict)
    follow: tuple[str, ...] = ()
    quiet: bool = False
    components: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


def choose_engine(wanted: EngineChoice) -> Literal["spin", "embedded"]:
    """Return the engine to use: ``auto`` is Spin when ``spin`` is on the PATH."""
    if wanted == "auto":
        return "embedded" if shutil.which("spin") is None else "spin"
    return wanted


def starts_missing_spin(project: AppManifest | None, adapter: str) -> bool:
    """Whether a project serves with a line that starts Spin, and Spin is not installed.

    The line cannot do its work then, and the embedded host can.
    """
    declared = None if project is None else project.adapter(adapter)
    words = [] if declared is None else (declared.commands.serve or "").split()
    return words[:1] == ["spin"] and shutil.which("spin") is None


def spin_arguments(request: ServeRequest) -> list[str]:
    """Return the arguments after ``spin``, for a run in the manifest's folder."""
    arguments = ["up"]
    if request.manifest.name != "spin.toml":
        arguments += ["--from", request.manifest.name]
    if request.listen is not None:
        arguments += ["--listen", request.listen]
    if request.find_free_port:
        arguments.append("--find-free-port")
    if request.state_dir is not None:
        arguments += ["--state-dir", _from_anywhere(request.state_dir)]
    if request.log_dir is not None:
        arguments += ["--log-dir", _from_anywhere(request.log_dir)]
    if request.runtime_config is not None:
        beside = request.runtime_config.parent.resolve() == request.manifest.parent.resolve()
        path = request.runtime_config
        arguments += ["--runtime-config-file", path.name if beside else str(path.resolve())]
    for variable in request.variables:
        arguments += ["--variable", variable]
    for name, value in request.environment.items():
        arguments += ["--env", f"{name}={value}"]
    for name, value in request.key_values.items():
        arguments += ["--key-value", f"{name}={value}"]
    for component_id in request.follow:
        arguments += ["--follow", component_id]
    for component_id in request.components:
        arguments += ["--component-id", component_id]
    if request.quiet:
        arguments.append("--quiet")
    return [*arguments, *request.more]


def _from_anywhere(folder: str) -> str:
    """An absolute path, since Spin runs in the manifest's folder; empty stays empty."""
    return str(Path(folder).resolve()) if folder else ""


def run_spin(request: ServeRequest) -> None:
    """Run ``spin up`` in the manifest's folder until it ends.

    Raises:
        CommandFailedError: Its status was not 0.
        ProjectError: ``spin`` cannot be started.
    """
    arguments = ["spin", *spin_arguments(request)]
    try:
        status = run_child(
            arguments, folder=request.manifest.parent, environment=spin_environment(os.environ)
        )
    except OSError as error:
        raise ProjectError(
            f"failed to run spin CLI: {error.strerror}; install Spin "
            "(https://spinframework.dev/), or serve with --engine embedded"
        ) from error
    if status:
        clues = "".join(f"; {clue}" for clue in _clues(request.manifest))
        raise CommandFailedError("spin up failed", status, clues)


def _clues(manifest: Path) -> Iterator[str]:
    """Yield which components the installed Spin is too old for: it says only what they lack."""
    try:
        components = load_spin_manifest(manifest).components
    except ManifestError:
        return
    for id, component in components.items():
        if not isinstance(component.source, str):
            continue
        try:
            outdated = outdated_spin(manifest.parent / component.source)
        except (InspectionError, OSError):
            continue
        if outdated is not None:
            yield (
                f"component {id} {outdated}: update Spin, serve with --engine embedded, or compile "
                "with `edgezero componentize --wasi 0.2`"
            )
