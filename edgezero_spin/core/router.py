"""Routers: routes that are declared together, with a prefix and middleware of their own.

In: decorated functions. Out: ``Declaration``s for the app that includes the router, with the
prefixes, layers and tags of all routers around them put together. An app is a router itself.

What is declared on a router after it was included counts as well: nothing is read before the
app is compiled.

Source: contract edgezero.md, RTE-11 and APP-3; the names are those of FastAPI and Starlette.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

import attrs

from edgezero_spin.core.annotations import Depends
from edgezero_spin.core.middleware import Middleware
from edgezero_spin.core.patterns import Pattern, parse_pattern
from edgezero_spin.core.references import Reference

__all__ = ["Declaration", "Layer", "Router", "checked_prefix", "sequence_of_texts"]

_NOTHING = Pattern("", (), ())
_Handler = TypeVar("_Handler", bound=Callable[..., object])
_Middleware = TypeVar("_Middleware", bound=Middleware)

Layer: TypeAlias = Middleware | Reference
"""A middleware, or the name of one in a manifest."""


@attrs.frozen
class Declaration:
    """One method and path of a handler.

    Attributes:
        method: Upper case.
        pattern: The path, prefixes included.
        handler: The function, or its name in a manifest.
        name: What ``url_for`` knows it by, unless that is the name of the function.
        tags: The groups that it belongs to in a description of the API.
        layers: The middleware of its routers, the outermost first.
        dependencies: What is called before the handler, those of its routers first.
    """

    method: str
    pattern: Pattern
    handler: Callable[..., object] | Reference
    name: str | None = None
    tags: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    dependencies: tuple[Depends, ...] = ()


@attrs.frozen
class _Inclusion:
    router: "Router"
    prefix: str
    tags: tuple[str, ...]
    dependencies: tuple[Depends, ...]


class Router:
    """Routes that an app includes: ``app.include(Router(prefix="/notes"))``.

    Its middleware stands around its handlers, inside that of the app, and sees what they raise as
    responses. A path that no route takes is none of a router's: the app answers it.

    Args:
        prefix: What every path begins with, ``/notes`` or ``/users/{user}``.
        middleware: Layers around its handlers, the outermost first.
        tags: The groups that its routes belong to in a description of the API.
        dependencies: Are called before each of its handlers, ``Depends(require_key)``, whose
            results nobody takes.

    Raises:
        TypeError: A dependency is not a ``Depends``.
        ValueError: The prefix is not a pattern, or ends with a slash.
    """

    _is_root = False

    def __init__(
        self,
        prefix: str = "",
        *,
        middleware: Iterable[Middleware] = (),
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> None:
        self.prefix = checked_prefix(prefix)
        self.tags = sequence_of_texts("tags", tags)
        self.dependencies = _checked_dependencies(dependencies)
        self._entries: list[Declaration | _Inclusion] = []
        self._layers: list[Layer] = []
        self._owners: list[Router] = []
        for layer in middleware:
            self.middleware(layer)

    def route(
        self,
        path: str,
        methods: Iterable[str] = ("GET",),
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> Callable[[_Handler], _Handler]:
        """Declare a handler for a path: ``@app.route("/notes/{id}", methods=["GET", "PUT"])``.

        Args:
            path: ``{name}`` is one segment, or part of one; ``{*rest}`` the remainder. Behind a
                prefix it may be empty.
            methods: HTTP methods in any case.
            name: What ``url_for`` knows it by; the name of the function when not given.
            tags: The groups that it belongs to in a description of the API.
            dependencies: Are called before the handler, those of its routers first.

        Raises:
            TypeError: The path is not text, as where ``@app.get`` has no parentheses, or a
                dependency is not a ``Depends``.
            ValueError: The path is not a pattern, or there is no method.
        """
        if not isinstance(path, str):
            raise TypeError(f'a route takes a path, as in @app.get("/notes"), got {path!r}')
        text = self.prefix + path
        # Another prefix may still come before it.
        pattern = parse_pattern(text) if text or self._is_root else _NOTHING
        named = [method.strip().upper() for method in sequence_of_texts("methods", methods)]
        if not named or not all(named):
            raise ValueError(f"route {path!r} needs at least one method")
        own_tags = sequence_of_texts("tags", tags)
        needed = _checked_dependencies(dependencies)

        def declare(handler: _Handler) -> _Handler:
            if not callable(handler):
                raise TypeError(f"route {path!r}: {handler!r} is not a function")
            self._entries += [
                Declaration(method, pattern, handler, name, own_tags, (), needed)
                for method in named
            ]
            self._changed()
            return handler

        return declare

    def get(
        self,
        path: str,
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> Callable[[_Handler], _Handler]:
        """Declare a handler for ``GET``, and for ``HEAD`` without its body."""
        return self.route(path, ("GET",), name=name, tags=tags, dependencies=dependencies)

    def head(
        self,
        path: str,
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> Callable[[_Handler], _Handler]:
        """Declare a handler for ``HEAD`` where the one of ``GET`` would do too much."""
        return self.route(path, ("HEAD",), name=name, tags=tags, dependencies=dependencies)

    def post(
        self,
        path: str,
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> Callable[[_Handler], _Handler]:
        """Declare a handler for ``POST``."""
        return self.route(path, ("POST",), name=name, tags=tags, dependencies=dependencies)

    def put(
        self,
        path: str,
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> Callable[[_Handler], _Handler]:
        """Declare a handler for ``PUT``."""
        return self.route(path, ("PUT",), name=name, tags=tags, dependencies=dependencies)

    def patch(
        self,
        path: str,
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> Callable[[_Handler], _Handler]:
        """Declare a handler for ``PATCH``."""
        return self.route(path, ("PATCH",), name=name, tags=tags, dependencies=dependencies)

    def delete(
        self,
        path: str,
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> Callable[[_Handler], _Handler]:
        """Declare a handler for ``DELETE``."""
        return self.route(path, ("DELETE",), name=name, tags=tags, dependencies=dependencies)

    def options(
        self,
        path: str,
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> Callable[[_Handler], _Handler]:
        """Declare a handler for ``OPTIONS``; none is answered unasked."""
        return self.route(path, ("OPTIONS",), name=name, tags=tags, dependencies=dependencies)

    def middleware(self, layer: _Middleware) -> _Middleware:
        """Put a layer around every handler; the first declared is the outermost.

        That of an app sees every answer, those of errors and of paths without route too; that of
        a router those of its own handlers.
        """
        if not callable(layer):
            hint = "; write `@app.middleware` alone" if isinstance(layer, str) else ""
            raise TypeError(f"middleware {layer!r} is not a function{hint}")
        self._layers.append(layer)
        self._changed()
        return layer

    def include(
        self,
        router: "Router",
        prefix: str = "",
        *,
        tags: Iterable[str] = (),
        dependencies: Iterable[Depends] = (),
    ) -> None:
        """Take over the routes of a router, those that it gets later too.

        Args:
            router: The router. It may be included several times, under several prefixes.
            prefix: Stands before the prefix of the router.
            tags: Are added to those of the router.
            dependencies: Are called before those of the router.

        Raises:
            TypeError: It is not a router, or a dependency is not a ``Depends``.
            ValueError: The prefix is not a pattern, or the router includes this one.
        """
        if not isinstance(router, Router) or router._is_root:
            raise TypeError(f"include takes a Router, got {router!r}; an App is mounted")
        if router is self or router._contains(self):
            raise ValueError("a router cannot include itself")
        self._entries.append(
            _Inclusion(
                router,
                checked_prefix(prefix),
                sequence_of_texts("tags", tags),
                _checked_dependencies(dependencies),
            )
        )
        router._owners.append(self)
        self._changed()

    def declarations(self) -> Iterator[Declaration]:
        """Yield every route in order, those of included routers where they were included."""
        for entry in self._entries:
            if isinstance(entry, Declaration):
                yield attrs.evolve(
                    entry,
                    tags=(*self.tags, *entry.tags),
                    dependencies=(*self.dependencies, *entry.dependencies),
                )
                continue
            inner = entry.router
            for found in inner.declarations():
                # Put together only now, where two prefixes may name one parameter.
                text = self.prefix + entry.prefix + found.pattern.text
                yield attrs.evolve(
                    found,
                    pattern=parse_pattern(text) if text or self._is_root else found.pattern,
                    tags=tuple(dict.fromkeys((*self.tags, *entry.tags, *found.tags))),
                    layers=(*inner._layers, *found.layers),
                    dependencies=(*self.dependencies, *entry.dependencies, *found.dependencies),
                )

    def _contains(self, router: "Router") -> bool:
        return any(
            entry.router is router or entry.router._contains(router)
            for entry in self._entries
            if isinstance(entry, _Inclusion)
        )

    def _changed(self) -> None:
        """Have the apps that include this router compile anew."""
        for owner in self._owners:
            owner._changed()


def checked_prefix(prefix: str) -> str:
    """Return a prefix, which is empty or a pattern without a slash at its end.

    Raises:
        ValueError: It is something else.
    """
    if prefix:
        parse_pattern(prefix)
        if prefix.endswith("/"):
            raise ValueError(f"the prefix {prefix!r} ends with '/'; write {prefix.rstrip('/')!r}")
        if "{*" in prefix.replace("{{", ""):
            raise ValueError(f"the prefix {prefix!r} takes the whole rest of the path")
    return prefix


def _checked_dependencies(dependencies: Iterable[Depends]) -> tuple[Depends, ...]:
    if isinstance(dependencies, Depends) or callable(dependencies):
        raise TypeError(f"dependencies is a sequence, as [Depends(..)], got {dependencies!r}")
    found = tuple(dependencies)
    for dependency in found:
        if not isinstance(dependency, Depends) or dependency.call is None:
            raise TypeError(f"dependencies are Depends(function), got {dependency!r}")
    return found


def sequence_of_texts(name: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts as a tuple; ``name`` is what the caller gave them for.

    Raises:
        TypeError: They are one text, which would be taken for its characters.
    """
    if isinstance(texts, str):
        raise TypeError(f"{name} is a sequence of texts, not the text {texts!r}")
    return tuple(texts)
