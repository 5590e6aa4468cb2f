"""``edgezero lock``: the application as one JSON file that a host can run."""

from pathlib import Path

import click

from edgezero_spin.cli.options import examples, manifest_option, notify, spin_options

__all__ = ["lock"]


@click.command(
    epilog=examples(
        "edgezero lock", "edgezero lock -f services/shop -o build/spin.lock", "edgezero lock -o -"
    ),
    short_help="Write spin.lock, which a host can run.",
)
@manifest_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The file to write; - prints it. Default: spin.lock beside spin.toml.",
)
@click.option("--profile", metavar="NAME", help="Lock this profile of the manifest.")
@click.option(
    "--direct-mounts",
    is_flag=True,
    help="Name the folders that components see, instead of copying their files.",
)
@click.option("--cache-dir", metavar="DIR", help="Where downloaded components are kept.")
@spin_options
def lock(
    manifest: str | None,
    output: str | None,
    profile: str | None,
    direct_mounts: bool,
    cache_dir: str | None,
) -> None:
    """Resolve everything that spin.toml names and write it as a LockedApp.

    Files of components are copied to a folder beside the lock, FILE.assets; a lock that is
    printed names their folders instead. Components are neither built nor opened.
    """
    from edgezero_spin.host.registry.downloads import Downloads
    from edgezero_spin.host.settings import default_downloads_dir
    from edgezero_spin.manifest import InvalidManifestError
    from edgezero_spin.project.locate import find_spin_manifest
    from edgezero_spin.project.locking import lock_text, write_lock

    path = find_spin_manifest(manifest)
    fetch = Downloads(Path(cache_dir, "registry") if cache_dir else default_downloads_dir())
    if output == "-":
        try:
            text = lock_text(path, profile=profile, fetch=fetch)
        except InvalidManifestError as error:
            if any("--direct-mounts" in problem.reason for problem in error.problems):
                notify("a lock that is printed is made with --direct-mounts: give --output FILE")
            raise
        click.echo(text, nl=False)
        return
    target = path.parent / "spin.lock" if output is None else Path(output)
    app = write_lock(path, target, profile=profile, direct_mounts=direct_mounts, fetch=fetch)
    count = len(app.components)
    click.echo(f"{target}: {count} component{'' if count == 1 else 's'}", err=True)
