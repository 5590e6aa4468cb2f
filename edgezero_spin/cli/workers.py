"""``--workers``: further processes that serve the same application.

In: what was typed. Out: what a worker process is told of it, and the processes themselves.
Nothing of this is imported without the flag.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.host_options import HostFlags
from edgezero_spin.cli.options import CommonSettings, notify
from edgezero_spin.cli.run_options import RunFlags

if TYPE_CHECKING:
    import socket

    from edgezero_spin.host import Host
    from edgezero_spin.host.settings import RunOptions
    from edgezero_spin.project.worker_processes import WorkerProcesses

__all__ = ["check_workers", "worker_options", "worker_processes", "workers_option"]

workers_option = click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    help="Processes that answer requests, each with instances of its own. Default: 1.",
)


def check_workers(count: int, flags: RunFlags, more: HostFlags, *, is_image: bool) -> None:
    """Refuse what several processes cannot have in common.

    Args:
        count: How many.
        flags: What was typed.
        more: Likewise.
        is_image: Whether the application is in a registry.

    Raises:
        click.UsageError: A flag asks for it.
    """
    if count == 1:
        return
    problems = {
        "--state-dir '' keeps data in the memory of each process": flags.state_dir == "",
        "without --state-dir, the data of an image is kept in the memory of each process": (
            is_image and flags.state_dir is None
        ),
        "--allow-transient-write changes the files of one process": more.allow_transient_write,
        "--operation-listen shows one process": more.operation_listen is not None,
        "--explorer shows one process": more.explorer_port is not None,
    }
    for problem, is_so in problems.items():
        if is_so:
            raise click.UsageError(f"{problem}, so that it does not go with --workers {count}")


def worker_options(options: "RunOptions") -> "RunOptions":
    """Return how a worker runs what the first process has prepared."""
    return {
        **options,
        "truncate_logs": False,
        "sqlite": (),
        "key_values": {},
        "work_dir": None,
    }


@contextmanager
def worker_processes(
    count: int, host: "Host", listener: "socket.socket"
) -> "Iterator[WorkerProcesses]":
    """Have processes beside this one that end with the block. None is started here.

    Args:
        count: How many, this one included.
        host: What they serve.
        listener: Where.

    Raises:
        click.UsageError: The application takes no requests.
        ProjectError: The system has no such processes.
    """
    from edgezero_spin.project.worker_processes import WorkerProcesses

    if not host.takes_requests:
        raise click.UsageError("--workers answers requests; the application has no HTTP triggers")
    context = click.get_current_context()
    settings = context.ensure_object(CommonSettings)

    def say(text: str) -> None:
        # On a thread, which has no context of its own.
        with context.scope(cleanup=False):
            notify(text)

    workers = WorkerProcesses(
        count - 1,
        settings.arguments,
        listener,
        folder=settings.started_in or Path.cwd(),
        digest=host.image_digest,
        say=say,
    )
    try:
        yield workers
    finally:
        workers.end()
