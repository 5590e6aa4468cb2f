"""``edgezero add``: one more store or component, in every file that has to know of it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.options import (
    adapter_name_option,
    all_options,
    common_options,
    common_options_without_v,
    examples,
    manifest_option,
    notify,
    project_manifest_option,
    spin_options,
)
from edgezero_spin.cli.replaced import find_project
from edgezero_spin.cli.template_options import TemplateFlags, name_and_template, template_options

if TYPE_CHECKING:
    from edgezero_spin.project.add_store import StoreKind

__all__ = ["add", "component", "config_store", "kv", "secrets"]


class _Add(click.Group):
    """Takes ``edgezero add ID`` and its flags for ``edgezero add component ID``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command's name in where a component is meant."""
        if args and not self._names_command(args):
            args = ["component", *args]
        return super().parse_args(ctx, args)

    def _names_command(self, args: list[str]) -> bool:
        rest = iter(args)
        for word in rest:
            if word in ("-h", "--help"):
                return True
            if word in _FLAGS_WITH_VALUE:
                next(rest, None)
            elif not word.startswith(("-C", "--adapter=")) and word not in _FLAGS:
                # `add secret x` is a slip, not the template `secret`.
                return word in self.commands or bool(next(rest, None) and _is_slip(word, self))
        return True


def _is_slip(word: str, group: click.Group) -> bool:
    import difflib

    return bool(difflib.get_close_matches(word, group.commands, cutoff=0.8))


_FLAGS = ("-v", "--verbose", "--no-color")
_FLAGS_WITH_VALUE = ("-C", "--adapter")


@click.group(
    cls=_Add,
    epilog=examples(
        "edgezero add kv sessions",
        "edgezero add component reports --route /reports/...",
        "edgezero add component -t http-acme reports",
    ),
    short_help="Add a store or a component to the project.",
)
@spin_options
def add() -> None:
    """Add to a project that exists. Nothing that is there is replaced.

    `edgezero add ID` adds a component, with the flags of `edgezero add component`.
    """


_store_arguments = all_options(
    click.argument("id"), project_manifest_option, adapter_name_option, common_options
)


def _add_store(kind: "StoreKind", id: str, manifest: Path, adapter: str | None) -> None:
    from edgezero_spin.project.add_store import add_store
    from edgezero_spin.project.commands import check_adapter, check_built_in, load_manifest

    project = load_manifest(manifest)
    check_built_in(check_adapter(project, adapter or "spin"))
    for line in add_store(project, kind, id, os.environ).lines():
        click.echo(line)


@add.command(
    epilog=examples(
        "edgezero add kv sessions",
        "edgezero add kv sessions --manifest services/notes/edgezero.toml",
    ),
    short_help="Add a key-value store to the app.",
)
@_store_arguments
def kv(id: str, manifest: Path, adapter: str | None) -> None:
    """Add the key-value store ID to edgezero.toml, spin.toml and runtime-config.toml.

    Every other byte of the files stays as it is. A second store of a kind makes the first
    one the default, unless the manifest names one. Its data goes to the local SQLite file;
    change its stanza in runtime-config.toml to keep it elsewhere.
    """
    _add_store("kv", id, manifest, adapter)


@add.command(
    "config",
    epilog=examples("edgezero add config feature_flags"),
    short_help="Add a config store to the app.",
)
@_store_arguments
def config_store(id: str, manifest: Path, adapter: str | None) -> None:
    """Add the config store ID, as `edgezero add kv` does.

    Spin keeps configuration in a key-value store; `edgezero config push --store ID` fills it.
    """
    _add_store("config", id, manifest, adapter)


@add.command(
    epilog=examples("edgezero add secrets default"), short_help="Add a secret store to the app."
)
@_store_arguments
def secrets(id: str, manifest: Path, adapter: str | None) -> None:
    """Add the secret store ID to edgezero.toml, and say what a person has to declare.

    Spin has one secret store, which is made of its variables.
    """
    _add_store("secrets", id, manifest, adapter)


@add.command(
    epilog=examples(
        "edgezero add component reports --route /reports/...",
        "edgezero add component files --template templates/static-fileserver "
        "--value files-path=assets",
    ),
    short_help="Add a component to the application.",
)
@click.argument("words", metavar="[ID]", nargs=-1)
@click.option("--route", metavar="ROUTE", help="The HTTP route it serves. Default: /ID/...")
@template_options
@manifest_option
@adapter_name_option
@common_options_without_v
def component(
    words: tuple[str, ...],
    route: str | None,
    flags: TemplateFlags,
    manifest: str | None,
    adapter: str | None,
) -> None:
    """Make a component in the folder ID and add it to spin.toml.

    It builds and serves as it is. Every other byte of spin.toml stays, and no file that
    exists is replaced. The component is an app of its own, with an edgezero.toml of its own
    for its stores. --output is below the folder of spin.toml, and --init is that folder. Two
    words are TEMPLATE ID. `edgezero add ID` is the same, as `spin add` has it.
    """
    from edgezero_spin.project.add_component import ComponentRequest, add_component
    from edgezero_spin.project.commands import check_built_in
    from edgezero_spin.project.locate import spin_manifest_of
    from edgezero_spin.project.template_manifest import COMPONENT_ID

    project, adapter = find_project(adapter, manifest)
    check_built_in(adapter)
    id, flags = name_and_template(words, flags)
    template = flags.find_template(COMPONENT_ID)
    done = add_component(
        ComponentRequest(
            manifest=spin_manifest_of(project, adapter, manifest),
            id=flags.ask_name() if id is None else id,
            template=template,
            folder=None if flags.folder is None else str(flags.folder),
            route=route,
            values=flags.given_values(),
            vcs=not flags.no_vcs,
            overwrite=flags.allow_overwrite,
            project=project,
        ),
        ask=flags.ask(),
    )
    for line in done.lines():
        click.echo(line)
    for notice in done.notices:
        notify(notice)
    click.echo("Next:\n  edgezero build\n  edgezero serve")
