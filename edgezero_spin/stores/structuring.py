"""Decoded JSON values to the types that a program names.

``structurer(Note)`` compiles a function once per type; calling it checks the value and builds
the object, or says what is wrong at every place at once. The engine is cattrs: the hooks of
each kind are in ``structure_hooks``, and a program registers its own on ``converter``.

Compiled while the module of the app is imported, which types of handler parameters are; a type
that only a handler's body names is compiled at its first use, unless a ``structurer(...)`` call
at the top level asks for it.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

from cattrs import BaseValidationError

from edgezero_spin.stores.converting import converter
from edgezero_spin.stores.rule_text import RULE_ERRORS
from edgezero_spin.stores.structure_errors import combined
from edgezero_spin.stores.structure_hooks import KINDS, misfit
from edgezero_spin.stores.union_hooks import is_union, union_hook

__all__ = ["Structurer", "structure", "structurer"]

T = TypeVar("T")
Structurer = Callable[[Any], Any]

_COMPILED: Final[dict[Any, Structurer]] = {}


@overload
def structure(value: Any, to: type[T]) -> T: ...
@overload
def structure(value: Any, to: Any) -> Any: ...
def structure(value: Any, to: Any) -> Any:
    """Build an object of a type from a decoded JSON value.

    Raises:
        JsonValueError: The value does not fit; every misfit is named with its place.
        TypeError: The type has no JSON form.
    """
    return structurer(to)(value)


def structurer(to: Any) -> Structurer:
    """Return the function that builds objects of a type, compiled once.

    Raises:
        TypeError: The type has no JSON form.
    """
    try:
        return _COMPILED[to]
    except KeyError:
        found = _COMPILED[to] = _compile(to)
        return found
    except TypeError:
        # An annotation with a note that cannot be hashed.
        return _compile(to)


def _compile(to: Any) -> Structurer:
    try:
        hook = converter.get_structure_hook(to)
    except TypeError:
        raise
    except Exception as error:
        raise TypeError(f"{to!r} has no JSON form: {error}") from error
    build = getattr(hook, "build", None)
    if build is not None:

        def convert_object(value: Any) -> Any:
            if type(value) is not dict:
                raise misfit("an object", value)
            try:
                return build(value, to)
            except (BaseValidationError, *RULE_ERRORS) as error:
                raise combined(error) from error

        return convert_object

    def convert(value: Any) -> Any:
        try:
            return hook(value, to)
        except (BaseValidationError, *RULE_ERRORS) as error:
            raise combined(error) from error

    return convert


for _takes, _hook_of in (*KINDS, (is_union, union_hook)):
    converter.register_structure_hook_factory(_takes, _hook_of)
converter.changed.append(_COMPILED.clear)
