"""Declarations: what a description says beyond what routes and types say by themselves.

``@operation(...)`` notes it on a handler or a dependency, ``Description`` and ``Example`` stand in
``Annotated``, and ``ApiDescription`` is about the app as a whole.

Source: OpenAPI 3.1.0, the objects of the same names.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs

__all__ = [
    "Answer",
    "ApiDescription",
    "ApiKey",
    "Basic",
    "Bearer",
    "Description",
    "Example",
    "OperationNotes",
    "SecurityScheme",
    "notes_of",
    "operation",
]

_Function = TypeVar("_Function", bound=Callable[..., object])

_NOTES = "__edgezero_openapi__"
_PLACES = ("header", "query", "cookie")


@attrs.frozen
class Description:
    """A sentence about a parameter, a field or a type: ``Annotated[str, Description("...")]``.

    Attributes:
        text: Markdown.
    """

    text: str


@attrs.frozen(init=False)
class Example:
    """Values that a parameter, a field or a type may have: ``Annotated[str, Example("Bread")]``.

    Attributes:
        values: As a program has them.
    """

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        self.__attrs_init__(values)


@attrs.frozen
class Bearer:
    """A token in the field ``authorization``.

    Attributes:
        token_format: What the token is, such as ``JWT``.
        description: For people.
    """

    token_format: str | None = None
    description: str | None = None


@attrs.frozen
class Basic:
    """A name and a password in the field ``authorization``.

    Attributes:
        description: For people.
    """

    description: str | None = None


@attrs.frozen
class ApiKey:
    """A key in a header, the query or a cookie.

    Attributes:
        name: Of the header, the field or the cookie.
        place: ``header``, ``query`` or ``cookie``.
        description: For people.
    """

    name: str
    place: str = attrs.field(default="header", validator=attrs.validators.in_(_PLACES))
    description: str | None = None


SecurityScheme: TypeAlias = Bearer | Basic | ApiKey
"""Schemes by which a client proves its identity."""


@attrs.frozen(kw_only=True)
class Answer:
    """One response of an operation.

    Attributes:
        type: The type of its body; ``None`` for none.
        description: For people.
        content_type: Of the body, unless it is JSON.
        example: A value of that type.
    """

    type: Any = None
    description: str | None = None
    content_type: str = "application/json"
    example: Any = None


@attrs.frozen(kw_only=True)
class OperationNotes:
    """What ``@operation(...)`` says of a handler. The attributes are its arguments."""

    summary: str | None = None
    description: str | None = None
    operation_id: str | None = None
    tags: tuple[str, ...] = ()
    responses: Mapping[int, Any] = attrs.field(factory=dict)
    example: Any = None
    security: tuple[str, ...] | None = None
    deprecated: bool = False
    hidden: bool = False


def operation(
    *,
    summary: str | None = None,
    description: str | None = None,
    operation_id: str | None = None,
    tags: Iterable[str] = (),
    responses: Mapping[int, Any] | None = None,
    example: Any = None,
    security: Iterable[str] | None = None,
    deprecated: bool = False,
    hidden: bool = False,
) -> Callable[[_Function], _Function]:
    """Say of a handler what its signature does not; below the decorator of its route.

    On a function that handlers depend on, ``security`` and ``responses`` are theirs as well.

    Args:
        summary: One line; that of the docstring unless given.
        description: Markdown; the rest of the docstring unless given.
        operation_id: The name of the operation for generated clients.
        tags: Groups, beside those of the route.
        responses: By status: a type, an ``Answer``, a sentence, or a class of exceptions.
        example: A request body.
        security: Names of schemes, any of which will do; none when empty. What the app says
            unless given.
        deprecated: Whether it should not be used any more.
        hidden: Whether it is left out.
    """
    if isinstance(tags, str) or isinstance(security, str):
        raise TypeError("tags and security are sequences of texts")
    notes = OperationNotes(
        summary=summary,
        description=description,
        operation_id=operation_id,
        tags=tuple(tags),
        responses=dict(responses or {}),
        example=example,
        security=None if security is None else tuple(security),
        deprecated=deprecated,
        hidden=hidden,
    )

    def note(function: _Function) -> _Function:
        setattr(function, _NOTES, notes)
        return function

    return note


def notes_of(function: Any) -> OperationNotes:
    """Return what was noted on a function."""
    found = getattr(function, _NOTES, None)
    return found if isinstance(found, OperationNotes) else OperationNotes()


@attrs.frozen(kw_only=True)
class ApiDescription:
    """What a description says of an app as a whole.

    Attributes:
        title: The name of the interface.
        version: Its version.
        description: Markdown.
        servers: URLs that it is found under; the one of the document unless given.
        tags: A sentence by tag.
        security_schemes: How clients say who they are, by name.
        security: Names of schemes that every operation asks for unless it says otherwise.
        openapi_path: Where the document is answered.
        docs_path: Where the page is answered; ``None`` for none.
    """

    title: str
    version: str = "0.1.0"
    description: str | None = None
    servers: tuple[str, ...] = ()
    tags: Mapping[str, str] = attrs.field(factory=dict)
    security_schemes: Mapping[str, SecurityScheme] = attrs.field(factory=dict)
    security: tuple[str, ...] = ()
    openapi_path: str = "/openapi.json"
    docs_path: str | None = "/docs"
