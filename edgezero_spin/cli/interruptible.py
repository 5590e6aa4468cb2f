"""Work that Ctrl-C ends at once.

Python hears a signal in the main thread only, and there between two of its own instructions: not
while the engine compiles a component. So such work is done by another thread, and the main one
waits.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["interruptible"]

T = TypeVar("T")


def interruptible(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, done by another thread.

    Raises:
        KeyboardInterrupt: The user does not want to wait. The work goes on until the process
            ends, which it does not hold up.
        BaseException: What ``work`` raised.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="edgezero-start", daemon=True).start()
    done.wait()
    if errors:
        raise errors[0]
    return results[0]
