"""Background tasks: work that is done after the response was sent.

In: functions and their arguments, from a handler. Out: one coroutine for the runner, which awaits
it when the body has left. What fails is logged, and the rest is done all the same.

A request that ended in an error has none: what its handler added is dropped.

Source: Starlette, ``BackgroundTasks``; the name is FastAPI's.
"""

from collections.abc import Callable
from typing import Any, ParamSpec

from edgezero_spin.core.answers import report

__all__ = ["BackgroundTasks"]

_P = ParamSpec("_P")


class BackgroundTasks:
    """What is done after the response was sent: ``tasks.add_task(send_mail, address)``.

    A handler with a parameter of this class is given that of its request. In a component the
    instance goes on until all is done, within the time that its host gives a request.
    """

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []

    def add_task(self, function: Callable[_P, Any], /, *args: _P.args, **named: _P.kwargs) -> None:
        """Have a function called, ``async`` or not, after those that were added before.

        Raises:
            TypeError: It is not a function, but what calling one gave.
        """
        if not callable(function):
            if hasattr(function, "close"):
                # It will not run, which is what the error says; no warning has to say it again.
                function.close()
            raise TypeError(
                f"add_task takes a function and its arguments, add_task(f, x), got {function!r}"
            )
        self._calls.append((function, args, named))

    def clear(self) -> None:
        """Drop everything that was added."""
        self._calls.clear()

    def __len__(self) -> int:
        return len(self._calls)

    async def run(self) -> None:
        """Do all of it, in order, what is added meanwhile too. Raises nothing."""
        while self._calls:
            function, args, named = self._calls.pop(0)
            try:
                result = function(*args, **named)
                if hasattr(result, "__await__"):
                    await result
            except Exception as error:
                name = getattr(function, "__qualname__", None) or repr(function)
                report(error, "background task", name)
