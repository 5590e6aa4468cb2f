"""Examine the machine: the interpreter, the tools of this package, and Spin.

Source: contract edgezero.md, SQL-11 to SQL-13; the versions are those of pyproject.toml.
"""

import importlib.metadata
import shutil
import sys
from collections.abc import Iterator, Mapping

from edgezero_spin.project.doctor_report import DoctorFinding, fine, problem, remark
from edgezero_spin.project.spin_environment import SPIN_MEMORY_SETTINGS
from edgezero_spin.project.spin_version import VERIFIED_MAJORS, installed_spin, parse_spin_major

__all__ = ["OLDEST_PYTHON", "TOOLS", "examine_machine"]

OLDEST_PYTHON = (3, 11)

VersionNumbers = tuple[int, ...]

TOOLS: dict[str, tuple[VersionNumbers, VersionNumbers]] = {
    "componentize-py": ((0, 25, 1), (0, 26)),
    "wasmtime": ((50, 0, 1), (51,)),
}
"""What compiles and what runs a component: the oldest version, and the first too new."""

_INSTALL = 'pip install --upgrade "edgezero-spin[tools]"'


def examine_machine(environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Yield what is found on the machine, given the variables of this process."""
    yield _python()
    for tool, (oldest, too_new) in TOOLS.items():
        yield _tool(tool, oldest, too_new)
    yield _spin()
    unset = [name for name in SPIN_MEMORY_SETTINGS if name not in environ]
    if unset and shutil.which("spin") is not None:
        shown = " ".join(f"{name}={SPIN_MEMORY_SETTINGS[name]}" for name in unset)
        yield remark(
            "a Spin that `edgezero serve` does not start maps most of a Python component's memory "
            "anew for every request, which halves its requests per second",
            f"Where you run `spin up`, set {shown}.",
        )


def _python() -> DoctorFinding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        return problem(f"Python {version} is older than {needed}", f"Install Python {needed}.")
    return fine(f"Python {version}")


def _tool(name: str, oldest: VersionNumbers, too_new: VersionNumbers) -> DoctorFinding:
    try:
        text = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return problem(f"{name} is not installed", f"Run {_INSTALL}.")
    wanted = f"at least {_shown(oldest)} and below {_shown(too_new)}"
    if not oldest <= _numbers(text) < too_new:
        return problem(
            f"{name} {text} is not one that this package works with",
            f"It needs {wanted}: run {_INSTALL}.",
        )
    return fine(f"{name} {text}")


def _spin() -> DoctorFinding:
    if shutil.which("spin") is None:
        return remark(
            "Spin is not installed: `edgezero serve` uses its own host, and `deploy`, `auth` "
            "and pushing to the cloud do not work",
            "Install it from https://spinframework.dev/.",
        )
    text = installed_spin()
    major = None if text is None else parse_spin_major(text)
    if major is None:
        answer = "does not answer" if text is None else f"answers {text!r}"
        return remark(
            f"Spin is installed, and `spin --version` {answer}",
            "Install it anew from https://spinframework.dev/.",
        )
    if major not in VERIFIED_MAJORS:
        verified = ", ".join(map(str, VERIFIED_MAJORS))
        return remark(
            f"{text}: the table that `config push` writes was compared with Spin {verified} only",
            "After a push, look whether the application reads what was pushed; or install one "
            "of these versions.",
        )
    return fine(str(text))


def _numbers(text: str) -> VersionNumbers:
    """Return the leading numbers of a version: ``50.0.1rc2`` is (50, 0, 1)."""
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def _shown(version: VersionNumbers) -> str:
    return ".".join(map(str, version))
