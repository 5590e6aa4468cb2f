"""Progress lines on standard error, for what takes longer than a second."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["busy", "show_compilations"]


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show ``what`` on standard error while it is done; nothing where that is not a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    click.echo(what, nl=False, err=True)
    try:
        yield
    finally:
        # Back to the beginning of the line, and nothing on it.
        click.echo("\r\x1b[K", nl=False, err=True, color=True)


def show_compilations() -> None:
    """Have the embedded host say on standard error which component it compiles."""
    # Slow to import, and of no use to most commands.
    import logging

    from edgezero_spin.cli.log_format import marked_formatter
    from edgezero_spin.host.runtime.compiling import LOGGER

    log = logging.getLogger(LOGGER)
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(marked_formatter())
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
