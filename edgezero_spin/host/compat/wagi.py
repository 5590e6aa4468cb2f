"""The Wagi executor: a request becomes a command line, and what it prints the response.

In: an ``Exchange`` and a ``CommandComponent``, which exports ``wasi:cli/run`` or is a core
module of WASI 0.1. Out: the same exchange, answered. Request and
response are held whole, within limits; each request has an instance of its own.

What the program sees and what its output means is in ``cgi``.

Source: contract spin-host.md, WAGI-1, WAGI-3, WAGI-6, MAN-26.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import attrs

from edgezero_spin.host.compat.cgi import OutputError, arguments_for, read_output, variables_for
from edgezero_spin.host.compat.whole_bodies import read_request, respond
from edgezero_spin.host.errors import GuestTrapped, LinkError, Trap, WitError
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.exchange.handler_type import HandlerType
from edgezero_spin.host.factors.command import Command
from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.usage import note_ended, note_made
from edgezero_spin.host.factors.wasi.cli import GuestExit, too_much_output
from edgezero_spin.host.runtime.component_loading import CompiledComponent, load_component
from edgezero_spin.host.runtime.engine import Engine, InstanceLimits
from edgezero_spin.host.runtime.prepared import PreparedComponent

__all__ = ["BODY_LIMIT_BYTES", "ENTRY_POINT", "CommandComponent", "WagiSettings", "load_command"]

logger = logging.getLogger("edgezero_spin.host")

RUN = "wasi:cli/run"
ENTRY_POINT = "_start"
"""The export at which a command that is a core module begins."""

BODY_LIMIT_BYTES = 16 * 1024 * 1024
"""Most of a request's body that is held for a command; 413 past it. Our own limit."""


@attrs.frozen(kw_only=True)
class WagiSettings:
    """The ``executor`` of a trigger (MAN-26).

    Attributes:
        argv: The command line; ``${SCRIPT_NAME}`` and ``${ARGS}`` are filled in.
    """

    argv: str = "${SCRIPT_NAME} ${ARGS}"


@attrs.frozen(eq=False)
class CommandComponent:
    """A command that is ready to be run.

    Attributes:
        program: The component with its imports defined; it may have been a core module.
        settings: Of its trigger.
    """

    program: PreparedComponent
    grants: Grants
    limits: InstanceLimits
    settings: WagiSettings

    @property
    def handler_type(self) -> HandlerType:
        """How it takes requests."""
        return HandlerType.WAGI

    def serve(self, state: InstanceState, exchange: Exchange) -> None:
        """Answer an exchange. Called on a guest's thread.

        Raises:
            HostError: There is no answer (WAGI-6).
        """
        body = read_request(state, exchange, BODY_LIMIT_BYTES, self.grants.component_id)
        if body is None:
            return
        variables = variables_for(exchange, len(body), dict(self.grants.environment))
        command = Command(
            arguments=arguments_for(self.settings.argv, exchange),
            environment=tuple(variables.items()),
            stdin=body,
        )
        state.command = command
        self._run(state, command)
        output = bytes(command.stdout)
        if not output:
            raise OutputError(
                f"the {self.grants.component_id!r} component is configured for WAGI but did not "
                "write to stdout; check the `executor` of its trigger"
            )
        response = read_output(output)
        respond(exchange, response.status, list(response.headers), response.body)

    def _run(self, state: InstanceState, command: Command) -> None:
        try:
            with self.program.instantiate(state, self.limits) as instance:
                note_made(instance, state)
                try:
                    instance.call(RUN, "run")
                finally:
                    note_ended(instance, state)
        except WitError:
            logger.error(
                "%s: the program ended with an error; its output is used", self.grants.component_id
            )
        except GuestTrapped as error:
            # A core module is told that there is no space left, and may end for that.
            if command.overflowed:
                raise Trap(too_much_output(command)) from error
            if not isinstance(error, GuestExit) or error.code != 0:
                raise
        if command.overflowed:
            raise Trap(too_much_output(command))


def load_command(
    engine: Engine,
    path: Path,
    cache_dir: Path | None,
    link_component: Callable[[CompiledComponent], PreparedComponent],
) -> PreparedComponent:
    """Load and link a command: a component, or a core module of WASI 0.1 (WAGI-1).

    Args:
        cache_dir: Where compiled code is kept; ``None`` for nowhere.

    Raises:
        ComponentError: The file cannot be used.
        LinkError: It is not a command.
    """
    linked = link_component(load_component(engine, path, cache_dir))
    if linked.export_of(RUN) is None:
        raise LinkError(
            str(path),
            f"exports no {RUN}@0.2, so it is not a command (exported: "
            f"{', '.join(linked.exports) or 'nothing'})",
        )
    return linked
