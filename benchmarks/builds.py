"""Compile the guests, and time one build against plain componentize-py on the same app."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import attrs

import edgezero_spin
from benchmarks.peers import PeerMissingError, build_spin_sdk
from edgezero_spin.project.componentize import componentize_app

__all__ = ["Built", "build_guests", "plain_build_seconds"]

GUESTS = Path(__file__).parent / "guests"
BARE_WORLDS = {
    "bare_hello": "http-trigger",
    "bare_note": "http-trigger-stores",
}
OF_SPIN_SDK = {
    "spin_sdk_hello": "3.4.1",
    "spin_sdk_5_hello": "5.0.0",
    "spin_sdk_5_note": "5.0.0",
}


@attrs.frozen
class Built:
    """A compiled guest: its path, and the seconds that its build took."""

    path: Path
    seconds: float

    @property
    def megabytes(self) -> float:
        """Its size in units of a million bytes."""
        return self.path.stat().st_size / 1e6


def build_guests(folder: Path) -> dict[str, Built]:
    """Compile every guest that can be compiled on this machine."""
    built: dict[str, Built] = {}
    for name in ("bare_hello", "bare_note", "hello", "note", "note_layers"):
        output = folder / f"{name}.wasm"
        result = componentize_app(
            "app" if name in BARE_WORLDS else "app:app",
            output=output,
            folder=GUESTS / name,
            world=BARE_WORLDS.get(name),
        )
        built[name] = Built(output, result.seconds)
    for name in ("hello", "note"):
        output = folder / f"{name}_03.wasm"
        result = componentize_app("app:app", output=output, folder=GUESTS / name, wasi="0.3")
        built[f"{name}_03"] = Built(output, result.seconds)
    for name, release in OF_SPIN_SDK.items():
        try:
            started = time.monotonic()
            output = folder / f"{name}.wasm"
            build_spin_sdk(GUESTS / name, output, release)
            built[name] = Built(output, time.monotonic() - started)
        except PeerMissingError as error:
            print(f"spin-sdk {release} is left out: {error}", file=sys.stderr)
    return built


def plain_build_seconds(name: str, folder: Path) -> float:
    """Compile a guest with componentize-py alone, on the search path that we would give it."""
    no_env = folder / "no-environment"
    (no_env / "lib" / "site-packages").mkdir(parents=True, exist_ok=True)
    # The package as an installation has it: componentize-py searches a folder to the bottom,
    # and the checkout holds the peers.
    site = folder / "site"
    if not site.exists():
        package = Path(edgezero_spin.__file__).parent
        shutil.copytree(package, site / package.name, ignore=shutil.ignore_patterns("*.pyc"))
    paths = [str(GUESTS / name), *(p for p in sys.path[1:] if "site-packages" in p), str(site)]
    script = "import sys, componentize_py; sys.argv[:] = sys.argv[1:]; componentize_py.script()"
    argv = [sys.executable, "-c", script, "componentize-py", "-q"]
    argv += ["-w", "edgezero:spin/http-trigger@0.1.0", "componentize"]
    for path in paths:
        argv += ["-p", path]
    started = time.monotonic()
    subprocess.run(
        [*argv, "-o", str(folder / f"plain_{name}.wasm"), "app"],
        cwd=GUESTS / name,
        env={**os.environ, "VIRTUAL_ENV": str(no_env), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    return time.monotonic() - started
