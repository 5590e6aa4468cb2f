"""Version of Spin that a component needs, compared with the installed one.

In: the file of a component. Out: the version that it needs and the one that is there, where the
latter is older.

Source: contract wasi03.md, XP-1; the releases of Spin.
"""

from pathlib import Path

import attrs

from edgezero_spin.project.inspection import inspect_component
from edgezero_spin.project.spin_version import installed_spin, parse_spin_version

__all__ = ["OutdatedSpin", "outdated_spin"]


@attrs.frozen
class OutdatedSpin:
    """A Spin that does not run a component.

    Attributes:
        needed: The least version that does, ``4.1``.
        installed: What ``spin --version`` says.
    """

    needed: str
    installed: str

    def __str__(self) -> str:
        return f"needs Spin {self.needed} or later; installed is {self.installed}"


def outdated_spin(wasm: Path) -> OutdatedSpin | None:
    """Return what is wrong with the installed Spin for a component; ``None`` for nothing.

    Raises:
        InspectionError: The file is not a component.
    """
    needed = inspect_component(wasm).spin
    installed = None if needed is None else installed_spin()
    version = None if installed is None else parse_spin_version(installed)
    if needed is None or installed is None or version is None:
        return None
    older = version < tuple(map(int, needed.split(".")))
    return OutdatedSpin(needed, installed) if older else None
