"""Build the components of an application, once for all who test it at the same time.

Workers of pytest-xdist, and runs in several terminals, take turns: who comes second finds the
components built and goes on.
"""

import contextlib
import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edgezero_spin.manifest.spin import SpinManifest, load_spin_manifest
from edgezero_spin.project.build import BuildStep, plan_build
from edgezero_spin.project.children import search_path
from edgezero_spin.project.world import Wasi
from edgezero_spin.testing.errors import KitError, MissingComponentError, StaleComponentError
from edgezero_spin.testing.generations import WASI_VARIABLE, check_wasi, is_of_its_wasi
from edgezero_spin.testing.sources import check_fresh, component_files

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["LOGGER", "build_components"]

LOGGER: Final = "edgezero_spin.testing.building"
"""Where a line goes when a build takes longer than a second, at the level INFO."""

_log = logging.getLogger(LOGGER)

_QUIET_S = 1.0

_OTHER_WASI = (
    "its build command has to call `edgezero componentize` without --wasi, which hears of it by "
    f"the variable {WASI_VARIABLE}"
)


def build_components(
    manifest: Path, *, always: bool, since_ns: int, wasi: Wasi | None = None
) -> None:
    """Run the build commands of a ``spin.toml``, when there is something to build.

    Args:
        manifest: The ``spin.toml``.
        always: Also when no source has changed.
        since_ns: When this run began; what was built after that is built.
        wasi: The WASI to build for; ``None`` for the project's.

    Raises:
        KitError: A command failed; the message holds what it said. Or it built for another WASI,
            or what the manifest's target environments do not run.
    """
    with _in_turn(manifest):
        if not _is_fresh(manifest, since_ns if always else 0, wasi):
            for step in plan_build(manifest):
                _run(step, wasi)
        _check_targets(load_spin_manifest(manifest))
    if wasi is not None:
        check_wasi(load_spin_manifest(manifest), wasi, _OTHER_WASI)


def _check_targets(manifest: SpinManifest) -> None:
    """Compare what was built with the target environments, where the manifest names any."""
    if not manifest.has_targets:
        return
    # Slow to import, and most manifests name no targets.
    from edgezero_spin.host.registry.downloads import Downloads
    from edgezero_spin.host.runtime.component_loading import read_wasm
    from edgezero_spin.host.settings import default_downloads_dir
    from edgezero_spin.project.target_check import TargetCheckError, check_targets

    try:
        check_targets(manifest, (), Downloads(default_downloads_dir()), read_wasm)
    except TargetCheckError as error:
        raise KitError(str(error)) from error


@contextlib.contextmanager
def _in_turn(manifest: Path) -> Iterator[None]:
    """Wait until nobody else builds this application."""
    with manifest.open("rb") as file:
        if fcntl is not None:
            # Ends with the file.
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_fresh(manifest: Path, since_ns: int, wasi: Wasi | None) -> bool:
    loaded = load_spin_manifest(manifest)
    try:
        files = component_files(loaded)
        check_fresh(loaded)
    except (MissingComponentError, StaleComponentError):
        return False
    newer = all(file.stat().st_mtime_ns >= since_ns for file in files)
    return newer and is_of_its_wasi(loaded, wasi)


def _run(step: BuildStep, wasi: Wasi | None) -> None:
    """Run a build step, and show what it says only when it fails."""
    with subprocess.Popen(
        step.command,
        shell=True,
        cwd=step.workdir,
        env={
            **os.environ,
            "PATH": search_path(),
            **({} if wasi is None else {WASI_VARIABLE: wasi}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            output, errors = child.communicate(timeout=_QUIET_S)
        except subprocess.TimeoutExpired:
            _log.info("building %s: %s", step.component_id, step.command)
            output, errors = child.communicate()
    if child.returncode:
        raise KitError(
            f"the build of component {step.component_id} failed with status {child.returncode}: "
            f"{step.command}\n{output}{errors}"
        )
