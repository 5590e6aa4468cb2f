"""Flags of single kinds of trigger: ``--test``, and the arguments behind ``--``.

In: a command function. Out: the same with the flag added, which gets a ``TriggerFlags``.

Source: contract services.md, TRG-6, MQT-6, CMD-2.
"""

from typing import TYPE_CHECKING, NamedTuple

import click

from edgezero_spin.cli.options import gathered, rest_of

if TYPE_CHECKING:
    from edgezero_spin.host import Host
    from edgezero_spin.host.triggers import Trigger

__all__ = ["TriggerFlags", "trigger_options"]


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


trigger_options = gathered(
    "triggers",
    lambda values: TriggerFlags(values.pop("test"), rest_of(click.get_current_context())),
    click.option(
        "--test",
        is_flag=True,
        help="Give each component of an MQTT trigger one message, `test message` on the topic "
        "`test`, and end. No broker is asked.",
    ),
)
"""Adds the flag; the command, a ``PassThrough``, gets it and its arguments as ``triggers``."""
