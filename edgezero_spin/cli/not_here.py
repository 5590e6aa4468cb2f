"""Flags and variables of ``spin up`` that the embedded host lacks; each says so in one line.

A flag or a variable that changes what an application does is refused.

Source: contract spin-host.md, CLI-11, CLI-36, ENG-10, OUTH-19.
"""

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

import click

from edgezero_spin.cli.options import all_options

__all__ = ["check_environment", "refused_flag", "refused_options"]

F = TypeVar("F", bound=Callable[..., object])

# Spin's names for levels, and Python's; above CRITICAL there is nothing.
_LEVELS: dict[str, str | int] = {
    "off": 60,
    "error": "ERROR",
    "warn": "WARNING",
    "info": "INFO",
    "debug": "DEBUG",
    "trace": "DEBUG",
}


def refused_flag(*names: str, reason: str, is_flag: bool = False) -> Callable[[F], F]:
    """Add a flag that is not shown and only says why it cannot be had.

    Args:
        names: As it is typed.
        reason: What follows its names in the message.
        is_flag: It has no value.
    """

    def refuse(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value and not context.resilient_parsing:
            raise click.UsageError(f"{'/'.join(names)}: {reason}")

    return click.option(*names, is_flag=is_flag, hidden=True, expose_value=False, callback=refuse)


def _features(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    if "function-references" in value:
        raise click.UsageError(
            "--experimental-wasm-feature function-references: this host's engine runs without; "
            "`spin up` may have it"
        )


def refused_options(command: F) -> F:
    """Add the flags of ``spin up`` that this host cannot do."""
    return all_options(
        # The other one is part of WebAssembly by now, and always on.
        click.option(
            "--experimental-wasm-feature",
            type=click.Choice(["reference-types", "function-references"]),
            multiple=True,
            hidden=True,
            expose_value=False,
            callback=_features,
        )
    )(command)


def check_environment(environ: Mapping[str, str] | None = None) -> None:
    """Read the variables that Spin reads and no flag stands for.

    Raises:
        click.UsageError: One asks for what this host cannot do.
    """
    environ = os.environ if environ is None else environ
    if environ.get("SPIN_OUTBOUND_H2C_PRIOR_KNOWLEDGE"):
        raise click.UsageError(
            "SPIN_OUTBOUND_H2C_PRIOR_KNOWLEDGE is set: this host sends requests over HTTP/1.1 "
            "only; unset it, or run `spin up`"
        )
    _set_log_level(environ.get("RUST_LOG", ""))


def _set_log_level(directives: str) -> None:
    """Take the level that ``RUST_LOG`` has for everything; the rest names crates of Spin."""
    # Not needed for `--help`, and slow to import for that.
    import logging

    for directive in directives.split(","):
        level = _LEVELS.get(directive.strip().lower())
        if level is not None:
            log = logging.getLogger("edgezero_spin")
            log.setLevel(level)
            # Without one, Python shows warnings and errors only.
            log.addHandler(logging.StreamHandler())
            return
