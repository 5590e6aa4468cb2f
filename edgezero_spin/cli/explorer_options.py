"""The flags of the explorer, for every command that can show one."""

from typing import TYPE_CHECKING, Any

import click

from edgezero_spin.cli.options import gathered

if TYPE_CHECKING:
    import socket

__all__ = ["EXPLORER_OPTIONS", "bind_explorer", "explorer_options", "take_explorer_port"]

EXPLORER_OPTIONS = (
    click.option(
        "--explorer",
        is_flag=True,
        help="Show requests, stores and variables on a page for a browser on this machine.",
    ),
    click.option(
        "--explorer-port",
        metavar="PORT",
        type=click.IntRange(0, 65535),
        help="The same, on this port. Default: a free one.",
    ),
)


def take_explorer_port(values: dict[str, Any]) -> int | None:
    """Remove both flags from a command's values; return the port, ``None`` for no explorer."""
    wanted, port = values.pop("explorer"), values.pop("explorer_port")
    if port is None:
        return 0 if wanted else None
    return int(port)


explorer_options = gathered("explorer_port", take_explorer_port, *EXPLORER_OPTIONS)
"""Adds the flags; the command gets them as ``explorer_port``."""


def bind_explorer(port: int) -> "socket.socket":
    """Return a socket on loopback that listens for the explorer.

    Raises:
        ListenError: The port is taken.
    """
    from edgezero_spin.host.http.listening import bind

    return bind(
        f"127.0.0.1:{port}", if_taken="Give --explorer-port another port; 0 is any free one."
    )
