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
        simple: Whether all are given by position, and none has to be awaited.
    """

    __slots__ = ("_readers", "arguments", "has_dependencies", "simple")

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
        self.simple = not readers and not any(a.keyword or a.waits for a in arguments)
        self.has_dependencies = any(
            isinstance(getattr(argument.extract, "__self__", None), Dependency)
            for argument in arguments
        )

    async def fill(self, request: Request) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of a call, by position and by name."""
        values = []
        named: dict[str, Any] = {}
        for pairs, read, waits in self._readers:
            found = pairs(request)
            named |= read(await found if waits else found)
        for argument in self.arguments:
            value = argument.extract(request)
            if argument.waits:
                value = await value
            if argument.keyword is None:
                values.append(value)
            else:
                named[argument.keyword] = value
        return values, named


class Dependency:
    """One function that handlers depend on."""

    __slots__ = ("_call", "_enter", "_key", "_parameters", "_waits")

    def __init__(self, call: Callable[..., Any], parameters: Parameters, waits: bool) -> None:
        """Prepare the call.

        Args:
            call: The function, generator function or class.
            parameters: What fills its call.
            waits: Whether its result has to be awaited.
        """
        self._key = call
        self._parameters = parameters
        self._waits = waits
        self._enter: str | None = None
        self._call: Callable[..., Any] = call
        if inspect.isasyncgenfunction(call):
            self._enter, self._call = "async", asynccontextmanager(call)
        elif inspect.isgeneratorfunction(call):
            self._enter, self._call = "sync", contextmanager(call)

    async def resolve(self, request: Request) -> Any:
        """Return the value for this request."""
        resolved = request.resolved
        if self._key in resolved:
            return resolved[self._key]
        values, named = await self._parameters.fill(request)
        value = self._call(*values, **named)
        if self._enter == "async":
            value = await request.exits.enter_async_context(value)
        elif self._enter == "sync":
            value = request.exits.enter_context(value)
        elif self._waits:
            value = await value
        resolved[self._key] = value
        return value
