"""Text to one typed value: a path parameter, a query field, a form field.

In: an annotation, once. Out: a function from text to a value of that type, which raises
``ValueError`` with a few words that complete "count: ..." when the text is no such value.

The rules are narrower than Python's own: ``int`` takes ``7`` and not `` 7 `` or ``7_0``,
``bool`` takes ``true`` and ``false``, and a ``float`` is finite.

Source: contract edgezero.md, EXT-2 and OPQ-15; enums, ``Literal`` and what ``text_values`` knows
are our own.
"""

from collections.abc import Callable
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, TypeAlias, Union, get_args, get_origin

from edgezero_spin.stores.text_values import TextForm, text_form

__all__ = ["Reader", "scalar_reader", "without_none"]

Reader: TypeAlias = Callable[[str], Any]


def scalar_reader(annotation: Any) -> Reader | None:
    """Return the reader for an annotation, ``None`` when text cannot become that type.

    Optional types read as the type itself: absence is the business of the caller.
    """
    annotation, _ = without_none(annotation)
    if get_origin(annotation) is Annotated:
        return scalar_reader(get_args(annotation)[0])
    if isinstance(annotation, NewType):
        return scalar_reader(annotation.__supertype__)
    if annotation is str or annotation is Any:
        return str
    if get_origin(annotation) is Literal:
        return _choice({str(value): value for value in get_args(annotation)})
    if not isinstance(annotation, type):
        return None
    if issubclass(annotation, Enum):
        return _choice({str(member.value): member for member in annotation})
    if annotation is int:
        return _whole_number
    if annotation is float:
        return _number
    if annotation is bool:
        return _choice({"true": True, "false": False})
    form = text_form(annotation)
    return None if form is None else _form(form)


def without_none(annotation: Any) -> tuple[Any, bool]:
    """Return ``T`` and whether ``None`` was allowed, for ``T``, ``T | None`` or ``Optional[T]``.

    A union of several other types is returned as it is.
    """
    if get_origin(annotation) not in (Union, UnionType):
        return annotation, False
    members = get_args(annotation)
    others = [member for member in members if member is not NoneType]
    if len(others) == 1 and len(members) == 2:
        return others[0], True
    return annotation, NoneType in members


def _whole_number(text: str) -> int:
    digits = text if text.isdigit() else text[1:] if text[:1] in ("+", "-") else ""
    # isdigit alone also takes digits of other scripts; more digits than these no id has.
    if digits.isdigit() and digits.isascii() and len(digits) <= 100:
        return int(text)
    raise ValueError("not a whole number")


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("not a number") from None
    if text.isascii() and "_" not in text and text == text.strip() and abs(value) < float("inf"):
        return value
    raise ValueError("not a number")


def _choice(choices: dict[str, Any]) -> Reader:
    def read(text: str) -> Any:
        if text in choices:
            return choices[text]
        raise ValueError(f"not one of {', '.join(choices)}")

    return read


def _form(form: TextForm) -> Reader:
    def read(text: str) -> Any:
        try:
            return form.read(text)
        except ValueError:
            raise ValueError(f"not {form.noun}") from None

    return read
