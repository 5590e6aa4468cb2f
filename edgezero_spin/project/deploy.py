"""Commands of ``edgezero deploy`` and ``edgezero auth`` where the project names none.

Both hand over to the Spin CLI, with the terminal of this process. No credential is read,
kept or passed on: those are Spin's own.

Source: contract edgezero.md, BLD-12, AUT-1, AUT-3, AUT-4.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.children import run_child
from edgezero_spin.project.commands import CommandFailedError
from edgezero_spin.project.locate import SPIN_MANIFEST

__all__ = ["AuthAction", "run_spin_cloud", "run_spin_deploy"]

AuthAction = Literal["login", "logout", "status"]

_CLOUD = {"login": "login", "logout": "logout", "status": "info"}


def run_spin_deploy(manifest: Path, arguments: Sequence[str] = ()) -> None:
    """Run ``spin deploy`` in the folder of a manifest.

    Args:
        arguments: What follows, as it is.

    Raises:
        CommandFailedError: Its status was not 0.
        ProjectError: ``spin`` cannot be started.
    """
    named = [] if manifest.name == SPIN_MANIFEST else ["--from", manifest.name]
    status = _spin(["deploy", *named, *arguments], manifest.parent)
    if status:
        raise CommandFailedError("spin deploy failed", status)


def run_spin_cloud(action: AuthAction) -> None:
    """Run ``spin cloud login``, ``logout`` or ``info``.

    Raises:
        CommandFailedError: Its status was not 0.
        ProjectError: ``spin`` cannot be started.
    """
    command = _CLOUD[action]
    status = _spin(["cloud", command], None)
    if status:
        raise CommandFailedError(f"`spin cloud {command}` exited", status)


def _spin(arguments: Sequence[str], folder: Path | None) -> int:
    try:
        return run_child(["spin", *arguments], folder=folder)
    except FileNotFoundError as error:
        raise ProjectError(
            "`spin` not found on PATH: install the Spin CLI (https://spinframework.dev/) "
            "and try again"
        ) from error
    except OSError as error:
        raise ProjectError(f"failed to run spin CLI: {error.strerror or error}") from error
