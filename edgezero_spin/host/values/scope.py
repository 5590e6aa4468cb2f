"""What a converter needs to know of the instance whose values it converts."""

import contextlib
import ctypes
from typing import Any

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.resources import ResourceTable
from edgezero_spin.host.values.raw import (
    WORDS,
    any_clone,
    any_delete,
    any_drop,
    any_to_host,
    error_message,
    host_delete,
    host_new,
    host_rep,
    host_to_any,
)

__all__ = ["GuestResource", "Scope"]


class Scope:
    """One running instance as host functions and converters see it.

    Attributes:
        context: Address of the store's context, which callbacks receive.
        state: The embedder's state, first argument of every host function.
        table: The host objects that the instance holds handles to.
        error: The exception that a host function raised, until the call that it ended
            raises it again.
        text_bytes: Length of the text that was lowered last in a bulk function.
    """

    __slots__ = (
        "_cell",
        "_cell_owner",
        "context",
        "error",
        "loans",
        "state",
        "table",
        "text_bytes",
    )

    def __init__(self, context: int, state: Any, table: ResourceTable) -> None:
        self.context = context
        self.state = state
        self.table = table
        self.error: BaseException | None = None
        self.loans: list[tuple[int, int]] = []
        self.text_bytes = 0
        self._cell_owner = ctypes.c_size_t()
        self._cell = ctypes.addressof(self._cell_owner)

    def rep_of(self, resource: int) -> int:
        """Return the rep behind a handle that the guest passed, and settle the handle.

        Without this an ``own`` handle stays in the engine's table, and a ``borrow``
        makes the guest's call fail because it still counts as lent.
        """
        cell = self._cell
        problem = any_to_host(self.context, resource, cell)
        if problem:
            raise Trap(error_message(problem))
        host = WORDS[cell >> 3]
        rep: int = host_rep(host)
        host_delete(host)
        return rep

    def handle_of(self, rep: int, type_id: int) -> int:
        """Return a new owned handle for a rep: an address that a value takes over."""
        cell = self._cell
        host = host_new(True, rep, type_id)
        problem = host_to_any(self.context, host, cell)
        host_delete(host)
        if problem:
            raise Trap(error_message(problem))
        return WORDS[cell >> 3]

    def lend(self, rep: int, type_id: int) -> int:
        """Return a handle that ends with the current call, for a ``borrow`` argument."""
        handle = self.handle_of(rep, type_id)
        self.loans.append((any_clone(handle), rep))
        return handle

    def settle_loans(self) -> None:
        """Take back everything that was lent for the call that just ended."""
        loans, self.loans = self.loans, []
        for handle, rep in loans:
            # After a trap the engine may refuse; the handle then ends with the instance.
            with contextlib.suppress(Trap):
                self.rep_of(handle)
            any_delete(handle)
            self.table.take(rep)


class GuestResource:
    """A handle to a resource that the component itself defines.

    Pass it back to the component as ``own`` (which ends it) or ``borrow``. ``close``
    runs the guest's destructor; it is harmless to call twice.
    """

    __slots__ = ("_handle", "_scope")

    def __init__(self, scope: Scope, handle: int) -> None:
        """Keep a copy of the handle that a value of ``scope``'s instance holds."""
        self._scope: Scope | None = scope
        self._handle = any_clone(handle)

    def copy_for(self, scope: Scope) -> int:
        """Return a copy of the handle that a value takes over.

        Raises:
            ValueError: The handle ended, or belongs to another instance.
        """
        if self._scope is not scope:
            raise ValueError("the handle ended or belongs to another instance")
        handle: int = any_clone(self._handle)
        return handle

    def end(self) -> None:
        """Forget the handle without running the guest's destructor."""
        if self._scope is not None:
            self._scope = None
            any_delete(self._handle)

    def close(self) -> None:
        """Drop the resource: the guest's destructor runs."""
        scope = self._scope
        if scope is None:
            return
        problem = any_drop(scope.context, self._handle) if scope.context else 0
        self.end()
        if problem:
            raise Trap(error_message(problem))

    def __del__(self) -> None:
        self.end()
