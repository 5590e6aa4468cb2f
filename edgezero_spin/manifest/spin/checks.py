"""Checks of a whole manifest: templates, and where they may lead.

Source: contract spin-host.md, MAN-91, MAN-92 and VAR-3.
"""

from collections.abc import Mapping

from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.keys import item_key, join_key
from edgezero_spin.manifest.spin.allowed_hosts import (
    AllowedHostError,
    check_sole_entry,
    is_blank_entry,
    parse_allowed_host,
)
from edgezero_spin.manifest.spin.schema import ManifestComponent, SpinManifest, Variable
from edgezero_spin.manifest.spin.templates import TemplateError, VariableTemplate, parse_template

__all__ = ["check_values"]


def check_values(manifest: SpinManifest, problems: Problems) -> None:
    """Note every template that cannot be filled in and every host that is none."""
    for id, component in manifest.components.items():
        place = join_key("component", id)
        _check_templates(component, place, manifest.variables, problems)
        _check_hosts(component, join_key(place, "allowed_outbound_hosts"), manifest, problems)


def _check_templates(
    component: ManifestComponent, place: str, known: Mapping[str, Variable], problems: Problems
) -> None:
    for name, text in component.variables.items():
        key = join_key(join_key(place, "variables"), name)
        template = _parsed(text, key, problems)
        for unknown in sorted({used for used in template.names if used not in known}):
            problems.add(
                key,
                f'unknown variable "{unknown}"',
                f"Add [variables.{unknown}] or use one of: {', '.join(known) or 'none'}.",
            )


def _check_hosts(
    component: ManifestComponent, place: str, manifest: SpinManifest, problems: Problems
) -> None:
    malformed = "`allowed_outbound_hosts` is malformed"
    try:
        check_sole_entry(component.allowed_outbound_hosts)
    except AllowedHostError as err:
        problems.add(place, f"{malformed}: {err}")
        return
    for index, entry in enumerate(component.allowed_outbound_hosts):
        key = item_key(place, index)
        template = _parsed(entry, key, problems)
        defaults = {
            name: variable.default
            for name in template.names
            if (variable := manifest.variables.get(name)) and variable.default is not None
        }
        if len(defaults) < len(set(template.names)):
            # A variable has no value yet, so the check has to wait for the run.
            continue
        resolved = template.render(defaults.__getitem__)
        if template.names and is_blank_entry(resolved):
            continue
        try:
            parse_allowed_host(resolved)
        except AllowedHostError as err:
            cause = str(err)
            if template.names:
                cause = (
                    f'using default variable value(s) with template "{entry}" results in '
                    f'invalid config "{resolved}": {err}'
                )
            problems.add(key, f"{malformed}: {cause}")


def _parsed(text: str, key: str, problems: Problems) -> VariableTemplate:
    try:
        return parse_template(text)
    except TemplateError as err:
        problems.add(key, str(err), "Close it with '}}'.")
        return VariableTemplate(text, ())
