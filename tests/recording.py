"""A stand-in for the Spin CLI: it writes down how it was called, and does nothing else."""

import os
from collections.abc import Mapping
from pathlib import Path

import attrs

__all__ = ["Call", "Recorder"]

# One call is the number of arguments, the folder and the arguments, with a NUL after each: a
# test of arguments must not trip over blanks or line ends in them.
SCRIPT = """\
#!/bin/sh
printf '%s\\0' "$#" "$PWD" "$@" >> "$RECORD"
if [ -n "$SAID" ]; then printf '%s\\n' "$SAID" >&2; fi
exit "${STATUS:-0}"
"""


@attrs.frozen
class Call:
    """One call of the stand-in.

    Attributes:
        folder: Where it ran.
        arguments: What followed its name.
    """

    folder: Path
    arguments: tuple[str, ...]


@attrs.frozen
class Recorder:
    """Where a stand-in lies and what it has written.

    Attributes:
        folder: A folder of its own.
    """

    folder: Path

    @classmethod
    def install(cls, folder: Path, program: str = "spin") -> "Recorder":
        """Write the stand-in into a new folder."""
        folder.mkdir()
        path = folder / program
        path.write_text(SCRIPT)
        path.chmod(0o755)
        return cls(folder)

    def environment(self, *, status: int = 0, said: str = "") -> Mapping[str, str]:
        """Return the variables with which a command finds the stand-in and what it shall do."""
        return {
            "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}",
            "RECORD": str(self.folder / "record"),
            "STATUS": str(status),
            "SAID": said,
        }

    def calls(self) -> list[Call]:
        """Return the calls so far."""
        record = self.folder / "record"
        if not record.exists():
            return []
        parts = record.read_text().split("\0")[:-1]
        calls = []
        while parts:
            end = 2 + int(parts[0])
            calls.append(Call(Path(parts[1]), tuple(parts[2:end])))
            parts = parts[end:]
        return calls
