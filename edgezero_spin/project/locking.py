"""Write the ``spin.lock`` of an application.

In: a ``spin.toml``. Out: the lock file and, where components have files, a folder of copies
beside it named ``<lock>.assets``, which is made anew each time. What has to be downloaded
is fetched by a function that the caller gives.

Source: contract spin-host.md, LOCK-1 to LOCK-38 and MAN-69, MAN-70.
"""

import shutil
import tempfile
from pathlib import Path

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.spin import Fetch, LockedApp, load_spin_manifest, lock_application

__all__ = ["assets_dir_of", "lock_text", "write_lock"]


def assets_dir_of(lock: Path) -> Path:
    """Return the folder of copied files that belongs to a lock."""
    return lock.with_name(f"{lock.name}.assets")


def lock_text(
    manifest_path: Path, *, profile: str | None = None, fetch: Fetch | None = None
) -> str:
    """Return the text of a lock that shows components the manifest's folders themselves.

    Raises:
        ManifestError: The manifest cannot be used.
    """
    manifest = load_spin_manifest(manifest_path, profile=profile)
    return _text(lock_application(manifest, in_place=True, fetch=fetch))


def write_lock(
    manifest_path: Path,
    lock: Path,
    *,
    profile: str | None = None,
    direct_mounts: bool = False,
    fetch: Fetch | None = None,
) -> LockedApp:
    """Write a lock; an older one and its assets stay as they are if that fails.

    Args:
        manifest_path: The application's ``spin.toml``.
        lock: The file to write.
        direct_mounts: Refer to the manifest's folders instead of copying files.
        fetch: Gets sources that have to be downloaded.

    Raises:
        ManifestError: The manifest cannot be used.
        ProjectError: The lock cannot be written.
    """
    manifest = load_spin_manifest(manifest_path, profile=profile)
    lock = lock.absolute()
    assets = assets_dir_of(lock)
    try:
        with tempfile.TemporaryDirectory(dir=lock.parent, prefix=".lock-") as folder:
            # A trial: what cannot be locked must not replace what could.
            if not direct_mounts:
                lock_application(manifest, assets_dir=Path(folder) / "trial", fetch=fetch)
                shutil.rmtree(assets, ignore_errors=True)
            app = lock_application(manifest, assets_dir=assets, in_place=direct_mounts, fetch=fetch)
            part = Path(folder) / lock.name
            part.write_text(_text(app), encoding="utf-8")
            part.replace(lock)
    except OSError as error:
        raise ProjectError(f"cannot write {lock}: {error.strerror or error}") from error
    return app


def _text(app: LockedApp) -> str:
    return app.to_json() + "\n"
