"""Flags of single kinds of trigger: ``--test``, and the arguments behind ``--``.

In: a command function. Out: the same with the flag added, which gets a ``TriggerFlags``.

Source: contract services.md, TRG-6, MQT-6, CMD-2.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from edgezero_spin.host import Host
    from edgezero_spin.host.triggers import Trigger

__all__ = ["TriggerFlags", "WithArguments", "trigger_options"]

_ARGUMENTS = "edgezero_spin.arguments"


# No attrs class: importing attrs for it would be a sixth of the time of `--help`.
class TriggerFlags(NamedTuple):
    """What the command line says.

    Attributes:
        test: Give each component of an MQTT trigger one message, and end.
        arguments: Of the program of a command trigger.
    """

    test: bool
    arguments: tuple[str, ...]

    def kinds(self) -> "list[Trigger]":
        """Return the kinds of triggers that are told of it, for ``RunOptions.triggers``."""
        kinds: list[Trigger] = []
        if self.test:
            from edgezero_spin.host.triggers.mqtt.trigger import MqttTriggerKind

            kinds.append(MqttTriggerKind(test=True))
        if self.arguments:
            from edgezero_spin.host.triggers.command.trigger import CommandTriggerKind

            kinds.append(CommandTriggerKind(self.arguments))
        return kinds

    def check(self, host: "Host") -> None:
        """Make sure that an application has the triggers that it was typed for.

        Raises:
            click.UsageError: It has not.
        """
        there = ", ".join(dict.fromkeys(host.triggers))
        if self.test and "mqtt" not in host.triggers:
            raise click.UsageError(
                f"--test is for MQTT triggers; the application has others alone ({there})"
            )
        if self.arguments and "command" not in host.triggers:
            raise click.UsageError(
                f"what stands behind -- is for the program of a command trigger; the application "
                f"has others alone ({there}). Flags stand before it."
            )

    def spin_arguments(self) -> tuple[str, ...]:
        """Return the same for ``spin up``."""
        flag = ("--test",) if self.test else ()
        return (*flag, "--", *self.arguments) if self.arguments else flag


class WithArguments(click.Command):
    """A command that keeps what stands behind ``--`` for a program.

    Attributes:
        behind: How the line of usage shows that.
    """

    behind = "[-- ARGUMENT...]"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take it out of what is read as flags."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[_ARGUMENTS] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what the line of usage shows."""
        return [*super().collect_usage_pieces(ctx), self.behind]


def trigger_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the flag; the command, a ``WithArguments``, gets ``triggers``."""

    @functools.wraps(command)
    def gathered(*arguments: Any, **values: Any) -> object:
        behind = click.get_current_context().meta.get(_ARGUMENTS, ())
        triggers = TriggerFlags(values.pop("test"), behind)
        return command(*arguments, triggers=triggers, **values)

    return click.option(
        "--test",
        is_flag=True,
        help="Give each component of an MQTT trigger one message, `test message` on the topic "
        "`test`, and end. No broker is asked.",
    )(gathered)
