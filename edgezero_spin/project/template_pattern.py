"""Patterns of template parameters: whether a value fits.

In: a regular expression of a template, which may come from anywhere, and a value. Out: whether the
expression is found in the value. Some expressions take longer than anybody lives, such as
``^(a+)+$``; therefore each is searched for in a process with a deadline.

Source: contract spin-host.md, TPL-6.
"""

import json
import re
import subprocess
import sys
import warnings

from edgezero_spin.errors import ProjectError

__all__ = ["check_pattern", "fits_pattern"]

_DEADLINE_S = 5
_SEARCH = """\
import json, re, sys
pattern, value = json.load(sys.stdin)
print(json.dumps(re.search(pattern, value) is not None))
"""


def check_pattern(pattern: str) -> str | None:
    """Return why a pattern cannot be used; ``None`` where it can.

    It cannot where Python's regular expressions refuse it, or read it in another way than Spin's.
    """
    try:
        with warnings.catch_warnings():
            # [[:alpha:]] is a class of Spin's dialect and a list of brackets in Python's.
            warnings.simplefilter("error", FutureWarning)
            re.compile(pattern)
    except (re.error, FutureWarning) as error:
        return f"{pattern!r} is not a regular expression that Python has: {error}"
    return None


def fits_pattern(pattern: str, value: str) -> bool:
    """Whether a pattern is found in a value.

    Raises:
        ProjectError: That takes more than 5 seconds, or Python cannot be run.
    """
    # In Spin's dialect `$` is the very end; in Python a line end may follow it.
    searched = re.sub(r"(?<!\\)\$$", r"\\Z", pattern)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps([searched, value]),
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise ProjectError(
            f"looking for {pattern} in {value!r} takes more than {_DEADLINE_S} s: the template "
            "needs another pattern"
        ) from None
    except OSError as error:
        raise ProjectError(f"cannot run {sys.executable}: {error.strerror or error}") from error
    return bool(json.loads(done.stdout))
