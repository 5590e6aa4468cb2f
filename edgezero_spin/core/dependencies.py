"""Dependencies: functions whose result a handler is given, with parameters of their own.

In: a function and its ``Parameters``. Out: its value for a request, made once per request however
often it is asked for. A generator gives its value at its only ``yield``; what follows runs when
the handler has returned or raised, in reverse order, with the error raised at the ``yield``.
"""

import inspect
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from edgezero_spin.core.extractors import Argument
from edgezero_spin.core.models import ArgumentsReader
from edgezero_spin.core.request import Request

__all__ = ["Dependency", "Parameters"]


class Parameters:
    """What fills one call.

    Attributes:
        arguments: What fills each parameter, in order.
        has_dependencies: Whether one of them is a dependency.
        cleans_up: Whether one of those, or of theirs, has something to do behind the call.
        waits: Whether one of them has to be awaited.
        simple: Whether all are given by position, and none has to be awaited.
    """

    __slots__ = ("_readers", "arguments", "cleans_up", "has_dependencies", "simple", "waits")

    def __init__(
        self,
        arguments: list[Argument],
        readers: list[tuple[Callable[[Request], Any], ArgumentsReader, bool]],
    ) -> None:
        """Keep what was found.

        Args:
            arguments: What fills each parameter, in order.
            readers: For the fields of each source, what gives their pairs, what makes arguments by
                name of them, and whether the pairs have to be awaited.
        """
        self.arguments = arguments
        self._readers = readers
        self.waits = any(a.waits for a in arguments) or any(waits for _, _, waits in readers)
        self.simple = not readers and not any(
            a.keyword or a.waits or not a.passed for a in arguments
        )
        owners = [getattr(argument.extract, "__self__", None) for argument in arguments]
        dependencies = [owner for owner in owners if isinstance(owner, Dependency)]
        self.has_dependencies = bool(dependencies)
        self.cleans_up = any(dependency.cleans_up for dependency in dependencies)

    def calling(
        self, call: Callable[..., Any], waits: bool, finish: Callable[[Any], Any] | None = None
    ) -> Callable[[Request], Any]:
        """Return the function that makes a call with what a request brings.

        It is written out and compiled once, because every step of a loop over the parameters would
        be paid at every request. It is a coroutine function where something has to be awaited.

        Args:
            call: What is called.
            waits: Whether its result has to be awaited.
            finish: What makes the function's result of that of the call.
        """
        given: dict[str, Any] = {"call": call}
        first = []
        lines = []
        for number, (pairs, read, pairs_wait) in enumerate(self._readers):
            given[f"pairs_{number}"], given[f"read_{number}"] = pairs, read
            found = f"{'await ' * pairs_wait}pairs_{number}(request)"
            lines.append(
                f"named.update(read_{number}({found}))" if number else f"named = read_0({found})"
            )
        passed = []
        for number, argument in enumerate(self.arguments):
            given[f"extract_{number}"] = argument.extract
            value = f"{'await ' * argument.waits}extract_{number}(request)"
            if not argument.passed:
                # Whoever may not come in is not told what is wrong with the query.
                first.append(value)
                continue
            lines.append(f"value_{number} = {value}")
            keyword = "" if argument.keyword is None else f"{argument.keyword}="
            passed.append(f"{keyword}value_{number}")
        # Those by position come first, whatever the order in which they are made.
        passed.sort(key=lambda argument: "=" in argument)
        result = f"{'await ' * waits}call({', '.join(passed + ['**named'] * bool(self._readers))})"
        if finish is not None:
            given["finish"] = finish
            result = f"finish({result})"
        head = "async def" if self.waits or waits else "def"
        # What is given is a default, because locals are read fastest.
        defaults = ", ".join(f"{name}={name}" for name in given)
        body = "\n    ".join([*first, *lines, f"return {result}"])
        exec(f"{head} called(request, {defaults}):\n    {body}\n", given)
        called: Callable[[Request], Any] = given["called"]
        return called


class Dependency:
    """One function that handlers depend on.

    Attributes:
        cleans_up: Whether it, or what it depends on, has something to do behind the call.
        waits: Whether its value has to be awaited.
    """

    __slots__ = ("_enter", "_key", "_value", "_value_waits", "cleans_up", "waits")
    cleans_up: bool
    waits: bool

    def __init__(self, call: Callable[..., Any], parameters: Parameters, waits: bool) -> None:
        """Prepare the call.

        Args:
            call: The function, generator function or class.
            parameters: What fills its call.
            waits: Whether its result has to be awaited.
        """
        self._key = call
        self._enter: str | None = None
        if inspect.isasyncgenfunction(call):
            self._enter, call = "async", asynccontextmanager(call)
        elif inspect.isgeneratorfunction(call):
            self._enter, call = "sync", contextmanager(call)
        self.cleans_up = self._enter is not None or parameters.cleans_up
        self.waits = waits or self._enter is not None or parameters.waits
        self._value = parameters.calling(call, self._enter is None and waits)
        self._value_waits = parameters.waits or (self._enter is None and waits)

    @property
    def argument(self) -> Argument:
        """What fills a parameter with its value."""
        return Argument(self.resolve if self.waits else self.resolve_now, waits=self.waits)

    async def resolve(self, request: Request) -> Any:
        """Return the value for this request."""
        resolved = request.resolved
        if self._key in resolved:
            return resolved[self._key]
        value = self._value(request)
        if self._value_waits:
            value = await value
        if self._enter == "async":
            value = await request.exits.enter_async_context(value)
        elif self._enter == "sync":
            value = request.exits.enter_context(value)
        resolved[self._key] = value
        return value

    def resolve_now(self, request: Request) -> Any:
        """Return the value where nothing has to be awaited for it."""
        resolved = request.resolved
        if self._key in resolved:
            return resolved[self._key]
        value = resolved[self._key] = self._value(request)
        return value
