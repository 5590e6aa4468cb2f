"""``edgezero doctor``: what is wrong with the machine or the project, and how to mend it."""

import json
import os
from typing import TYPE_CHECKING, Literal

import click

from edgezero_spin.cli.options import adapter_option, common_options, manifest_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgezero_spin.manifest.spin import SpinManifest
    from edgezero_spin.project.doctor_report import DoctorFinding

__all__ = ["doctor"]

EPILOG = """\b
Example:
  edgezero doctor
  edgezero doctor --from services/notes --format json
"""

_COLORS = {"ok": "green", "remark": "yellow", "problem": "red"}


@click.command(epilog=EPILOG, short_help="Say what is wrong, and how to mend it.")
@manifest_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the findings are written.",
)
@adapter_option
@common_options
def doctor(manifest: str | None, form: Literal["text", "json"]) -> int:
    """Examine this machine and the project in this folder; change nothing.

    Looks at Python, the tools, Spin, both manifests, labels, the runtime configuration,
    built components and variables. Ends with 1 when there is a problem.
    """
    from edgezero_spin.project.doctor import examine

    findings = list(examine(os.environ, manifest, refusals=_refusals))
    if form == "json":
        rows = [{"level": f.level, "what": f.what, "remedy": f.remedy} for f in findings]
        click.echo(json.dumps(rows, indent=2))
    else:
        for finding in findings:
            _show(finding)
        problems = sum(finding.level == "problem" for finding in findings)
        click.echo(f"{problems} problem(s)" if problems else "No problems found.")
    return int(any(finding.level == "problem" for finding in findings))


def _refusals(manifest: "SpinManifest") -> "Iterable[str]":
    """Ask the embedded host, where the libraries that it needs are installed."""
    try:
        from edgezero_spin.host.load.preflight import refusals
    except ImportError:
        # That they are not installed is a finding of its own.
        return ()
    from edgezero_spin.project.inspection import inspect_component

    return refusals(manifest, lambda path: inspect_component(path).exports)


def _show(finding: "DoctorFinding") -> None:
    mark = click.style(f"{finding.level:8}", fg=_COLORS[finding.level], bold=True)
    first, *rest = finding.what.splitlines()
    click.echo(f"{mark}{first}")
    for line in [*rest, *finding.remedy.splitlines()]:
        click.echo(f"{'':8}  {line}")
