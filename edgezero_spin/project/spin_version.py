"""Ask the installed Spin for its version, and know which versions were looked at.

``edgezero config push`` writes the table that Spin reads. Its shape was compared with the
sources of the major versions in ``VERIFIED_MAJORS``; any other gets a warning, never more.

Source: contract edgezero.md, SQL-11 to SQL-13 and OPQ-32.
"""

import functools
import re
import subprocess

__all__ = [
    "VERIFIED_MAJORS",
    "installed_spin",
    "parse_spin_major",
    "parse_spin_version",
    "spin_warning",
]

VERIFIED_MAJORS = (2, 3, 4)
"""Compared: Spin 2.0.0, 2.7.0, 3.0.0, 3.6.3, 4.0.0 and 4.0.2."""

_TIMEOUT_S = 10


def installed_spin() -> str | None:
    """Return what ``spin --version`` prints, ``None`` where there is no Spin that answers."""
    try:
        done = subprocess.run(
            ["spin", "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.decode(errors="replace").strip()


def parse_spin_major(text: str) -> int | None:
    """Return the major version in ``spin 3.6.3 (88d51cf 2026-04-09)``: 3."""
    version = parse_spin_version(text)
    return None if version is None else version[0]


def parse_spin_version(text: str) -> tuple[int, int] | None:
    """Return the major and minor version in ``spin 3.6.3 (88d51cf 2026-04-09)``: 3 and 6."""
    for token in text.split():
        if "." in token and "0" <= token[0] <= "9":
            found = re.match(r"([0-9]+)\.([0-9]+)", token)
            return None if found is None else (int(found[1]), int(found[2]))
    return None


@functools.cache
def spin_warning() -> str | None:
    """Return what to say about the installed Spin, asked once in a process."""
    text = installed_spin()
    if text is None:
        return None
    major = parse_spin_major(text)
    verified = ", ".join(map(str, VERIFIED_MAJORS))
    if major is None:
        return f"`spin --version` answers {text!r}, which names no version"
    if major not in VERIFIED_MAJORS:
        return (
            f"the installed Spin has major version {major}; the table that push writes was "
            f"compared with the versions {verified}"
        )
    return None
