"""The cattrs converter between JSON values and types.

``converter.register_structure_hook(Money, read_money)`` and
``converter.register_unstructure_hook(Money, write_money)`` add a type of the program's own,
before the app is compiled. The hooks of the types that JSON knows are in ``structure_hooks``;
those that cattrs comes with are left out, because they convert (``int("5")``) where a strict
reader refuses.

Source: cattrs, "Customizing un/structuring"; the strictness is contract edgezero.md, EXT-1.
"""

from collections.abc import Callable
from typing import Annotated, Any, get_origin

from cattrs import Converter
from cattrs.dispatch import MultiStrategyDispatch

__all__ = ["JsonConverter", "converter"]


class JsonConverter(Converter):
    """A cattrs converter that begins without hooks.

    Attributes:
        written: The unstructure hooks by class, for what writes JSON.
        changed: Called after every registration; whoever keeps compiled hooks drops them.
    """

    def __init__(self) -> None:
        self.written: dict[Any, Callable[[Any], Any]] = {}
        self.changed: list[Callable[[], None]] = []
        super().__init__(detailed_validation=True)
        self._structure_func = MultiStrategyDispatch(_no_hook, self)

    def get_structure_hook(self, type: Any, cache_result: bool = True) -> Any:
        """Return the hook of a type, which may hold what cannot be hashed."""
        return super().get_structure_hook(_hashable(type), cache_result)

    def register_structure_hook(self, cl: Any, func: Any = None) -> Any:
        """Register what builds values of a class; see cattrs."""
        registered = super().register_structure_hook(cl, func)
        self._announce()
        return registered

    def register_unstructure_hook(self, cls: Any = None, func: Any = None) -> Any:
        """Register what makes a JSON value of the instances of a class; see cattrs."""
        registered = super().register_unstructure_hook(cls, func)
        if func is not None:
            self.written[cls] = func
            self._announce()
        return registered

    def hook_of_union(self, union: Any) -> Any:
        """Return the hook that was registered for a union, ``None`` without one."""
        return self._union_struct_registry.get(union)

    def _announce(self) -> None:
        for call in self.changed:
            call()


def _hashable(to: Any) -> Any:
    """Return a type without the notes of ``Annotated`` that cannot be hashed."""
    if get_origin(to) is not Annotated:
        return to
    kept = [extra for extra in to.__metadata__ if getattr(type(extra), "__hash__", None)]
    return Annotated[(to.__origin__, *kept)] if kept else to.__origin__


def _no_hook(to: Any) -> Any:
    name = getattr(to, "__qualname__", None) or repr(to)
    for library, mark in (("pydantic", "__pydantic_fields__"), ("msgspec", "__struct_fields__")):
        if hasattr(to, mark):
            raise TypeError(
                f"{name} is a {library} model, which a component cannot import; "
                f"write the same fields below `@attrs.frozen class {name}:`"
            )
    if isinstance(to, type) and issubclass(to, bytes | bytearray | memoryview):
        raise TypeError(f"{name} has no JSON form; take str and decode it, base64 for example")
    raise TypeError(
        f"{name} has no JSON form; register one: converter.register_structure_hook({name}, ...)"
    )


converter = JsonConverter()
"""The converter of every body, stored value and configuration."""
