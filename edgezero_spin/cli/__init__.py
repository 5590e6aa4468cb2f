"""The ``edgezero`` command: flags in, one call to a room, lines out, an exit status.

Statuses: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted; a command that
runs another program ends with that program's status. Results go to standard output;
progress, warnings and errors to standard error.

The command lives in the extra ``tools``. This module imports the standard library
only, so that the console script can say so where the extra is missing.

Source: contract edgezero.md, CLI-2 and CLI-3, and spin-host.md, CLI-30.
"""

import gc
import sys
from collections.abc import Sequence

__all__ = ["main"]

# Module a command needs -> the extra that brings it.
_EXTRAS = {
    "click": "tools",
    "componentize_py": "tools",
    "certifi": "tools",
    "h11": "tools",
    "httptools": "tools",
    "httpx": "tools",
    "liquid": "templates",
    "tomli_w": "tools",
    "uvloop": "tools",
    "wasmtime": "tools",
    "redis": "redis",
    "azure": "azure",
    "boto3": "aws",
}


COLLECTED_AFTER = 100_000
"""New objects after which garbage is looked for. What a start makes is none, and looking for it
after every 700, as Python does by itself, is a tenth of the start; a server looks more often."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: What follows the program's name; the process's own when ``None``.
    """
    gc.set_threshold(COLLECTED_AFTER)
    try:
        from edgezero_spin.cli.root import run

        return run(arguments)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in _EXTRAS:
            raise
        print(
            f"[edgezero] Error: {module} is not installed: "
            f'pip install "edgezero-spin[{_EXTRAS[module]}]"',
            file=sys.stderr,
        )
        return 1
