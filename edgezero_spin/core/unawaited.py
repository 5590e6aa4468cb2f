"""The warning about a coroutine that was never awaited, with what to write instead.

``notes.put("a", 1)`` without ``await`` writes nothing. Python says so when the coroutine is
thrown away, and does not say what is missing.

In: the coroutine, from the interpreter. Out: a ``RuntimeWarning`` at the line that threw it
away: in the log of a component, and where Python's warnings go natively.

Source: ``_warn_unawaited_coroutine`` of CPython's ``warnings``, which the interpreter calls. One
that has no such function warns in its own words.
"""

import sys
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["explain_unawaited"]

_FUNCTION = "_warn_unawaited_coroutine"


def _tell_nobody(text: str) -> None:
    return None


def explain_unawaited(tell: Callable[[str], object] = _tell_nobody) -> Callable[[], None]:
    """Have the warning say what to write.

    Args:
        tell: Called with the warning as one line, besides.

    Returns:
        What puts back the warning that was there before.
    """
    original = getattr(warnings, _FUNCTION, None)
    if original is None:
        return lambda: None

    def warn(coroutine: Coroutine[Any, Any, Any]) -> None:
        name = getattr(coroutine, "__qualname__", "")
        message = (
            f"coroutine '{name}' was never awaited, so it did nothing; "
            "write `await` before the call"
        )
        place = sys._getframe(1)
        line = f"{place.f_code.co_filename}:{place.f_lineno}: RuntimeWarning: {message}\n"
        tell(line)
        warnings.warn(message, RuntimeWarning, stacklevel=2)

    setattr(warnings, _FUNCTION, warn)
    return lambda: setattr(warnings, _FUNCTION, original)
