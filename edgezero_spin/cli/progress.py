"""A sign of life for what takes longer than a second."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["busy"]


@contextmanager
def busy(context: click.Context, what: str) -> Iterator[None]:
    """Turn a spinner beside ``what`` on standard error; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True, no_color=context.color is False).status(what):
        yield
