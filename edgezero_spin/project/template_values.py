"""Find a value for every parameter of a template.

In: what a person gave, defaults, and a way to ask. Out: all the names that the template's
files may use. A value that is given beats one that is asked for or a default.

Source: contract spin-host.md, TPL-6, TPL-9 and TPL-11.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.manifest.toml_file import load_toml
from edgezero_spin.project.git import git_setting
from edgezero_spin.project.template_manifest import (
    ProjectTemplate,
    TemplateParameter,
    TemplateVariant,
)

__all__ = ["Ask", "choose_values", "load_values"]

Ask = Callable[[TemplateParameter], str]
"""Asks a person for a value that has no default."""


def choose_values(
    template: ProjectTemplate,
    variant: TemplateVariant,
    given: Mapping[str, str],
    *,
    project_name: str,
    output_path: str,
    defaults: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> dict[str, str]:
    """Return a value for every name that a template may use.

    Args:
        variant: How it is used; it says which parameters do not matter.
        given: Values by the names of parameters.
        project_name: Name of the application or component.
        output_path: Its folder.
        defaults: Values that beat the template's defaults.
        ask: Asks for what nobody gave; ``None`` where there is nobody to ask.

    Raises:
        ProjectError: A value is unknown, missing, or does not fit.
    """
    unknown = sorted(given.keys() - {parameter.name for parameter in template.parameters})
    if unknown:
        known = ", ".join(parameter.name for parameter in template.parameters) or "none"
        raise ProjectError(
            f"template {template.id} has no parameter {', '.join(unknown)} (available: {known})"
        )
    chosen = _surroundings(project_name, output_path)
    for parameter in template.parameters:
        if parameter.name in variant.skip_parameters:
            continue
        value = given.get(parameter.name)
        if value is None:
            value = (defaults or {}).get(parameter.name, parameter.default)
        if value is None and ask is not None:
            value = ask(parameter)
        if value is None:
            raise ProjectError(
                f"template {template.id} needs a value: --value {parameter.name}=... "
                f"({parameter.prompt})"
            )
        chosen[parameter.name] = parameter.check(value)
    return chosen


def load_values(path: Path) -> dict[str, str]:
    """Read values for parameters from a TOML file.

    Raises:
        ManifestError: It cannot be read, or holds something else than texts.
    """
    problems = Problems(path)
    table = TableReader(load_toml(path), "", problems)
    values = {name: table.text(name) for name in table}
    problems.raise_any()
    return values


def _surroundings(project_name: str, output_path: str) -> dict[str, str]:
    """The names that every template may use."""
    username = git_setting("user.name") or os.environ.get("USER", "")
    address = git_setting("user.email")
    return {
        "project-name": project_name,
        "output-path": output_path,
        "username": username,
        "authors": f"{username} <{address}>" if address else username,
    }
