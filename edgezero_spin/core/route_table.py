"""Route table: which route takes a request.

In: routes at build time; a method and a raw path per request. Out: the route and the raw
bytes of its parameters, or ``None``. Nothing is decoded here and nothing is called.

One matcher per method: routes without parameters are one dictionary look-up, however
many there are; the others are a tree with one level per segment. In a segment static text
beats a parameter with static text around it (longer prefix, then longer suffix first),
which beats a plain parameter or the remainder; a branch that ends nowhere is left for the
next best one. A node of the tree is visited at most once per look-up.

Source: contract edgezero.md, RTE-1 to RTE-8; ``HEAD`` falls back to ``GET`` (RFC 9110).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from edgezero_spin.core.errors import MethodNotAllowed, RouteNotFound
from edgezero_spin.core.patterns import Pattern

if TYPE_CHECKING:
    from edgezero_spin.core.annotations import Depends
    from edgezero_spin.core.request import Request
    from edgezero_spin.core.response import Response

__all__ = ["Match", "Route", "RouteTable"]


class Route:
    """One method and pattern with its handler.

    Attributes:
        method: Upper case.
        path: The pattern as written.
        names: Its parameters in order.
        handler: What the application registered.
        call: The handler with its parameters bound: request in, response out.
        name: What ``url_for`` knows it by.
        tags: The groups that it belongs to in a description of the API.
        dependencies: What is called before the handler.
        refuse: What answers a request for its path by a method that no route has, ``None`` where
            no middleware of a group stands around that answer.
    """

    __slots__ = (
        "call",
        "dependencies",
        "handler",
        "method",
        "name",
        "names",
        "path",
        "pattern",
        "refuse",
        "tags",
    )

    def __init__(
        self,
        method: str,
        pattern: Pattern,
        handler: Callable[..., object],
        call: "Callable[[Request], Awaitable[Response]]",
        name: str = "",
        tags: tuple[str, ...] = (),
        dependencies: "tuple[Depends, ...]" = (),
        refuse: "Callable[[Request], Awaitable[Response]] | None" = None,
    ) -> None:
        self.refuse = refuse
        self.method = method
        self.pattern = pattern
        self.path = pattern.text
        self.names = pattern.names
        self.handler = handler
        self.call = call
        self.name = name
        self.tags = tags
        self.dependencies = dependencies

    def __repr__(self) -> str:
        return f"<Route {self.method} {self.path}>"


Match: TypeAlias = tuple[Route, tuple[bytes, ...]]
"""A route and the raw bytes of its parameters."""


class RouteTable:
    """The routes of an application, ready to be asked.

    Raises:
        ValueError: Two routes of one method take the same paths.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._static: dict[str, dict[bytes, Match]] = {}
        self._trees: dict[str, _Node] = {}
        self.routes = tuple(routes)
        for route in self.routes:
            self._add(route)

    def find(self, method: str, path: bytes) -> Match | None:
        """Return the route of this method that takes the path.

        Args:
            method: Upper case. ``HEAD`` is answered by the route of ``GET`` unless it
                has one of its own.
            path: As sent, percent-encoded, without the query.
        """
        static = self._static.get(method)
        if static is not None:
            match = static.get(path)
            if match is not None:
                return match
        match = self._find_by_tree(method, path)
        if match is None and method == "HEAD":
            return self.find("GET", path)
        return match

    def miss(
        self, method: str, path: bytes, full_path: bytes | None = None
    ) -> RouteNotFound | MethodNotAllowed:
        """Return the error for a path that ``find`` gave nothing for.

        Args:
            method: As for ``find``.
            path: As for ``find``.
            full_path: What the message names instead, where the application is mounted.
        """
        others = list(self.takers(path))
        if others:
            return MethodNotAllowed(method, others)
        return RouteNotFound((full_path or path).decode("utf-8", "replace"))

    def takers(self, path: bytes) -> dict[str, Route]:
        """Return the routes that take a path, by their methods."""
        found = {}
        for method in sorted(self._static.keys() | self._trees.keys()):
            match = self._static.get(method, {}).get(path) or self._find_by_tree(method, path)
            if match is not None:
                found[method] = match[0]
        return found

    def path_of(self, name: str, values: Mapping[str, object]) -> str | None:
        """Return the path of the route with a name and these parameters.

        Args:
            name: The name of the route.
            values: Its parameters, all of them and no others.

        Returns:
            The path, percent-encoded; ``None`` when there is no such route.

        Raises:
            ValueError: A value cannot stand where it belongs.
        """
        for route in self.routes:
            if route.name == name and values.keys() == set(route.names):
                return route.pattern.path_with(values)
        return None

    def _find_by_tree(self, method: str, path: bytes) -> Match | None:
        tree = self._trees.get(method)
        if tree is None or path[:1] != b"/":
            return None
        captured: list[bytes] = []
        route = tree.find(path.split(b"/"), 1, captured)
        return None if route is None else (route, tuple(captured))

    def _add(self, route: Route) -> None:
        path = route.pattern.static_path
        if path is not None:
            table = self._static.setdefault(route.method, {})
            taken = table.get(path)
            if taken is not None:
                raise _duplicate(route, taken[0])
            table[path] = (route, ())
        else:
            self._trees.setdefault(route.method, _Node()).add(route)


class _Node:
    """What may follow one prefix of segments."""

    __slots__ = ("affixed", "forks", "literal", "parameter", "rest", "route")

    def __init__(self) -> None:
        self.literal: dict[bytes, _Node] = {}
        self.affixed: list[tuple[bytes, bytes, _Node]] = []
        self.parameter: _Node | None = None
        self.rest: Route | None = None
        self.route: Route | None = None
        # Whether there is more than a table of static segments, or a lone parameter.
        self.forks = False

    def add(self, route: Route) -> None:
        """Hang a route under this root."""
        node = self
        for segment in route.pattern.segments:
            if segment.rest:
                if node.parameter is not None:
                    raise _duplicate(route, node.parameter.any_route())
                if node.rest is not None:
                    raise _duplicate(route, node.rest)
                node.rest = route
                node.forks = True
                return
            parent = node
            if segment.name is None:
                node = parent.literal.setdefault(segment.prefix, _Node())
            elif segment.prefix or segment.suffix:
                node = parent.affixed_child(segment.prefix, segment.suffix)
            else:
                if parent.rest is not None:
                    raise _duplicate(route, parent.rest)
                node = parent.parameter = parent.parameter or _Node()
            parent.forks = bool(
                parent.affixed or parent.rest or (parent.literal and parent.parameter)
            )
        if node.route is not None:
            raise _duplicate(route, node.route)
        node.route = route

    def affixed_child(self, prefix: bytes, suffix: bytes) -> "_Node":
        """The node behind a parameter between these texts."""
        for known_prefix, known_suffix, child in self.affixed:
            if (known_prefix, known_suffix) == (prefix, suffix):
                return child
        child = _Node()
        self.affixed.append((prefix, suffix, child))
        self.affixed.sort(key=lambda entry: (-len(entry[0]), -len(entry[1])))
        return child

    def any_route(self) -> Route:
        """Some route at or below this node, to name in a message."""
        node = self
        while True:
            own = node.route or node.rest
            if own is not None:
                return own
            below = [*node.literal.values(), *(child for _, _, child in node.affixed)]
            if node.parameter is not None:
                below.append(node.parameter)
            node = below[0]

    def find(self, segments: list[bytes], at: int, captured: list[bytes]) -> Route | None:
        """Return the best route for the segments from ``at`` on; its values in ``captured``."""
        node = self
        end = len(segments)
        # Most nodes offer one way on, and then there is nothing to come back to.
        while at < end:
            if node.forks:
                return node._find_best(segments, at, captured)
            segment = segments[at]
            at += 1
            if node.parameter is None:
                child = node.literal.get(segment)
                if child is None:
                    return None
                node = child
            elif segment:
                captured.append(segment)
                node = node.parameter
            else:
                return None
        return node.route

    def _find_best(self, segments: list[bytes], at: int, captured: list[bytes]) -> Route | None:
        """Try every way on, the most specific first."""
        segment = segments[at]
        mark = len(captured)
        child = self.literal.get(segment)
        if child is not None:
            route = child.find(segments, at + 1, captured)
            if route is not None:
                return route
            del captured[mark:]
        if segment:
            for prefix, suffix, child in self.affixed:
                end = len(segment) - len(suffix)
                if end > len(prefix) and segment.startswith(prefix) and segment.endswith(suffix):
                    captured.append(segment[len(prefix) : end])
                    route = child.find(segments, at + 1, captured)
                    if route is not None:
                        return route
                    del captured[mark:]
            if self.parameter is not None:
                captured.append(segment)
                route = self.parameter.find(segments, at + 1, captured)
                if route is not None:
                    return route
                del captured[mark:]
        if self.rest is not None:
            remainder = b"/".join(segments[at:])
            if remainder:
                captured.append(remainder)
                return self.rest
        return None


def _duplicate(route: Route, other: Route) -> ValueError:
    return ValueError(
        f"duplicate route definition for {route.path}: "
        f"{route.method} {other.path} takes the same paths"
    )
