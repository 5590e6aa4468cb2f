"""``edgezero templates``: what ``new`` and ``add`` make files from, with the flags of Spin's."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.not_here import refused_flag
from edgezero_spin.cli.options import examples, notify, spin_options

if TYPE_CHECKING:
    from edgezero_spin.project.template_install import TemplateSource

__all__ = ["install", "list_templates", "templates", "uninstall", "upgrade"]


@click.group(
    epilog=examples(
        "edgezero templates install --git acme/spin-templates", "edgezero templates list"
    ),
    short_help="Install, list, remove: templates of projects.",
)
@spin_options
def templates() -> None:
    """Manage the templates that `edgezero new` and `edgezero add` make files from.

    They are kept where Spin keeps them, so that what one command installs the other finds.
    """


@templates.command(
    epilog=examples(
        "edgezero templates install --git acme/spin-templates",
        "edgezero templates install --dir ~/templates-of-ours --upgrade",
    ),
    short_help="Install templates.",
)
@click.option(
    "--git",
    "--repo",
    "git",
    metavar="URL",
    help="A git repository; owner/name is one of GitHub. Its templates lie in its folder "
    "`templates`.",
)
@click.option("--branch", metavar="NAME", help="A branch or tag of the repository.")
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A folder with a folder `templates`.",
)
@refused_flag(
    "--tar", reason="archives are not downloaded; unpack it, and name its folder with --dir"
)
@click.option("--upgrade", "--update", is_flag=True, help="Replace those that are installed.")
@spin_options
def install(git: str | None, branch: str | None, directory: Path | None, upgrade: bool) -> None:
    """Install the templates of a git repository or a folder.

    Of a repository without --branch, the tag spin/templates/v4.1 is taken where there is one.
    """
    from edgezero_spin.project.template_install import TemplateSource

    if (git is None) == (directory is None):
        raise click.UsageError("name one source: --git or --dir")
    if branch is not None and git is None:
        raise click.UsageError("--branch needs --git")
    if git is None:
        source = TemplateSource(folder=None if directory is None else directory.absolute())
    else:
        source = TemplateSource.repository(git, branch)
    _install(source, replace=upgrade)


@templates.command(
    epilog=examples("edgezero templates upgrade --all"),
    short_help="Install newer versions of templates.",
)
@click.option("--repo", metavar="URL", help="Upgrade what this repository has.")
@click.option("--branch", metavar="NAME", help="A branch or tag of the repository.")
@click.option("--all", "everything", is_flag=True, help="Upgrade all repositories.")
@spin_options
def upgrade(repo: str | None, branch: str | None, everything: bool) -> None:
    """Install the templates of repositories again, and remove those that they dropped.

    Without a flag, each repository that templates came from is asked about.
    """
    from edgezero_spin.errors import ProjectError
    from edgezero_spin.project.template_install import TemplateSource, installed_repositories

    if repo is not None and everything:
        raise click.UsageError("--repo and --all exclude each other")
    if branch is not None and repo is None:
        raise click.UsageError("--branch needs --repo")
    if repo is not None:
        _install(TemplateSource.repository(repo, branch), replace=True)
        return
    found = installed_repositories()
    if not found:
        raise ProjectError(
            "no installed template came from a repository: install those of a folder with "
            "`edgezero templates install --upgrade --dir`"
        )
    if not everything and not sys.stdin.isatty():
        raise click.UsageError(f"nobody can be asked: add --all, or --repo: {', '.join(found)}")
    for each in found:
        if everything or click.confirm(f"Upgrade the templates of {each}?", err=True):
            click.echo(f"Upgrading templates from {each}")
            _install(TemplateSource.repository(each), replace=True)


@templates.command(
    epilog=examples("edgezero templates uninstall http-acme"),
    short_help="Remove an installed template.",
)
@click.argument("id")
@spin_options
def uninstall(id: str) -> None:
    """Remove the installed template ID."""
    from edgezero_spin.project.template_install import uninstall_template

    uninstall_template(id)
    click.echo(f"Removed template {id}")


@templates.command(
    "list",
    epilog=examples("edgezero templates list --tag http --verbose"),
    short_help="List the templates.",
)
@click.option(
    "--tag",
    "tags",
    metavar="TAG",
    multiple=True,
    help="Those that have this tag. May be given several times.",
)
@spin_options
@click.pass_context
def list_templates(context: click.Context, tags: tuple[str, ...]) -> None:
    """List the templates of this package and those that are installed, by id.

    With --verbose, also their tags and where they lie.
    """
    from edgezero_spin.cli.options import CommonSettings
    from edgezero_spin.project.template_manifest import built_in_templates
    from edgezero_spin.project.template_store import installed_templates

    installed = installed_templates()
    wanted = {tag.lower() for tag in tags}
    found = [
        template
        for template in (*built_in_templates(), *installed.templates)
        if wanted <= {tag.lower() for tag in template.tags}
    ]
    width = max((len(template.id) for template in found), default=0)
    for template in found:
        click.echo(f"{template.id:{width}}  {template.description}".rstrip())
        if context.ensure_object(CommonSettings).verbose:
            shown = ", ".join(template.tags) or "none"
            click.echo(f"{'':{width}}  tags: {shown}; {template.folder}")
    if not found:
        click.echo("No suitable templates found", err=True)
    for name, fault in installed.broken:
        notify(f"Warning: {name} cannot be used: {fault}")


def _install(source: "TemplateSource", *, replace: bool) -> None:
    from edgezero_spin.project.template_install import install_templates

    done = install_templates(source, upgrade=replace)
    if not done.installed and not done.skipped:
        click.echo("The specified source contained no templates")
        return
    click.echo(f"Installed {len(done.installed)} template(s)")
    for template in done.installed:
        click.echo(f"  {template.id}  {template.description}".rstrip())
    if done.skipped:
        click.echo(f"Skipped {len(done.skipped)} template(s)")
    for id, reason in done.skipped:
        click.echo(f"  {id}  {reason}")
    if done.removed:
        click.echo(f"Removed {len(done.removed)} template(s) that the repository has no more")
    for id in done.removed:
        click.echo(f"  {id}")
