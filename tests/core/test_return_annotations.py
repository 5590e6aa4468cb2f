"""Return annotations: what can be answered is known before any request."""

import datetime
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar

import attrs
import pytest

from edgezero_spin.core import App, NotFound, Response
from edgezero_spin.core.return_annotations import check_return

T = TypeVar("T")
Id = NewType("Id", int)


class Opaque:
    """Nothing that JSON holds."""


class Base:
    """Only its subclass has a form."""


@attrs.frozen
class Derived(Base):
    """That subclass."""

    a: int = 0


@attrs.frozen
class Page(Generic[T]):
    """A generic class."""

    items: list[T]


@attrs.frozen
class Holder:
    """Holds what has no form."""

    inner: "list[Opaque]"


class Entry(TypedDict):
    """A dictionary."""

    day: datetime.date


class Pair(NamedTuple):
    """A tuple."""

    a: int


@pytest.mark.parametrize(
    "annotation",
    [
        None,
        Any,
        object,
        str,
        bytes,
        Response,
        NotFound,
        int | None,
        dict[str, Any],
        list[Page[int]],
        Mapping[str, Sequence[int]],
        tuple[int, Page[Derived]],
        tuple[int, bytes, dict[str, str]],
        tuple[int, ...],
        tuple[int, int],
        tuple[HTTPStatus, dict[str, str]],
        tuple[Literal[200, 201], str],
        tuple[str, ...],
        tuple[str, str],
        tuple[str, bool],
        Response | dict[str, int],
        Literal["a"],
        Id,
        Annotated[int, ["note"]],
        Entry,
        Pair,
        Base,
        datetime.timedelta,
        Iterator[bytes],
        AsyncIterator[bytes],
        Iterator[Any],
    ],
)
def test_what_can_be_answered(annotation: Any) -> None:
    """Every value that a response can be made of passes."""
    check_return(annotation)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Opaque, "Opaque has no JSON form; return a Response, or register one"),
        (list[Opaque], "Opaque has no JSON form"),
        (tuple[int, Opaque], "Opaque"),
        (Opaque | None, "Opaque"),
        (Holder, "Opaque"),
        (dict[str, Page[Opaque]], "Opaque"),
        (complex, "complex has no JSON form"),
        (list[bytes], "bytes has no JSON form"),
        (Iterator[str], "a streamed body gives bytes, not str"),
        (type[int], "type has no JSON form"),
        (tuple[dict[str, int], int], "the status comes first; write tuple[int, ...]"),
        (tuple[str, Literal[201]], "the status comes first"),
        (tuple[Response, HTTPStatus, dict[str, str]], "the status comes first"),
        (tuple[dict[str, int], int] | None, "the status comes first"),
        (tuple[int, str, int], "behind status and body stand headers"),
        (tuple[Literal[99], str], "a status is one of 200 to 599"),
    ],
)
def test_what_cannot_be_answered(annotation: Any, message: str) -> None:
    """It is refused when the app is composed, with the handler's name."""
    app = App()

    def handler() -> Any: ...

    handler.__annotations__["return"] = annotation
    app.get("/")(handler)
    with pytest.raises(TypeError, match="return annotation: ") as raised:
        app.compile()
    assert message in str(raised.value)
    assert "handler" in str(raised.value)


def test_a_decorated_handler_is_not_judged() -> None:
    """What the decorator makes of the value is not in the annotation."""
    import functools

    def inner() -> Opaque:
        return Opaque()

    @functools.wraps(inner)
    def outer() -> str:
        return "x"

    app = App()
    app.get("/")(outer)
    app.compile()
