"""The process around a native request: environment, output, clock and randomness.

An instance of a component sees its own environment and writes to its own log. Natively the
process is shared, so it is changed while a request runs and put back afterwards; what is
written is kept for the test and still goes where it went before. Clock and randomness have
modules of their own.
"""

import logging
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from edgezero_spin.core.unawaited import explain_unawaited
from edgezero_spin.testing.clock import NativeClock
from edgezero_spin.testing.randomness import NativeRandomness

__all__ = ["Surroundings", "environment"]


class _Tee:
    """A text stream that keeps a copy of what is written."""

    def __init__(self, target: TextIO, copy: bytearray) -> None:
        self._target = target
        self._copy = copy

    def write(self, text: str) -> int:
        self._copy += text.encode("utf-8", "backslashreplace")
        return self._target.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


class _Log(logging.Handler):
    """Keeps what ``logging`` would print by itself.

    In a component nobody configures logging unless the application does, so warnings go to
    standard error. Natively pytest listens, and they would not.
    """

    def __init__(self, copy: bytearray) -> None:
        super().__init__(logging.WARNING)
        self._copy = copy

    def emit(self, record: logging.LogRecord) -> None:
        if not self._is_heard(record):
            self._copy += f"{self.format(record)}\n".encode("utf-8", "backslashreplace")

    def _is_heard(self, record: logging.LogRecord) -> bool:
        """Whether the application has a handler of its own for this record."""
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            for handler in logger.handlers:
                if handler is not self and not type(handler).__module__.startswith("_pytest."):
                    return True
            logger = logger.parent if logger.propagate else None
        return False


class Surroundings:
    """What surrounds the requests of one client; enter it for each of them.

    Requests of one client may overlap. The first that enters changes the process, the last
    that leaves puts it back.

    Attributes:
        stdout: Everything that was written so far.
        stderr: Likewise.
        left_behind: Nobody waits for the requests any more; see ``leave_behind``.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        now_ns: int | None = None,
        dice: random.Random | None = None,
    ) -> None:
        """Keep what to change.

        Args:
            env: Variables to set; changes to them are seen when a request begins.
            now_ns: What the clock says, in nanoseconds since 1970.
            dice: Where random bytes come from.

        Raises:
            KitError: A clock is to be fixed and time-machine is not installed.
        """
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._env = env
        self.left_behind = False
        self._lock = threading.Lock()
        self._depth = 0
        self._before: dict[str, str | None] = {}
        self._streams: tuple[TextIO, TextIO] | None = None
        self._log = _Log(self.stderr)
        self._undo_warning: Callable[[], None] | None = None
        self._clock = NativeClock(now_ns)
        self._randomness = None if dice is None else NativeRandomness(dice)

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1 and not self.left_behind:
                self._change()

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self._restore()

    def leave_behind(self) -> None:
        """Put the process back where a request does not come to its end.

        What still runs of it, on its own thread, changes the process no more.
        """
        with self._lock:
            self.left_behind = True
            self._restore()

    def _change(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._env}
        os.environ.update(self._env)
        self._clock.set()
        if self._randomness is not None:
            self._randomness.set()
        self._streams = (sys.stdout, sys.stderr)
        sys.stdout = _Tee(sys.stdout, self.stdout)
        sys.stderr = _Tee(sys.stderr, self.stderr)
        # pytest collects warnings, which in a component go to standard error.
        self._undo_warning = explain_unawaited(self._keep)
        # Without the lock of logging, which what is left behind must not hold.
        logging.getLogger().handlers.append(self._log)

    def _keep(self, line: str) -> None:
        self.stderr.extend(line.encode("utf-8", "backslashreplace"))

    def _restore(self) -> None:
        if self._streams is None:
            return
        logging.getLogger().handlers.remove(self._log)
        if self._undo_warning is not None:
            self._undo_warning()
        sys.stdout, sys.stderr = self._streams
        self._streams = None
        if self._randomness is not None:
            self._randomness.release()
        for name, value in self._before.items():
            _set(name, value)
        self._clock.release()


@contextmanager
def environment(values: Mapping[str, str], *, instead_of: Mapping[str, str]) -> Iterator[None]:
    """Give another component its own environment while it answers.

    Args:
        values: Its variables.
        instead_of: Those that only its caller has.
    """
    before = {name: os.environ.get(name) for name in {**values, **instead_of}}
    try:
        for name in before:
            _set(name, values.get(name))
        yield
    finally:
        for name, value in before.items():
            _set(name, value)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
