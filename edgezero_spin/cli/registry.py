"""``edgezero registry``: applications to a registry and from it, with the flags of Spin's."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from edgezero_spin.cli.build import build_components, warn_of_another_profile
from edgezero_spin.cli.options import (
    KeyValue,
    build_option,
    examples,
    insecure_option,
    manifest_option,
    spin_options,
    verify_key_option,
)

if TYPE_CHECKING:
    from edgezero_spin.host.registry.cache import ContentCache

__all__ = ["login", "pull", "push", "registry"]

F = TypeVar("F", bound=Callable[..., object])


@click.group(
    epilog=examples(
        "edgezero registry login ghcr.io", "edgezero registry push ghcr.io/acme/shop:1.0"
    ),
    short_help="Push, pull: applications in a registry.",
)
@spin_options
def registry() -> None:
    """Push applications to OCI registries, pull them, and log in."""


_cache_option = click.option(
    "--cache-dir", metavar="DIR", help="Where downloaded content is kept. Default: Spin's."
)


class _Push(click.Command):
    """Takes ``--compose`` without a value, as Spin 4 does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give it one where none follows."""
        for at, word in enumerate(args):
            following = args[at + 1 : at + 2]
            if word == "--compose" and following not in (["true"], ["false"]):
                args = [*args[:at], "--compose=true", *args[at + 1 :]]
        return super().parse_args(ctx, args)


@registry.command(
    cls=_Push,
    epilog=examples(
        "edgezero registry push --build ghcr.io/acme/shop:1.0",
        "edgezero registry push -f services/shop --annotation team=sales -k localhost:5000/shop",
    ),
    short_help="Push an application.",
)
@click.argument("reference", metavar="IMAGE")
@manifest_option
@click.option("--profile", metavar="NAME", help="Push this profile of the manifest.")
@build_option
@click.option(
    "--compose",
    type=click.BOOL,
    default=True,
    metavar="true|false",
    help="Make one component of each and its dependencies, which any host runs. true, the default "
    "and without a value; false pushes dependencies and middleware beside their component.",
)
@click.option(
    "--annotation",
    "annotations",
    metavar="NAME=VALUE",
    type=KeyValue(),
    multiple=True,
    help="An annotation of the image, over what spin.toml says of the application.",
)
@insecure_option
@_cache_option
@spin_options
def push(
    reference: str,
    manifest: str | None,
    profile: str | None,
    build: bool,
    compose: bool,
    annotations: tuple[tuple[str, str], ...],
    insecure: bool,
    cache_dir: str | None,
) -> None:
    """Push the application of spin.toml to IMAGE, as `spin registry push` does.

    IMAGE is a host, a path and a tag. Each component and each file is a layer, unless there
    are more than 499 or SPIN_OCI_ARCHIVE_LAYERS is set: then the files of a component are
    one. `spin up`, `edgezero up` and SpinKube run the image.
    """
    from edgezero_spin.host.registry.images import push_manifest
    from edgezero_spin.project.locate import find_spin_manifest

    path = find_spin_manifest(manifest)
    if build:
        build_components(path, (), profile=profile)
    else:
        warn_of_another_profile(path, profile)
    pushed = push_manifest(
        path,
        reference,
        _cache(cache_dir),
        profile=profile,
        compose=compose,
        annotations=dict(annotations),
        insecure=insecure,
    )
    if pushed.confirmed:
        click.echo(f"Pushed with digest {pushed.digest}")
    else:
        click.echo("Pushed; the registry did not return the digest")


@registry.command(
    epilog=examples("edgezero registry pull ghcr.io/acme/shop:1.0"),
    short_help="Pull an application into the cache.",
)
@click.argument("reference", metavar="IMAGE")
@insecure_option
@verify_key_option
@_cache_option
@spin_options
def pull(
    reference: str, insecure: bool, verify_keys: tuple[str, ...], cache_dir: str | None
) -> None:
    """Download an application, and check it, so that the next `edgezero up` need not.

    Spin finds it as well, unless --cache-dir names another folder than Spin's.
    """
    from edgezero_spin.host.registry.images import pull_image

    image = pull_image(reference, _cache(cache_dir), insecure=insecure, verify=verify_keys or None)
    click.echo("Successfully pulled the app from the registry")
    click.echo(f"{image.reference} has the digest {image.digest}", err=True)


@registry.command(
    epilog=examples("edgezero registry login ghcr.io -u acme --password-stdin"),
    short_help="Log in to a registry.",
)
@click.argument("server", metavar="SERVER")
@click.option("-u", "--username", metavar="NAME", help="Who logs in; asked for without.")
@click.option(
    "-p",
    "--password",
    metavar="PASSWORD",
    help="Others on this machine can see it; without, it is asked for.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@insecure_option
@spin_options
def login(
    server: str, username: str | None, password: str | None, password_stdin: bool, insecure: bool
) -> None:
    """Try a name and a password, and keep them for all commands that ask this registry.

    They are kept where `spin registry login` keeps them: readable by their owner, not
    encrypted.
    """
    from edgezero_spin.host.registry.credentials import Credentials
    from edgezero_spin.host.registry.login import log_in, registry_host

    if password is not None and password_stdin:
        raise click.UsageError("--password and --password-stdin exclude each other")
    registry_host(server)
    if username is None:
        if password_stdin:
            raise click.UsageError("--password-stdin needs --username")
        username = str(click.prompt("Username"))
    if password_stdin:
        password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    elif password is None:
        password = str(click.prompt("Password", hide_input=True))
    log_in(server, Credentials(username, password), insecure=insecure)
    click.echo(f"Successfully logged in as {username} to registry {server}")


def _cache(cache_dir: str | None) -> "ContentCache":
    from edgezero_spin.host.registry.cache import ContentCache
    from edgezero_spin.host.settings import default_downloads_dir

    return ContentCache(Path(cache_dir, "registry") if cache_dir else default_downloads_dir())
