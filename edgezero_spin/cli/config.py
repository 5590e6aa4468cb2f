"""``edgezero config``: check an app's configuration, compare it and push it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from edgezero_spin.cli.options import adapter_option, common_options

if TYPE_CHECKING:
    from edgezero_spin.project.config_inspect import ConfigRequest

__all__ = ["config"]

F = TypeVar("F", bound=Callable[..., object])

EPILOG = """\b
Example:
  edgezero config validate --strict
  edgezero config push --local --dry-run
"""
VALIDATE_EPILOG = """\b
Example:
  edgezero config validate --strict
  edgezero config validate --model app_config:AppConfig --format json
"""


def _source_options(command: F) -> F:
    for option in (
        click.option(
            "--model",
            metavar="MODULE:CLASS",
            help="The attrs class that describes the configuration. Without it, values are "
            "taken as they are and secrets are not told from configuration.",
        ),
        click.option(
            "--no-env", is_flag=True, help="Let no variable override a value of the file."
        ),
        click.option(
            "--app-config",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="The configuration. Default: <app name>.toml beside the manifest.",
        ),
        click.option(
            "--manifest",
            metavar="FILE",
            type=click.Path(path_type=Path),
            default=Path("edgezero.toml"),
            show_default=True,
            help="The project's manifest.",
        ),
    ):
        command = option(command)
    return command


@click.group(epilog=EPILOG, short_help="Check, compare and push the app's configuration.")
@adapter_option
@common_options
def config() -> None:
    """Work with <app name>.toml, the configuration of the app in edgezero.toml."""


@config.command(epilog=VALIDATE_EPILOG, short_help="Check manifest and configuration.")
@_source_options
@click.option("--strict", is_flag=True, help="Also check kinds of stores and handlers.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the outcome is written.",
)
@adapter_option
@common_options
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
        click.echo(f"[edgezero] Warning: {warning}", err=True)
