"""Run the build commands that ``spin.toml`` gives its components.

In: a manifest, and the component ids wanted. Out: ``BuildStep``s in the order to run
them, and one child process per step. What a step is, and in which order they come, is
decided here without running anything; the command line only shows and runs them.

A command is a line for the shell, run in the component's ``workdir`` beside the
manifest, with the terminal passed through. The folder of the running interpreter comes
first on its PATH, so a build command finds the ``edgezero`` that started it also where
no virtual environment is active.

Source: contract spin-host.md, MAN-42 and CLI-15.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.spin import (
    ManifestComponent,
    load_builds,
    load_spin_manifest,
)
from edgezero_spin.project.children import run_child, search_path
from edgezero_spin.project.commands import shell_quote

__all__ = ["BuildFailedError", "BuildStep", "check_workdir", "plan_build", "run_step"]


@attrs.frozen(kw_only=True)
class BuildStep:
    """One command of one component.

    Attributes:
        component_id: Whose build it is.
        command: The line for the shell.
        workdir: The folder to run in, absolute or relative to the current one.
        workdir_named: Whether the manifest names that folder.
        number: Which of the component's commands this is, from 1.
        total: How many the component has.
    """

    component_id: str
    command: str
    workdir: Path
    workdir_named: bool = False
    number: int = 1
    total: int = 1


@attrs.frozen
class BuildFailedError(ProjectError):
    """A build command ended with a status other than 0.

    Attributes:
        component_id: Whose build it was.
        command: The line that the shell ran.
        exit_status: Its status; 128 and the signal's number when a signal ended it.
    """

    component_id: str
    command: str
    exit_status: int

    def __str__(self) -> str:
        return (
            f"build command for component {self.component_id} failed "
            f"with status {self.exit_status}: {self.command}"
        )


def plan_build(
    manifest_path: Path,
    component_ids: Sequence[str] = (),
    *,
    profile: str | None = None,
    warn: Callable[[str], None] | None = None,
) -> tuple[BuildStep, ...]:
    """Return what has to run, in order: a component after the local ones it depends on.

    Args:
        manifest_path: The application's ``spin.toml``.
        component_ids: The components wanted; all of them when empty.
        profile: A profile of the manifest, whose commands replace the usual ones.
        warn: Told of what is wrong with the manifest where building does not need it; ``None``
            refuses that as well.

    Raises:
        ManifestError: The manifest cannot be read.
        ProjectError: An id is not in it, or a folder to build in is not a relative one.
    """
    if warn is None:
        manifest = load_spin_manifest(manifest_path, profile=profile)
    else:
        manifest = load_builds(manifest_path, profile=profile)
        for warning in manifest.warnings:
            warn(warning)
    components = manifest.components
    unknown = [given for given in component_ids if given not in components]
    if unknown:
        raise ProjectError(
            f"Unknown component(s) {', '.join(unknown)} in {manifest_path} "
            f"(available: {', '.join(components)})"
        )
    steps: list[BuildStep] = []
    for component_id in _dependencies_first(components):
        component = components[component_id]
        if component.build is None or (component_ids and component_id not in component_ids):
            continue
        commands = component.build.command
        workdir = component.build.workdir or ""
        # The application runs without a build, so loading its manifest does not look at this.
        if PurePosixPath(workdir).is_absolute():
            raise ProjectError(
                f"{manifest_path}: component.{component_id}.build.workdir: The workdir specified "
                f"in the application file must be relative. It is {workdir}"
            )
        folder = manifest_path.parent / workdir
        steps.extend(
            BuildStep(
                component_id=component_id,
                command=command,
                workdir=folder,
                workdir_named=component.build.workdir is not None,
                number=number,
                total=len(commands),
            )
            for number, command in enumerate(commands, 1)
        )
    return tuple(steps)


def run_step(step: BuildStep, arguments: Sequence[str] = ()) -> None:
    """Run one step to its end, with the terminal of this process.

    Args:
        arguments: What follows its command, quoted for the shell.

    Raises:
        BuildFailedError: The command's status was not 0.
        ProjectError: The command could not be started.
    """
    check_workdir(step)
    line = " ".join([step.command, *map(shell_quote, arguments)])
    environment = {**os.environ, "PATH": search_path()}
    status = run_child(line, folder=step.workdir, environment=environment)
    if status:
        raise BuildFailedError(step.component_id, step.command, status)


def check_workdir(step: BuildStep) -> None:
    """Refuse a step that has no folder to run in.

    Raises:
        ProjectError: There is none of that name.
    """
    if not step.workdir.is_dir():
        raise ProjectError(
            f"component {step.component_id}: the build's workdir {str(step.workdir)!r} "
            "is not a folder"
        )


def _dependencies_first(components: Mapping[str, ManifestComponent]) -> Iterable[str]:
    """Order components so that a local one comes before those that depend on it.

    Where they depend on each other in a circle, the manifest's order decides.
    """
    by_source = {
        os.path.normpath(component.source): component_id
        for component_id, component in components.items()
        if isinstance(component.source, str)
    }
    ordered: dict[str, None] = {}
    entered: set[str] = set()

    def place(component_id: str) -> None:
        if component_id in entered:
            return
        entered.add(component_id)
        for dependency in components[component_id].dependencies.values():
            if isinstance(dependency.source, str):
                needed = by_source.get(os.path.normpath(dependency.source))
                if needed is not None:
                    place(needed)
        ordered[component_id] = None

    for component_id in components:
        place(component_id)
    return ordered
