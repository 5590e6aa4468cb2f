"""The flags of the explorer, for every command that can show one."""

from typing import Any

import click

__all__ = ["EXPLORER_OPTIONS", "take_explorer_port"]

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
