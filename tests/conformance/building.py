"""Compile a guest for a world of the tests' own, with componentize-py as it comes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import edgezero_spin

__all__ = ["build_guest"]

WIT = Path(edgezero_spin.__file__).parent / "wit"


def build_guest(guest: Path, wit: Path, world: str, output: Path) -> None:
    """Compile ``guest/app.py`` for ``world``.

    Args:
        guest: The folder of the module ``app``.
        wit: Folder with the world and the packages that ``edgezero_spin/wit`` lacks.
        world: Its full name.
        output: Where the component goes. What the build needs besides stands next to it.
    """
    packages = output.with_name("wit")
    shutil.copytree(WIT / "deps", packages / "deps", dirs_exist_ok=True)
    shutil.copytree(wit, packages, dirs_exist_ok=True)
    # componentize-py adds what is below VIRTUAL_ENV, or else what the first python3 has.
    no_env = output.with_name("no-environment")
    (no_env / "lib" / "site-packages").mkdir(parents=True, exist_ok=True)
    script = "import sys, componentize_py; sys.argv[:] = sys.argv[1:]; componentize_py.script()"
    argv = ["componentize-py", "-q", "-d", str(packages), "-w", world, "componentize"]
    done = subprocess.run(
        [sys.executable, "-c", script, *argv, "-p", str(guest), "-o", str(output), "app"],
        env={**os.environ, "VIRTUAL_ENV": str(no_env), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
