"""``edgezero config``: check an app's configuration, compare it and push it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from edgezero_spin.cli.options import (
    adapter_name_option,
    all_options,
    common_options,
    examples,
    format_option,
    notify,
    project_manifest_option,
    spin_options,
)
from edgezero_spin.cli.progress import busy

if TYPE_CHECKING:
    from edgezero_spin.project.config_diff import ConfigDiff
    from edgezero_spin.project.config_inspect import ConfigRequest
    from edgezero_spin.project.config_push import PushPlan, PushRequest

__all__ = ["config", "diff", "push", "validate"]


_source_options = all_options(
    project_manifest_option,
    click.option(
        "--app-config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The configuration. Default: <app name>.toml beside the manifest.",
    ),
    click.option("--no-env", is_flag=True, help="Let no variable override a value of the file."),
    click.option(
        "--model",
        metavar="MODULE:CLASS",
        help="The attrs class that describes the configuration. Default: [app].config_model of "
        "the manifest. Without one, values are taken as they are and secrets are not told from "
        "configuration.",
    ),
)
_store_options = all_options(
    adapter_name_option,
    click.option(
        "--store",
        metavar="ID",
        help="The config store, by its logical id. Default: the default one.",
    ),
    click.option(
        "--local",
        is_flag=True,
        help="Use the SQLite file of a local Spin, wherever the app is deployed.",
    ),
    click.option(
        "--runtime-config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The runtime configuration. Default: runtime-config.toml beside spin.toml.",
    ),
)
_key_option = click.option(
    "--key",
    metavar="KEY",
    help="The entry of the whole configuration. Default: the id of the store, or what "
    "EDGEZERO__STORES__CONFIG__<ID>__KEY says.",
)


@click.group(
    epilog=examples("edgezero config validate --strict", "edgezero config push --local --dry-run"),
    short_help="Check, compare and push the app's configuration.",
)
@spin_options
def config() -> None:
    """Work with <app name>.toml, the configuration of the app in edgezero.toml."""


@config.command(
    epilog=examples("edgezero config validate --strict", "edgezero config validate --format json"),
    short_help="Check manifest and configuration.",
)
@_source_options
@click.option("--strict", is_flag=True, help="Also check kinds of stores and handlers.")
@format_option("text", "json", help="How the outcome is written.")
@spin_options
def validate(
    manifest: Path,
    app_config: Path | None,
    no_env: bool,
    model: str | None,
    strict: bool,
    form: Literal["text", "json"],
) -> int:
    """Check edgezero.toml, the app's configuration and the variables over it.

    All problems are told in one run. Nothing is written. Ends with 1 if there are any.
    """
    from edgezero_spin.project.config_validate import validate_config

    request = _request(manifest, app_config, no_env, model)
    report = validate_config(request, strict=strict)
    if form == "json":
        click.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
        return 0 if report.ok else 1
    _warn(report.warnings)
    report.raise_any()
    click.echo(f"[edgezero] {report.summary}")
    return 0


@config.command(
    epilog=examples("edgezero config push --local --dry-run", "edgezero config push --yes"),
    short_help="Write the configuration to its store.",
)
@_source_options
@_store_options
@_key_option
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask on a terminal; write at once.")
@click.option("--no-diff", is_flag=True, help="Ask without showing what changes.")
@common_options
def push(dry_run: bool, yes: bool, no_diff: bool, **options: Any) -> None:
    """Write the app's configuration to the store that its component reads.

    Each value is an entry. With a model all of it is one entry more, for AppConfig[T] and for
    EdgeZero; secret fields are there as names only. All is checked first and written at once.
    Entries of the store that the configuration does not have stay there.

    With a model, a push on a terminal shows what changes and asks. Otherwise no value is shown.
    """
    from edgezero_spin.project.config_push import push_config

    request = _push_request(dry_run=dry_run, **options)
    if yes or dry_run or not sys.stdin.isatty():
        with busy("Pushing the configuration"):
            outcome = push_config(request)
    else:
        outcome = push_config(request, lambda plan: _approved(plan, show=not no_diff))
    _warn(outcome.warnings)
    for line in outcome.lines:
        click.echo(line)


@config.command(
    epilog=examples(
        "edgezero config diff --local", "edgezero config diff --exit-code --format unified"
    ),
    short_help="Compare the store with the configuration.",
)
@_source_options
@_store_options
@_key_option
@click.option("--exit-code", is_flag=True, help="End with 1 when a push would change anything.")
@format_option(
    *("text", "json", "unified", "structured"),
    help="Keys only, as text or JSON; or the values that differ, as a diff or place by place.",
)
@common_options
def diff(
    exit_code: bool, form: Literal["text", "json", "unified", "structured"], **options: Any
) -> int:
    """Tell for each key whether a push would add or change it.

    Ends with 1 when a push would change anything and --exit-code is given, and with 2 when that
    cannot be told: what a Fermyon Cloud store holds cannot be read. Keys that only the store has
    are listed, but no push removes them. Values are shown by --format unified and structured
    only, and those that look like secrets not even then.
    """
    from edgezero_spin.errors import EdgeZeroError
    from edgezero_spin.project.config_diff import NotComparedError, diff_config

    try:
        found = diff_config(_push_request(dry_run=True, **options))
    except EdgeZeroError as error:
        raise NotComparedError(str(error)) from error
    if form == "json":
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        _warn(found.warnings)
        if form == "text":
            _show(found)
        else:
            _show_lines(found.unified() if form == "unified" else found.structured())
    return 1 if exit_code and found.differs else 0


def _approved(plan: "PushPlan", *, show: bool) -> bool:
    """Ask whether to push, where there is a model, after showing what changes."""
    from edgezero_spin.project.config_changes import ConfigPushError
    from edgezero_spin.project.config_diff import compare

    if plan.whole is None:
        return True
    try:
        found = compare(plan)
    except ConfigPushError as error:
        notify(str(error))
        return click.confirm("Write without a comparison?", err=True)
    if not found.differs:
        return True
    if show:
        _show_lines(found.unified())
    return click.confirm("Apply changes?", err=True)


def _show_lines(lines: list[str]) -> None:
    colors = {"-": "red", "+": "green", "@": "cyan"}
    for line in lines:
        click.echo(click.style(line, fg=colors.get(line.lstrip()[:1])))


def _show(found: "ConfigDiff") -> None:
    from edgezero_spin.project.config_changes import shown_key

    keys = [shown_key(change.key) for change in found.changes]
    width = max(map(len, keys), default=0)
    colors = {"new": "green", "changed": "yellow", "only stored": "bright_black"}
    for key, change in zip(keys, found.changes, strict=True):
        color = colors.get(change.change)
        click.echo(f"{key:{width}}  {click.style(change.change, fg=color)}")
    verdict = "differs from" if found.differs else "has all of"
    click.echo(
        f"[edgezero] store `{found.store_id}` (platform name `{found.label}`) {verdict} "
        "the configuration"
    )


def _push_request(
    *,
    manifest: Path,
    app_config: Path | None,
    no_env: bool,
    model: str | None,
    adapter: str | None,
    **push: Any,
) -> "PushRequest":
    import attrs

    from edgezero_spin.project.config_push import PushRequest

    source = _request(manifest, app_config, no_env, model)
    return PushRequest(**attrs.asdict(source, recurse=False), adapter=adapter or "spin", **push)


def _request(
    manifest: Path, app_config: Path | None, no_env: bool, model: str | None
) -> "ConfigRequest":
    from edgezero_spin.project.config_inspect import ConfigRequest
    from edgezero_spin.project.config_models import import_model

    return ConfigRequest(
        manifest=manifest,
        app_config=app_config,
        model=None if model is None else import_model(model, manifest.parent),
        overlay=not no_env,
    )


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        notify(f"Warning: {warning}")
