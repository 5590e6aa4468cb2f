"""``edgezero build``: run each component's build command, and say which."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.options import (
    PassThrough,
    adapter_name_option,
    common_options,
    examples,
    manifest_option,
    notify,
    rest_of,
)
from edgezero_spin.cli.progress import busy
from edgezero_spin.cli.replaced import find_project, run_replacement

if TYPE_CHECKING:
    from edgezero_spin.project.build import BuildStep

__all__ = [
    "build",
    "build_components",
    "check_targets",
    "say_build_step",
    "warn_of_another_profile",
]


class _Build(PassThrough):
    """Leaves what it does not know to ``edgezero up`` where that follows the build."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set unknown words aside where there is ``--up``."""
        flags = args[: args.index("--")] if "--" in args else args
        if any(word in ("-u", "--up") for word in flags):
            ctx.allow_extra_args = ctx.ignore_unknown_options = True
        super().parse_args(ctx, args)
        return ctx.args


@click.command(
    cls=_Build,
    epilog=examples(
        "edgezero build",
        "edgezero build -C examples/notes -c notes",
        "edgezero build -- --world http-trigger",
        "edgezero build --up -- --listen 127.0.0.1:4000",
    ),
    short_help="Run the build commands of the application.",
)
@manifest_option
@click.option(
    "-c",
    "--component-id",
    "component_ids",
    metavar="ID",
    multiple=True,
    help="Build this component only. May be given several times.",
)
@click.option("--profile", metavar="NAME", help="Build with this profile of the manifest.")
@click.option(
    "-u",
    "--up",
    "serve",
    is_flag=True,
    help="Serve the application then: further flags, and what follows --, are those of "
    "`edgezero up`.",
)
@click.option(
    "--skip-target-checks",
    "--skip-target-check",
    is_flag=True,
    help="Do not compare the components with the targets of the manifest.",
)
@click.option(
    "--skip-generate-wits",
    "--skip-generate-wit",
    is_flag=True,
    expose_value=False,
    hidden=True,
    help="No WIT files are generated for dependencies here.",
)
@adapter_name_option
@common_options
@click.pass_context
def build(
    context: click.Context,
    manifest: str | None,
    component_ids: tuple[str, ...],
    profile: str | None,
    serve: bool,
    skip_target_checks: bool,
    adapter: str | None,
) -> None:
    """Run the build command of every component in spin.toml, as `spin build` does.

    A command `build` in [adapters.spin.commands] of edgezero.toml runs instead. What
    follows -- is added to each command. Ends with the status of the first command that
    fails. What was built is compared with the targets of spin.toml, if it names any.
    """
    from edgezero_spin.environment import ascii_lower
    from edgezero_spin.errors import ProjectError
    from edgezero_spin.project.commands import BUILT_IN, inside_command
    from edgezero_spin.project.locate import spin_manifest_of

    project, adapter = find_project(adapter, manifest)
    if project is not None and project.stores.secrets is not None and not inside_command():
        click.echo("[edgezero] secrets enabled: Spin reads them from its variables")
    rest = () if serve else rest_of(context)
    whole = not component_ids and profile is None
    if not (whole and run_replacement(project, adapter, "build", rest, manifest)):
        path = spin_manifest_of(project, adapter, manifest)
        build_components(
            path, component_ids, profile=profile, arguments=rest, check=not skip_target_checks
        )
    elif not skip_target_checks and ascii_lower(adapter) in BUILT_IN:
        try:
            path = spin_manifest_of(project, adapter, manifest)
        except ProjectError:
            # The command need not have left one.
            pass
        else:
            check_targets(path)
    if serve:
        path = spin_manifest_of(project, adapter, manifest)
        _serve(context, path, profile, [*context.args, *rest_of(context)])


def _serve(
    context: click.Context, manifest: Path, profile: str | None, arguments: list[str]
) -> None:
    """Run ``edgezero up`` on what was built."""
    from edgezero_spin.cli.up import up

    chosen = () if profile is None else ("--profile", profile)
    words = ["--from-file", str(manifest), *chosen, *arguments]
    with up.make_context("up", words, parent=context.parent) as serving:
        # Whatever SPIN_ALWAYS_BUILD says: it was built just now.
        serving.params["build"] = False
        up.invoke(serving)


def build_components(
    manifest: Path,
    component_ids: Sequence[str] = (),
    *,
    profile: str | None = None,
    arguments: Sequence[str] = (),
    check: bool = True,
) -> None:
    """Run the build commands of a ``spin.toml``, and say which.

    Args:
        check: Compare what was built with the target environments of the manifest.
    """
    from edgezero_spin.project.build import plan_build, run_step
    from edgezero_spin.project.last_build import note_last_build

    steps = plan_build(
        manifest,
        component_ids,
        profile=profile,
        warn=lambda warning: notify(f"Warning: {warning}"),
    )
    if not steps:
        click.echo("None of the components have a build command.")
    for step in steps:
        say_build_step(step)
        run_step(step, arguments)
    if steps:
        note_last_build(manifest.parent, profile)
        _say("Finished", "building all Spin components")
    if check:
        check_targets(manifest, component_ids, profile)


def check_targets(
    manifest: Path, component_ids: Sequence[str] = (), profile: str | None = None
) -> None:
    """Compare what was built with the target environments, where the manifest names any."""
    from edgezero_spin.errors import ManifestError
    from edgezero_spin.manifest.spin import load_builds, load_spin_manifest

    try:
        whole = load_spin_manifest(manifest, profile=profile)
    except ManifestError:
        # What is wrong with it was told before the build, or is by what uses it.
        with contextlib.suppress(ManifestError):
            if load_builds(manifest, profile=profile).has_targets:
                notify(
                    "Warning: the faults of the manifest keep its deployment targets "
                    "from being checked"
                )
        return
    if not whole.has_targets:
        return
    # Slow to import, and most manifests name no targets.
    from edgezero_spin.host.registry.downloads import Downloads
    from edgezero_spin.host.runtime.component_loading import read_wasm
    from edgezero_spin.host.settings import default_downloads_dir
    from edgezero_spin.project.target_check import check_targets as check

    with busy("Checking the deployment targets..."):
        check(whole, component_ids, Downloads(default_downloads_dir()), read_wasm)


def warn_of_another_profile(manifest: Path, profile: str | None) -> None:
    """Say that what is about to be used is not what was built last, if so (CLI-15)."""
    from edgezero_spin.project.last_build import is_last_build

    if not is_last_build(manifest.parent, profile):
        flags = "--build" if profile is None else f"--build --profile {profile}"
        click.echo(
            "Warning: another profile was built more recently than this one. If the application "
            f"behaves like an older version, use `{flags}`",
            err=True,
        )


def say_build_step(step: "BuildStep") -> None:
    """Say which command runs next (CLI-15)."""
    if step.total > 1 and step.number == 1:
        _say("Building", f"component {step.component_id} ({step.total} commands)")
    if step.total > 1:
        where = f"{step.number}/{step.total} for component {step.component_id}"
        _say("Running build step", f"{where} with '{step.command}'")
    else:
        _say("Building", f"component {step.component_id} with `{step.command}`")
    if step.workdir_named:
        click.echo(f'Working directory: "{step.workdir}"')


def _say(verb: str, rest: str) -> None:
    click.echo(f"{click.style(verb, fg='green', bold=True)} {rest}")
