"""Examine the machine and the project, and say how to mend what is wrong.

In: the environment and where to look. Out: ``DoctorFinding``s, the machine's first. Nothing is
changed, downloaded or sent; of other programs only ``spin --version`` is run.

Source: contract edgezero.md, SQL-11, CMP-8 and CLI-4; spin-host.md, CLI-40; our own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from edgezero_spin.environment import EnvironmentLayer
from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.manifest import AppManifest
from edgezero_spin.manifest.spin import SpinManifest, load_spin_manifest
from edgezero_spin.project.commands import load_project
from edgezero_spin.project.doctor_machine import examine_machine
from edgezero_spin.project.doctor_project import Build, examine_app, examine_spin
from edgezero_spin.project.doctor_report import DoctorFinding, problem, remark
from edgezero_spin.project.locate import spin_manifest_of
from edgezero_spin.project.manifest_repair import examine_version

__all__ = ["Refusals", "examine"]

Refusals = Callable[[SpinManifest], Iterable[str]]
"""Says what a host would refuse of an application."""


def examine(
    environ: Mapping[str, str],
    given: str | None = None,
    *,
    refusals: Refusals | None = None,
    build: Build | None = None,
) -> Iterator[DoctorFinding]:
    """Yield everything that is found.

    Args:
        given: The application's ``spin.toml`` or its folder; ``None`` looks for it.
        refusals: Asked about the application, where a host is at hand.
        build: Mends components that are missing or old; ``None`` leaves them.
    """
    yield from examine_machine(environ)
    start = None
    if given is not None:
        start = Path(given) if Path(given).is_dir() else Path(given).parent
    project: AppManifest | None = None
    try:
        project = load_project(environ, start=None if start is None else start.resolve())
        if project is not None:
            yield from examine_app(project, environ)
    except EdgeZeroError as error:
        yield problem(str(error), "Correct the file; `edgezero config validate` checks it alone.")
    try:
        path = spin_manifest_of(project, "spin", given)
    except EdgeZeroError as error:
        if given is None and project is None:
            yield remark(
                str(error), "Examine one with -C, or start a project with `edgezero new NAME`."
            )
        else:
            yield problem(str(error), "Write the file, or correct where it is looked for.")
        return
    versions = list(examine_version(path))
    yield from versions
    try:
        manifest = load_spin_manifest(path)
    except EdgeZeroError as error:
        if not any(found.level == "problem" for found in versions):
            yield problem(str(error), "Correct the file.")
        return
    config = None if project is None else project.stores.config
    layer = EnvironmentLayer.from_mapping(environ)
    pushed = () if config is None else (layer.store_name("config", id) for id in config.ids)
    yield from examine_spin(manifest, environ, pushed=frozenset(pushed), build=build)
    for refused in () if refusals is None else refusals(manifest):
        yield problem(f"`edgezero up` would not start: {refused}", "Correct what it names.")
