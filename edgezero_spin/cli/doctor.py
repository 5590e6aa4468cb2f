"""``edgezero doctor``: what is wrong with the machine or the project, and how to mend it.

Source: contract spin-host.md, CLI-24, CLI-40; services.md, DOC-1.
"""

import json
import os
import sys
from typing import TYPE_CHECKING, Literal

import click

from edgezero_spin.cli.options import examples, format_option, manifest_option, notify, spin_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgezero_spin.manifest.spin import SpinManifest
    from edgezero_spin.project.doctor_report import DoctorFinding

__all__ = ["doctor"]

_COLORS = {"ok": "green", "remark": "yellow", "problem": "red"}


@click.command(
    epilog=examples(
        "edgezero doctor",
        "edgezero doctor --from services/notes --format json",
        "edgezero doctor --fix --yes",
    ),
    short_help="Say what is wrong, and how to mend it.",
)
@manifest_option
@format_option("text", "json", help="How the findings are written.")
@click.option(
    "--fix",
    is_flag=True,
    help="Mend what can be mended: labels, stanzas of the runtime configuration, components that "
    "are not built, the version of spin.toml. Asks before each.",
)
@click.option("-y", "--yes", is_flag=True, help="With --fix: ask nothing.")
@spin_options
def doctor(manifest: str | None, form: Literal["text", "json"], fix: bool, yes: bool) -> int:
    """Examine this machine and the project in this folder; change nothing without --fix.

    Looks at Python, the tools, Spin, both manifests, labels, the runtime configuration,
    built components and variables. Ends with 1 when there is a problem, or one is left.
    """
    if yes and not fix:
        raise click.UsageError("--yes needs --fix")
    if fix and form == "json":
        raise click.UsageError("--fix and --format json exclude each other")
    if fix and not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked: add --yes")
    findings = _examine(manifest)
    if fix:
        findings = _mend(findings, manifest, yes)
    if form == "json":
        rows = [{"level": f.level, "what": f.what, "remedy": f.remedy} for f in findings]
        click.echo(json.dumps(rows, indent=2))
    else:
        for finding in findings:
            _show(finding)
        problems = sum(finding.level == "problem" for finding in findings)
        click.echo(f"{problems} problem(s)" if problems else "No problems found.")
    return int(any(finding.level == "problem" for finding in findings))


def _examine(manifest: str | None) -> "list[DoctorFinding]":
    from edgezero_spin.cli.build import build_components
    from edgezero_spin.project.doctor import examine

    return list(examine(os.environ, manifest, refusals=_refusals, build=build_components))


def _mend(
    findings: "list[DoctorFinding]", manifest: str | None, yes: bool
) -> "list[DoctorFinding]":
    """Mend what can be mended, and what that brings to light; return what is found then."""
    from edgezero_spin.errors import EdgeZeroError
    from edgezero_spin.project.doctor_report import problem

    tried: set[str] = set()
    failed: dict[str, DoctorFinding] = {}
    while True:
        changed = False
        for finding in findings:
            if finding.fix is None or finding.what in tried:
                continue
            tried.add(finding.what)
            click.echo(f"{click.style('Found', bold=True)}: {finding.what}")
            if not yes and not click.confirm(f"Fix: {finding.fix.action}?", err=True):
                continue
            changed = True
            try:
                finding.fix.apply()
            except EdgeZeroError as error:
                notify(f"not mended: {error}")
                failed[finding.what] = problem(str(error), "Correct what it names.")
                continue
            click.echo(f"{click.style('Fixed', fg='green', bold=True)}: {finding.fix.action}")
        if not changed:
            # A component may be built and still not what its targets want.
            left = {finding.what for finding in findings}
            return [*findings, *(found for what, found in failed.items() if what not in left)]
        findings = _examine(manifest)


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
