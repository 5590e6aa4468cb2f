"""Arguments, input and output of a program that is run like a command.

A ``Command`` belongs to one run. Components reach it through ``wasi:cli``
(``wasi.cli``), core modules through WASI 0.1 (``compat.wasi_01``).

Source: contract spin-host.md, WAGI-2 and WAGI-3, ENV-1 and ENV-2.
"""

import attrs

__all__ = ["OUTPUT_LIMIT_BYTES", "Command"]

OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024
"""Bytes that one run may print, unless told otherwise. Our own limit; Spin has none."""


@attrs.define(eq=False, kw_only=True)
class Command:
    """One run of a command.

    Attributes:
        environment: Its variables, in order.
        stdin: What it can read, all of it.
        output_limit_bytes: Most that it may print.
        stdout: What it printed.
        overflowed: It tried to print more than it may.
    """

    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    stdin: bytes = b""
    output_limit_bytes: int = OUTPUT_LIMIT_BYTES
    stdout: bytearray = attrs.field(factory=bytearray)
    overflowed: bool = False

    def print(self, data: bytes) -> bool:
        """Append to the output.

        Returns:
            Whether it fitted; if not, none of it was kept and ``overflowed`` is set.
        """
        if self.overflowed or len(self.stdout) + len(data) > self.output_limit_bytes:
            self.overflowed = True
            return False
        self.stdout += data
        return True
