"""The values of a template: from flags, from a file, and from the person at the terminal."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from edgezero_spin.cli.options import KeyValue

if TYPE_CHECKING:
    from edgezero_spin.project.template_manifest import TemplateParameter
    from edgezero_spin.project.template_values import Ask

__all__ = ["ask_or_none", "given_values", "value_options"]

F = TypeVar("F", bound=Callable[..., object])


def value_options(command: F) -> F:
    """Add ``--value`` and ``--values-file``."""
    for option in (
        click.option(
            "--values-file",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help='Parameters of the template as TOML: NAME = "VALUE". --value beats it.',
        ),
        click.option(
            "--value",
            "values",
            metavar="NAME=VALUE",
            type=KeyValue(),
            multiple=True,
            help="A parameter of the template. May be given several times.",
        ),
    ):
        command = option(command)
    return command


def given_values(values: tuple[tuple[str, str], ...], file: Path | None) -> dict[str, str]:
    """Return what both flags say.

    Raises:
        ProjectError: The file cannot be read, or holds something else than texts.
    """
    from edgezero_spin.project.template_values import load_values

    return {**({} if file is None else load_values(file)), **dict(values)}


def ask_or_none() -> "Ask | None":
    """Return a way to ask, ``None`` when nobody sits at a terminal."""
    return _ask if sys.stdin.isatty() and sys.stderr.isatty() else None


def _ask(parameter: "TemplateParameter") -> str:
    from edgezero_spin.errors import ProjectError

    def fitting(text: str) -> str:
        try:
            return parameter.check(text)
        except ProjectError as error:
            raise click.UsageError(str(error)) from error

    kind = click.Choice(parameter.allowed) if parameter.allowed else None
    text: str = click.prompt(
        parameter.prompt, type=kind, value_proc=None if kind else fitting, err=True
    )
    return text
