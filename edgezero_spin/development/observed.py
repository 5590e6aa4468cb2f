"""Observed apps: calls of stores and secrets, and output, of an app that is served natively.

In: the observer of the request that a task answers. Out: the same stores and streams, which tell of
what the app does with them, as host functions of a component do.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, TextIO

from edgezero_spin.host.observers import HostCall, RequestObserver
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["FOLLOWING", "VARIABLES", "ObservedStore", "note_call", "output_followed"]

FOLLOWING: ContextVar[RequestObserver | None] = ContextVar("following", default=None)
"""The observer of the request that the running task answers."""

_KEY_VALUE = "fermyon:spin/key-value@2.0.0"
VARIABLES = "fermyon:spin/variables@2.0.0"
"""The interface that secrets are asked of."""


@contextlib.contextmanager
def note_call(interface: str, function: str, *arguments: Any) -> Iterator[None]:
    """Tell of a call while the block runs."""
    following = FOLLOWING.get()
    ended = None
    if following is not None:
        ended = following.call_began(HostCall(interface, function, arguments))
    try:
        yield
    except BaseException as error:
        if ended is not None:
            ended(error)
        raise
    if ended is not None:
        ended(None)


class ObservedStore:
    """A store that tells of its calls; a ``KeyValueBackend``."""

    def __init__(self, label: str, inner: KeyValueBackend) -> None:
        """Pass all on to ``inner``."""
        self._label = label
        self._inner = inner

    def get(self, key: str) -> bytes | None:
        """Return a value."""
        with note_call(_KEY_VALUE, "get", self._label, key):
            return self._inner.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Write a value."""
        with note_call(_KEY_VALUE, "set", self._label, key, value):
            self._inner.set(key, value)

    def delete(self, key: str) -> None:
        """Remove a key."""
        with note_call(_KEY_VALUE, "delete", self._label, key):
            self._inner.delete(key)

    def exists(self, key: str) -> bool:
        """Tell whether a key is there."""
        with note_call(_KEY_VALUE, "exists", self._label, key):
            return self._inner.exists(key)

    def keys(self) -> Iterable[str]:
        """Return every key."""
        with note_call(_KEY_VALUE, "get-keys", self._label):
            return self._inner.keys()


class _Output:
    """Standard output or error, told to whoever follows the request that writes."""

    def __init__(self, name: str, component_id: str, inner: TextIO) -> None:
        self._name = name
        self._component_id = component_id
        self._inner = inner

    def write(self, text: str) -> int:
        following = FOLLOWING.get()
        if following is not None:
            following.output(self._component_id, self._name, text.encode("utf-8", "replace"))
        return self._inner.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@contextlib.contextmanager
def output_followed(component_id: str) -> Iterator[None]:
    """Tell of what is printed while the block runs."""
    before = sys.stdout, sys.stderr
    sys.stdout = _Output("stdout", component_id, before[0])
    sys.stderr = _Output("stderr", component_id, before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
