"""Routes: matching of request paths to the triggers of one application.

``[[trigger.http]]`` gives each component a route: exact (``/cart``), with parameters
(``/users/:id``), or with a trailing wildcard (``/static/...``). This module turns the
public routes into a ``TriggerRouteTable`` at start-up and answers one look-up per request.

In: route texts with the id of what answers them. Out: a ``RouteMatch``, or ``None``.
No sockets, no wasm: the trigger decides what a miss means. Private routes are never
given to it.

Order, decided once: routes are compared section by section, literal text before a
parameter before a wildcard; where one is the beginning of the other, more dots after
parameters first, then the shorter; then the one declared first. So ``/hello`` beats
``/:name`` beats ``/...`` wherever they stand.

Source: contract spin-host.md, ROUTE-1 to ROUTE-18. The cases are in
``tests/host/execution/routes.toml``. Two differences on purpose: a parameter is never empty,
not even between two slashes, and a section that starts with a dot (``/.well-known/x``)
is ordinary literal text, so it is not lost to ``/...``.
"""

import functools
import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import attrs

from edgezero_spin.host.errors import SetupError

__all__ = [
    "WELL_KNOWN_PREFIX",
    "DuplicateRoute",
    "InvalidRoutesError",
    "RouteDeclaration",
    "RouteMatch",
    "TriggerRoute",
    "TriggerRouteTable",
    "based_route",
    "whole_application",
]

WELL_KNOWN_PREFIX = "/.well-known/spin/"
"""Paths below it are answered by the host and never reach a component."""

MOST_KEPT = 256
"""Characters of a path that is kept with the route that it found."""

_LITERAL, _PARAMETER, _WILDCARD, _SLASH, _DOT = range(5)
# Where two routes differ first, the section with the lower rank wins.
_RANKS = {_LITERAL: 0, _PARAMETER: 1, _WILDCARD: 2, _SLASH: 3, _DOT: 3}


@attrs.frozen
class RouteDeclaration:
    """One public route as the manifest has it.

    Attributes:
        route: The text of the route.
        id: The component that answers, or the trigger where the answer is static.
        static: Whether the answer is static.
    """

    route: str
    id: str
    static: bool = False


@attrs.frozen
class TriggerRoute:
    """One route of a table.

    Attributes:
        based: The route below the base, a slash in front and none at the end; empty for
            the root.
        path: ``based`` without its wildcard; ``/`` when nothing is left.
        wildcard: Whether it ends in a wildcard.
        parameters: Names of the parameters, in order, repeats kept.
    """

    declaration: RouteDeclaration
    based: str
    path: str
    wildcard: bool
    parameters: tuple[str, ...]

    @property
    def component_route(self) -> str:
        """The route as declared, without a final ``/...``."""
        return self.declaration.route.removesuffix("/...")

    @functools.cached_property
    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """What its component is told of it with each request (HDR-1 to HDR-6)."""
        return (
            ("spin-matched-route", self.based.encode("utf-8", "surrogateescape")),
            ("spin-base-path", b"/"),
            ("spin-raw-component-route", self.declaration.route.encode("utf-8", "surrogateescape")),
            ("spin-component-route", self.component_route.encode("utf-8", "surrogateescape")),
        )


@attrs.frozen
class RouteMatch:
    """A request path and the route that it found.

    Attributes:
        parameters: Name and text of each parameter in order, nothing decoded.
        path_info: What the wildcard took, with a slash in front; empty when it took
            nothing or there is none. A slash at the end of the path is kept as one.
    """

    route: TriggerRoute
    parameters: tuple[tuple[str, str], ...]
    path_info: str


@attrs.frozen
class DuplicateRoute:
    """A route that another one with the same text replaced.

    Attributes:
        route: The text below the base, ``/`` for the root.
        replaced: Id of the one that will never be used.
        effective: Id of the one that is.
    """

    route: str
    replaced: str
    effective: str

    def __str__(self) -> str:
        return f"{self.replaced}: {self.route} (duplicate of {self.effective})"


class InvalidRoutesError(SetupError):
    """Routes cannot be matched against anything; each fault names the route and its component."""


class TriggerRouteTable:
    """All public routes of an application, ready for look-ups from any thread.

    Attributes:
        routes: The routes in the order in which they are tried.
        duplicates: Routes that a later declaration with the same text replaced.
    """

    def __init__(self, declared: Iterable[RouteDeclaration], *, base: str = "/") -> None:
        """Order and compile routes.

        Args:
            declared: The routes in the order of the manifest. Of two with the same text
                the later wins, in the place of the earlier.
            base: What every route starts with.

        Raises:
            InvalidRoutesError: A route cannot be read; all of them are named.
        """
        effective: dict[str, RouteDeclaration] = {}
        replaced: list[RouteDeclaration] = []
        for declaration in declared:
            if declaration.route in effective:
                replaced.append(effective[declaration.route])
            effective[declaration.route] = declaration
        self.duplicates = tuple(
            DuplicateRoute(
                based_route(old.route, base) or "/",
                old.id,
                effective[old.route].id,
            )
            for old in replaced
        )
        patterns = _ordered(_parse_all(effective.values(), base))
        self.routes = tuple(pattern.route for pattern in patterns)
        # A route without parameters and wildcards is before all others that match the
        # same path, so one look-up by text decides it.
        self._literals: dict[str, TriggerRoute] = {}
        # All others, with their place in the order: by the text of the first section where
        # that is all of it, and those that may match any.
        self._by_first: dict[str, list[tuple[int, _Pattern]]] = defaultdict(list)
        self._any_first: list[tuple[int, _Pattern]] = []
        self._kept = functools.lru_cache(maxsize=256)(self._find)
        for place, pattern in enumerate(patterns):
            if pattern.literal is not None:
                self._literals.setdefault(pattern.literal, pattern.route)
            elif pattern.first is not None:
                self._by_first[pattern.first].append((place, pattern))
            else:
                self._any_first.append((place, pattern))

    def match(self, path: str) -> RouteMatch | None:
        """Return the first route that a path matches.

        Args:
            path: The path as the client sent it, without the query, not decoded. Slashes
                at both ends are ignored.
        """
        return self._kept(path) if len(path) <= MOST_KEPT else self._find(path)

    def _find(self, path: str) -> RouteMatch | None:
        trimmed = path.strip("/")
        literal = self._literals.get(trimmed)
        if literal is not None:
            return RouteMatch(literal, (), "")
        for _, pattern in self._candidates(trimmed):
            found = pattern.regex.fullmatch(trimmed)
            if found is not None:
                return _match_of(pattern.route, found.groups(), path)
        return None

    def _candidates(self, trimmed: str) -> Iterable[tuple[int, "_Pattern"]]:
        """Patterns that may match a path, in order, each with its place."""
        own = self._by_first.get(trimmed.partition("/")[0])
        return heapq.merge(own, self._any_first, key=_place_of) if own else self._any_first

    def reserved(self) -> tuple[TriggerRoute, ...]:
        """Return routes below ``/.well-known/spin/``, which the host answers itself."""
        return tuple(route for route in self.routes if route.based.startswith(WELL_KNOWN_PREFIX))


def based_route(route: str, base: str) -> str:
    """Join a route to the base: a slash in front, one at the end of each taken away."""
    absolute = route if route.startswith("/") else f"/{route}"
    return base.removesuffix("/") + absolute.removesuffix("/")


def whole_application(component_id: str, path: str) -> RouteMatch:
    """Return the match of a component that is called from within, whatever its routes are.

    Source: contract spin-host.md, CHAIN-9.
    """
    route = TriggerRoute(RouteDeclaration("/...", component_id), "/...", "/", True, ())
    return RouteMatch(route, (), path)


@attrs.frozen
class _Section:
    kind: int
    text: str


@attrs.frozen(eq=False, slots=False)
class _Pattern:
    route: TriggerRoute
    ranks: tuple[int, ...]
    dots: int
    sections: tuple[_Section, ...]
    literal: str | None
    first: str | None

    @functools.cached_property
    def regex(self) -> re.Pattern[str]:
        """Compiled when a path comes that may match: it is the most expensive part."""
        return re.compile(_regex_of(self.sections), re.DOTALL)

    @property
    def shape(self) -> tuple[tuple[int, ...], int]:
        """What decides about its place."""
        return self.ranks, self.dots


def _before(one: tuple[tuple[int, ...], int], other: tuple[tuple[int, ...], int]) -> bool:
    """Whether routes of one shape are tried before those of another."""
    (ranks, dots), (other_ranks, other_dots) = one, other
    for mine, theirs in zip(ranks, other_ranks, strict=False):
        if mine != theirs:
            return mine < theirs
    return dots > other_dots if dots != other_dots else len(ranks) < len(other_ranks)


def _place_of(entry: tuple[int, _Pattern]) -> int:
    return entry[0]


def _parse_all(declared: Iterable[RouteDeclaration], base: str) -> list[_Pattern]:
    patterns, problems = [], []
    for declaration in declared:
        based = based_route(declaration.route, base)
        try:
            patterns.append(_parse(declaration, based))
        except ValueError as err:
            problems.append(
                f"Error parsing route {based} associated with component {declaration.id}: {err}"
            )
    if problems:
        raise InvalidRoutesError(*problems)
    return patterns


def _ordered(patterns: Iterable[_Pattern]) -> list[_Pattern]:
    """Order patterns; those of one shape stay as they were declared."""
    groups: dict[tuple[tuple[int, ...], int], list[_Pattern]] = {}
    for pattern in patterns:
        groups.setdefault(pattern.shape, []).append(pattern)
    if not any(dots for _, dots in groups):
        # Without dots the order is that of the ranks.
        return [pattern for shape in sorted(groups) for pattern in groups[shape]]
    # With them it need not be transitive, so that places are found one by one; but shapes are
    # few, however many the routes.
    shapes: list[tuple[tuple[int, ...], int]] = []
    for shape in groups:
        place = next((i for i, other in enumerate(shapes) if _before(shape, other)), len(shapes))
        shapes.insert(place, shape)
    return [pattern for shape in shapes for pattern in groups[shape]]


def _parse(declaration: RouteDeclaration, based: str) -> _Pattern:
    prefix, wildcard = based, False
    for suffix in ("/...", "/*"):
        if based.endswith(suffix):
            prefix, wildcard = based.removesuffix(suffix), True
            break
    segments = [_sections_of(segment) for segment in prefix.split("/") if segment]
    if wildcard:
        segments.append([_Section(_WILDCARD, "*")])
    sections: list[_Section] = []
    for segment in segments:
        if sections:
            sections.append(_Section(_SLASH, "/"))
        sections.extend(segment)
    if any(section.kind == _WILDCARD for section in sections[:-1]):
        raise ValueError("a wildcard can only stand at the end")
    ranks = tuple(_RANKS[section.kind] for section in sections)
    names = tuple(section.text for section in sections if section.kind == _PARAMETER)
    return _Pattern(
        route=TriggerRoute(declaration, based, prefix or "/", wildcard, names),
        ranks=ranks,
        dots=sum(section.kind == _DOT for section in sections),
        sections=tuple(sections),
        literal=(
            "".join(section.text for section in sections)
            if all(section.kind in (_LITERAL, _SLASH) for section in sections)
            else None
        ),
        first=_first_text(sections),
    )


def _first_text(sections: list[_Section]) -> str | None:
    """Text that the first section of a path has to have; ``None`` where it may be any."""
    if not sections or sections[0].kind != _LITERAL:
        return None
    if len(sections) > 1 and sections[1].kind != _SLASH:
        return None
    return sections[0].text


def _sections_of(segment: str) -> list[_Section]:
    """Read the text between two slashes: literals, parameters, dots after parameters."""
    sections: list[_Section] = []
    for index, piece in enumerate(segment.split(".")):
        if index:
            _append_dot(sections)
        if piece.startswith("*") and piece != "*":
            raise ValueError(
                "since there can only be one wildcard, it doesn't need a name. "
                f"replace `{piece}` with `*`"
            )
        if piece == ":":
            raise ValueError("params must be named")
        if piece == "*":
            sections.append(_Section(_WILDCARD, piece))
        elif piece.startswith(":"):
            sections.append(_Section(_PARAMETER, piece[1:]))
        elif piece:
            sections.append(_Section(_LITERAL, piece))
    return sections


def _append_dot(sections: list[_Section]) -> None:
    last = sections[-1] if sections else _Section(_LITERAL, "")
    if last.kind != _LITERAL:
        sections.append(_Section(_DOT, "."))
        return
    del sections[-1:]
    sections.append(_Section(_LITERAL, last.text + "."))


def _regex_of(sections: Sequence[_Section]) -> str:
    regex = ""
    for index, section in enumerate(sections):
        following = sections[index + 1].kind if index + 1 < len(sections) else None
        if section.kind == _PARAMETER:
            regex += "([^./]+)" if following == _DOT else "([^/]+)"
        elif section.kind == _SLASH and following == _WILDCARD:
            return regex + "(?:/(.*))?"
        elif section.kind == _WILDCARD:
            regex += "(.*)"
        else:
            regex += re.escape(section.text)
    return regex


def _match_of(route: TriggerRoute, groups: tuple[str | None, ...], path: str) -> RouteMatch:
    names = route.parameters
    parameters: tuple[tuple[str, str], ...] = ()
    if names:
        parameters = tuple((name, text or "") for name, text in zip(names, groups, strict=False))
    if len(groups) == len(names):
        return RouteMatch(route, parameters, "")
    taken = groups[-1]
    info = f"/{taken}" if taken else ""
    if path.endswith("/"):
        info += "/"
    return RouteMatch(route, parameters, info)
