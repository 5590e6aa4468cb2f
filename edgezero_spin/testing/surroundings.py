"""The process around a native request: environment, output, clock and randomness.

An instance of a component sees its own environment and writes to its own log. Natively the
process is shared, so it is changed while a request runs and put back afterwards; what is
written is kept for the test and still goes where it went before.

A fixed clock is what ``time.time()`` and ``time.time_ns()`` say; ``datetime.now()`` asks the
system and cannot be changed from here. A seed decides what ``random``, ``secrets``, ``uuid``
and ``os.urandom`` give.
"""

import os
import random
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

__all__ = ["Surroundings"]


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


class Surroundings:
    """What surrounds the requests of one client; enter it for each of them.

    Requests of one client may overlap. The first that enters changes the process, the last
    that leaves puts it back.

    Attributes:
        stdout: Everything that was written so far.
        stderr: Likewise.
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
        """
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._env = env
        self._depth = 0
        self._before: dict[str, str | None] = {}
        self._streams: tuple[TextIO, TextIO] | None = None
        self._fixed: list[tuple[Any, str, Any]] = []
        if now_ns is not None:
            self._fixed += [(time, "time", lambda: now_ns / 1e9), (time, "time_ns", lambda: now_ns)]
        if dice is not None:
            # ``random`` and with it ``secrets`` keep a name of their own for ``os.urandom``.
            self._fixed += [(os, "urandom", dice.randbytes), (random, "_urandom", dice.randbytes)]
        self._dice = dice
        self._originals: list[tuple[Any, str, Any]] = []
        self._random_state: Any = None

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        self._before = {name: os.environ.get(name) for name in self._env}
        os.environ.update(self._env)
        self._originals = [(place, name, getattr(place, name)) for place, name, _ in self._fixed]
        for place, name, value in self._fixed:
            setattr(place, name, value)
        if self._dice is not None:
            self._random_state = random.getstate()
            random.seed(self._dice.getrandbits(64))
        self._streams = (sys.stdout, sys.stderr)
        sys.stdout = _Tee(sys.stdout, self.stdout)
        sys.stderr = _Tee(sys.stderr, self.stderr)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self.restore()

    def restore(self) -> None:
        """Put the process back, also where a request never comes to its end."""
        if self._streams is None:
            return
        sys.stdout, sys.stderr = self._streams
        self._streams = None
        for place, name, value in self._originals:
            setattr(place, name, value)
        if self._random_state is not None:
            random.setstate(self._random_state)
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
