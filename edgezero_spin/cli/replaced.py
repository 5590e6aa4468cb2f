"""Commands of a project that replace built-in ones.

In: an action, and the adapter as it was typed. Out: the project and its adapter; a line of
``[adapters.<name>.commands]`` is announced and run, and says whether it did.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgezero_spin.manifest import AppManifest
    from edgezero_spin.project.commands import CommandName

__all__ = ["find_project", "run_replacement"]


def find_project(
    adapter: str | None, manifest: str | None = None
) -> "tuple[AppManifest | None, str]":
    """Return the project's manifest, if it has one, and the adapter to act for.

    Args:
        adapter: What ``--adapter`` says.
        manifest: What ``--from`` says: ``edgezero.toml`` is then looked for beside it.

    Raises:
        ProjectError: There is nothing at ``manifest``.
    """
    from edgezero_spin.project.commands import check_adapter, load_project
    from edgezero_spin.project.locate import find_spin_manifest

    start = None
    if manifest is not None:
        named = Path(manifest)
        if not named.exists():
            find_spin_manifest(manifest)
        start = (named if named.is_dir() else named.parent).resolve()
    project = load_project(os.environ, start=start)
    return project, check_adapter(project, adapter)


def run_replacement(
    project: "AppManifest | None",
    adapter: str,
    action: "CommandName",
    arguments: Sequence[str] = (),
    manifest: str | None = None,
) -> bool:
    """Run the project's own command for an action; ``False`` when it has none.

    Args:
        manifest: What ``--from`` says. The command is for the project's ``spin.toml``, and for
            no other file.
    """
    from edgezero_spin.project.commands import manifest_command, run_manifest_command
    from edgezero_spin.project.locate import SPIN_MANIFEST

    if project is not None and manifest is not None and Path(manifest).is_file():
        declared = project.adapter(adapter)
        named = None if declared is None else declared.manifest
        own = project.root / (named or SPIN_MANIFEST)
        if own.is_file() and not own.samefile(manifest):
            return False
    command = manifest_command(project, adapter, action, os.environ)
    if command is None:
        return False
    # What was typed after -- may hold tokens: it is not shown.
    click.echo(
        f"[edgezero] executing `{command.line}` for adapter `{command.adapter}` in {command.folder}"
    )
    run_manifest_command(command, arguments)
    return True
