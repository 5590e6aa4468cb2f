"""``edgezero kube``: an image on SpinKube, with the flags of ``spin kube``."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edgezero_spin.cli.options import (
    adapter_option,
    common_options_without_v,
    examples,
    insecure_option,
    spin_options,
    verify_key_option,
)

__all__ = ["kube", "scaffold"]

F = TypeVar("F", bound=Callable[..., object])


class _Kube(click.Group):
    """Leaves the other commands of ``spin kube`` to the plugin, where there is one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Run the plugin ``kube``, or say that there is none."""
        if args[0] in self.commands or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from edgezero_spin.project.plugins import find_plugin, run_plugin

        program = find_plugin("kube")
        if program is not None:
            run_plugin(program, args)
        return ctx.fail(
            f"{args[0]!r} is not a command of `edgezero kube`, and the plugin `kube`, which may "
            "have it, is not installed; kubectl works on a SpinApp as on any resource"
        )


class _Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them."""

    name = "NAME[,NAME..]"

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[str, ...]:
        """Split them; an empty one is wrong."""
        names = tuple(str(value).split(","))
        if not all(names):
            self.fail(f"{value!r} has an empty name", parameter, context)
        return names


class _Pairs(click.ParamType[tuple[tuple[str, str], ...]]):
    """``NAME=VALUE`` pairs with commas between them, as Go's pflag splits them.

    A text with one ``=`` is one pair, whatever commas its value has.
    """

    name = "NAME=VALUE[,NAME=VALUE..]"

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[tuple[str, str], ...]:
        """Split them; what is no pair is wrong, and not repeated: it may be a secret."""
        text = str(value)
        parts = [text] if text.count("=") == 1 else next(csv.reader([text]), [])
        pairs = [part.partition("=") for part in parts]
        if not pairs or not all(name and equals for name, equals, _ in pairs):
            self.fail("this must be of the form NAME=VALUE", parameter, context)
        return tuple((name, inner) for name, _, inner in pairs)


@click.group(
    cls=_Kube,
    epilog=examples("edgezero kube scaffold -f ghcr.io/acme/shop:1.0"),
    short_help="Resources for SpinKube.",
)
@spin_options
def kube() -> None:
    """Write what runs an image on Kubernetes with SpinKube.

    Other commands than those below are those of the plugin `kube`, where it is installed.
    """


def _utilization_option(kind: str, shown: str) -> Callable[[F], F]:
    return click.option(
        f"--autoscaler-target-{kind}-utilization",
        f"{kind}_utilization",
        metavar="PERCENT",
        type=int,
        default=60,
        show_default=True,
        help=f"The part of the {shown} limit that the autoscaler aims at.",
    )


@kube.command(
    epilog=examples(
        "edgezero kube scaffold -f ghcr.io/acme/shop:1.0 --digest -o shop.yaml",
        "edgezero kube scaffold -f ghcr.io/acme/shop:1.0 --autoscaler hpa --cpu-limit 500m "
        "--memory-limit 256Mi",
        "edgezero kube scaffold -f ghcr.io/acme/shop:1.0 -v region=eu "
        "--secret-variable api_token=shop/token",
    ),
    short_help="Write a SpinApp for an image.",
)
@click.option(
    "-f", "--from", "image", metavar="IMAGE", required=True, help="The image, by tag or digest."
)
@click.option("--name", metavar="NAME", help="The application. Default: the end of IMAGE's path.")
@click.option(
    "--digest", "pinned", is_flag=True, help="Ask the registry, and write the image by its digest."
)
@insecure_option
@verify_key_option
@click.option(
    "-r",
    "--replicas",
    metavar="N",
    type=int,
    default=2,
    show_default=True,
    help="How many there are; at least, where an autoscaler decides.",
)
@click.option(
    "--max-replicas",
    metavar="N",
    type=int,
    default=3,
    show_default=True,
    help="How many there are at most; for an autoscaler.",
)
@click.option(
    "--autoscaler",
    type=click.Choice(["hpa", "keda"]),
    help="Write a HorizontalPodAutoscaler or a ScaledObject of KEDA. Needs both limits.",
)
@_utilization_option("cpu", "CPU")
@_utilization_option("memory", "memory")
@click.option(
    "--executor",
    metavar="NAME",
    default="containerd-shim-spin",
    show_default=True,
    help="The SpinAppExecutor.",
)
@click.option("--cpu-limit", metavar="QUANTITY", help="Most CPU: 500m.")
@click.option("--cpu-request", metavar="QUANTITY", help="CPU that a node has to have free.")
@click.option("--memory-limit", metavar="QUANTITY", help="Most memory: 256Mi.")
@click.option("--memory-request", metavar="QUANTITY", help="Memory that a node has to have free.")
@click.option("--invocation-memory", metavar="QUANTITY", help="Most memory of one instance.")
@click.option(
    "-s",
    "--image-pull-secret",
    "image_pull_secrets",
    type=_Names(),
    multiple=True,
    help="A Secret to pull the image with. May be given several times.",
)
@click.option("--service-account-name", "service_account", metavar="NAME", help="Of the pods.")
@click.option("--azure-identity", is_flag=True, help="Label the pods for Azure Workload Identity.")
@click.option(
    "-v",
    "--variable",
    "variables",
    type=_Pairs(),
    multiple=True,
    help="A value of a variable of the application. May be given several times.",
)
@click.option(
    "--secret-variable",
    "secret_variables",
    metavar="NAME=SECRET/KEY",
    type=_Pairs(),
    multiple=True,
    help="A variable whose value is in a Secret of the namespace. May be given several times.",
)
@click.option(
    "--component",
    "components",
    type=_Names(),
    multiple=True,
    help="Run this component only. May be given several times.",
)
@click.option(
    "-c",
    "--runtime-config-file",
    "runtime_config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A runtime configuration, which is written as a Secret.",
)
@click.option("--readiness-path", metavar="PATH", help="Ask this path before requests are sent.")
@click.option("--liveness-path", metavar="PATH", help="Start again where this path fails.")
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to this file, which its owner alone can read, and not to standard output.",
)
@adapter_option
@common_options_without_v
def scaffold(
    image: str,
    pinned: bool,
    insecure: bool,
    verify_keys: tuple[str, ...],
    image_pull_secrets: tuple[tuple[str, ...], ...],
    variables: tuple[tuple[tuple[str, str], ...], ...],
    secret_variables: tuple[tuple[tuple[str, str], ...], ...],
    components: tuple[tuple[str, ...], ...],
    out: Path | None,
    **fields: Any,
) -> None:
    """Write a SpinApp that runs IMAGE, as `spin kube scaffold` does.

    With a Secret and an autoscaler where they are asked for. Every value is quoted, so that
    none becomes a number or a boolean on the way.
    """
    import attrs

    from edgezero_spin.project.files import replace_file
    from edgezero_spin.project.kube_scaffold import KubeRequest, app_name
    from edgezero_spin.project.kube_scaffold import scaffold as write_resources

    request = KubeRequest(
        image=image,
        image_pull_secrets=tuple(name for names in image_pull_secrets for name in names),
        variables=dict(pair for pairs in variables for pair in pairs),
        secret_variables=_secrets(secret_variables),
        components=tuple(name for names in components for name in names),
        **fields,
    )
    text = write_resources(request)
    if verify_keys and not pinned:
        raise click.UsageError("--verify-key needs --digest: a tag may mean another image later")
    if pinned:
        from edgezero_spin.host.registry.images import resolve_image

        name = app_name(request)
        found = resolve_image(image, insecure=insecure, verify=verify_keys or None)
        text = write_resources(attrs.evolve(request, image=found, name=name))
    if out is None:
        click.echo(text, nl=False)
    else:
        # It may hold secrets.
        replace_file(out, text.encode(), mode=0o600)
        click.echo(f"Application manifest saved to {out}", err=True)


def _secrets(pairs: tuple[tuple[tuple[str, str], ...], ...]) -> dict[str, tuple[str, str]]:
    found = {}
    for name, place in (pair for each in pairs for pair in each):
        secret, _, key = place.partition("/")
        if not (secret and key):
            raise click.UsageError(f"--secret-variable {name}: write {name}=SECRET/KEY")
        found[name] = (secret, key)
    return found
