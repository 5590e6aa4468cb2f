"""asyncio tasks of one native request, which end with its response as in a component.

A component answers inside one call: what ``create_task`` began and nobody awaited is cancelled
when the response has been sent. The loop of the kit lives longer, so the tasks of each request
are collected by a variable of its context.

Source: contract wasi03.md, PY-31; ``edgezero_spin/guest``.
"""

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["RequestTasks", "task_factory"]

_collecting: "ContextVar[RequestTasks | None]" = ContextVar("request_tasks", default=None)


class RequestTasks:
    """The tasks that one request began and that are not done."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Count tasks that are begun inside to this request."""
        token = _collecting.set(self)
        try:
            yield
        finally:
            _collecting.reset(token)

    def add(self, task: "asyncio.Task[Any]") -> None:
        """Count a task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self) -> None:
        """Cancel what is left and wait for it to end."""
        left = tuple(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def task_factory(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,
) -> "asyncio.Task[Any]":
    """Make a task of a loop; it belongs to the request that begins it, if one does."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    tasks = _collecting.get()
    if tasks is not None:
        tasks.add(task)
    return task
