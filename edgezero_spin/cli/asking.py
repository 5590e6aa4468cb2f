"""Ask a person for the values of a template that have no default."""

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgezero_spin.project.template_manifest import Parameter
    from edgezero_spin.project.template_values import Ask

__all__ = ["ask_or_none"]


def ask_or_none() -> "Ask | None":
    """Return a way to ask, ``None`` when nobody sits at a terminal."""
    return _ask if sys.stdin.isatty() and sys.stderr.isatty() else None


def _ask(parameter: "Parameter") -> str:
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
