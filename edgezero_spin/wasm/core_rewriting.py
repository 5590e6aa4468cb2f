"""A component's parts, rewritten with core functions and instances that come new.

In: parts. Out: parts in which everything that mentions a core function or a core instance
does so by its new number. What comes new is for a subclass to say, in ``before_instance`` and
``lowered``.
"""

from collections.abc import Iterable, Sequence

import attrs

from edgezero_spin.wasm.binary import vector_bytes
from edgezero_spin.wasm.canonical import (
    CANONICAL,
    POST_RETURN,
    WITH_REALLOC,
    Canonical,
    Lift,
    Lower,
    Option,
    canonical_bytes,
    canonicals,
)
from edgezero_spin.wasm.index_spaces import IndexSpaces
from edgezero_spin.wasm.item_names import CORE_FUNCTIONS, CORE_INSTANCES, renumbered_names
from edgezero_spin.wasm.module import Kind
from edgezero_spin.wasm.wiring import (
    CUSTOM,
    CoreAlias,
    CoreInstance,
    CoreModule,
    Exports,
    Instantiation,
    Other,
    Part,
)

__all__ = ["CoreRewriting"]


class CoreRewriting:
    """One pass over a component's parts.

    Attributes:
        seen: What stood at each index before, up to the part that is being rewritten.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.seen = IndexSpaces()
        self._out: list[Part] = []
        self._modules = 0
        # New numbers of what was there before, and how many there are by now.
        self._instances: list[int] = []
        self._made_instances = 0
        self._core_functions: list[int] = []
        self._made_core_functions = 0

    def parts(self, parts: Sequence[Part]) -> list[Part]:
        """Return the component's parts, rewritten.

        Raises:
            UnknownFormError: The component has something that is not known here.
        """
        # First of all, so that modules which come new have the numbers behind.
        self._out += [part for part in parts if isinstance(part, CoreModule)]
        self._modules = len(self._out)
        for part in parts:
            match part:
                case CoreModule():
                    pass
                case CoreInstance(form):
                    self.before_instance(len(self._instances))
                    self._instances.append(self.add_instance(self._renumbered(form)))
                case CoreAlias(kind, instance, name):
                    self._out.append(CoreAlias(kind, self._instances[instance], name))
                    if kind == Kind.FUNCTION:
                        self._core_functions.append(self.add_core_function())
                case Other(section, content):
                    self._out.append(Other(section, self.content(section, content)))
            self.seen.add(part)
        return self._out

    # What a subclass says -------------------------------------------------------------

    def before_instance(self, instance: int) -> None:
        """Add what is needed before the core instance that had this number."""

    def lowered(self, lower: Lower, index: int) -> Lower:
        """Return what makes the core function with a new index, its options renumbered."""
        return lower

    def content(self, section: int, content: bytes) -> bytes:
        """Return what a section, or an alias, has to say."""
        if section == CANONICAL:
            return vector_bytes([self._rewired(each) for each in canonicals(content)])
        if section == CUSTOM:
            functions = dict(enumerate(self._core_functions))
            instances = dict(enumerate(self._instances))
            numbers = {CORE_FUNCTIONS: functions, CORE_INSTANCES: instances}
            return renumbered_names(content, numbers)
        return content

    # What it can do -------------------------------------------------------------------

    def add_instance(self, form: Instantiation | Exports) -> int:
        """Add a core instance, all in new numbers; return its own."""
        self._out.append(CoreInstance(form))
        self._made_instances += 1
        return self._made_instances - 1

    def instantiate(self, module: bytes, given: tuple[tuple[str, int], ...]) -> int:
        """Add a module that comes new, and an instance of it; return the instance's number."""
        self._out.append(CoreModule(module))
        self._modules += 1
        return self.add_instance(Instantiation(self._modules - 1, given))

    def take_function(self, instance: int, name: str) -> int:
        """Add an instance's export to the core functions; return its number."""
        self._out.append(CoreAlias(Kind.FUNCTION, instance, name))
        return self.add_core_function()

    def add_core_function(self) -> int:
        """Count a core function that comes new or again; return its number."""
        self._made_core_functions += 1
        return self._made_core_functions - 1

    @property
    def core_functions(self) -> int:
        """How many core functions there were, up to the one that is being rewritten."""
        return len(self._core_functions)

    def new_number(self, function: int) -> int:
        """Return the new number of a core function."""
        return self._core_functions[function]

    def replace(self, function: int, other: int) -> None:
        """Let all that follows mean another core function, given by its new number."""
        self._core_functions[function] = other

    # How ------------------------------------------------------------------------------

    def _rewired(self, canonical: Canonical) -> bytes:
        if isinstance(canonical, Lift):
            core = self._core_functions[canonical.core]
            options = self._renumbered_options(canonical.options)
            return canonical_bytes(attrs.evolve(canonical, core=core, options=options))
        index = self.add_core_function()
        self._core_functions.append(index)
        if isinstance(canonical, Lower):
            options = self._renumbered_options(canonical.options)
            canonical = self.lowered(attrs.evolve(canonical, options=options), index)
        return canonical_bytes(canonical)

    def _renumbered_options(self, options: Iterable[Option]) -> tuple[Option, ...]:
        return tuple(
            (code, self._core_functions[index])
            if code in (WITH_REALLOC, POST_RETURN) and index is not None
            else (code, index)
            for code, index in options
        )

    def _renumbered(self, form: Instantiation | Exports) -> Instantiation | Exports:
        if isinstance(form, Instantiation):
            given = tuple((name, self._instances[number]) for name, number in form.arguments)
            return Instantiation(form.module, given)
        return Exports(
            tuple(
                (name, kind, self._core_functions[index] if kind == Kind.FUNCTION else index)
                for name, kind, index in form.items
            )
        )
