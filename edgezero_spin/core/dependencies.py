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

    __slots__ = (
        "_plan",
        "_readers",
        "arguments",
        "cleans_up",
        "has_dependencies",
        "simple",
        "waits",
    )

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
        self._plan = [(a.extract, a.waits, a.keyword) for a in arguments]
        self._readers = readers
        self.waits = any(a.waits for a in arguments) or any(waits for _, _, waits in readers)
        self.simple = not readers and not any(a.keyword or a.waits for a in arguments)
        owners = [getattr(argument.extract, "__self__", None) for argument in arguments]
        dependencies = [owner for owner in owners if isinstance(owner, Dependency)]
        self.has_dependencies = bool(dependencies)
        self.cleans_up = any(dependency.cleans_up for dependency in dependencies)

    async def fill(self, request: Request) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of a call, by position and by name."""
        values = []
        named: dict[str, Any] = {}
        for pairs, read, waits in self._readers:
            found = pairs(request)
            named.update(read(await found if waits else found))
        for extract, waits, keyword in self._plan:
            value = extract(request)
            if waits:
                value = await value
            if keyword is None:
                values.append(value)
            else:
                named[keyword] = value
        return values, named

    def fill_now(self, request: Request) -> tuple[list[Any], dict[str, Any]]:
        """Do the same where nothing has to be awaited: a coroutine less for every request."""
        values = []
        named: dict[str, Any] = {}
        for pairs, read, _ in self._readers:
            named.update(read(pairs(request)))
        for extract, _, keyword in self._plan:
            if keyword is None:
                values.append(extract(request))
            else:
                named[keyword] = extract(request)
        return values, named


class Dependency:
    """One function that handlers depend on.

    Attributes:
        cleans_up: Whether it, or what it depends on, has something to do behind the call.
        waits: Whether its value has to be awaited.
    """

    __slots__ = ("_call", "_enter", "_key", "_parameters", "_result_waits", "cleans_up", "waits")
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
        self._parameters = parameters
        self._result_waits = waits
        self._enter: str | None = None
        self._call: Callable[..., Any] = call
        if inspect.isasyncgenfunction(call):
            self._enter, self._call = "async", asynccontextmanager(call)
        elif inspect.isgeneratorfunction(call):
            self._enter, self._call = "sync", contextmanager(call)
        self.cleans_up = self._enter is not None or parameters.cleans_up
        self.waits = waits or self._enter is not None or parameters.waits

    @property
    def argument(self) -> Argument:
        """What fills a parameter with its value."""
        return Argument(self.resolve if self.waits else self.resolve_now, waits=self.waits)

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
        elif self._result_waits:
            value = await value
        resolved[self._key] = value
        return value

    def resolve_now(self, request: Request) -> Any:
        """Return the value where nothing has to be awaited for it."""
        resolved = request.resolved
        if self._key in resolved:
            return resolved[self._key]
        values, named = self._parameters.fill_now(request)
        value = resolved[self._key] = self._call(*values, **named)
        return value
