"""The number of an asynchronous function among a component's exports.

The runtime wants it with the result of a call, and only the generated class of the interface knows
it.

Source: componentize-py 0.25; contract wasi03.md, PY-20.
"""

from typing import Any

import componentize_py_async_support as support

__all__ = ["export_index"]


def export_index(protocol: Any, method: str, arguments: int) -> int:
    """Return the number of a function; asked while the component is built.

    Args:
        protocol: The generated class.
        arguments: How many that has.
    """
    seen: list[int] = []
    real = support.first_poll

    class Probe:
        """Stands for the class of an app."""

        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: None

    try:
        support.first_poll = lambda index, borrows, coroutine: seen.append(index)
        getattr(protocol, f"_async_start_{method}")(Probe(), *(None,) * arguments, 0)
    finally:
        support.first_poll = real
    return seen[0]
