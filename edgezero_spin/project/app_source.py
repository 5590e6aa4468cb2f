"""Sources of the application that ``edgezero up`` runs: this disk, or a registry.

Source: contract spin-host.md, CLI-10, CLI-12 and OCI-27.
"""

from pathlib import Path

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.image_reference import is_probable_reference, without_credentials
from edgezero_spin.project.locate import find_spin_manifest

__all__ = ["AppSource", "choose_source"]


@attrs.frozen
class AppSource:
    """An application that can be run.

    Attributes:
        path: A manifest, a lock or a component on this disk.
        reference: An image in a registry, where there is no path.
    """

    path: Path | None = None
    reference: str | None = None

    @property
    def is_lock(self) -> bool:
        """Whether it is a locked application."""
        return self.path is not None and self.path.suffix in (".lock", ".json")

    @property
    def is_manifest(self) -> bool:
        """Whether it is a ``spin.toml``, which can be built."""
        return (
            self.path is not None and not self.is_lock and self.path.suffix not in (".wasm", ".wat")
        )


def choose_source(
    either: str | None = None, *, file: str | None = None, image: str | None = None
) -> AppSource:
    """Return what is meant; the nearest ``spin.toml`` when nothing is named.

    Args:
        either: What ``--from`` names: a path if there is one, else an image if it looks
            like one.
        file: What ``--from-file`` names.
        image: What ``--from-registry`` names.

    Raises:
        ProjectError: There is no such thing.
    """
    if image is not None:
        return AppSource(reference=image)
    if either is not None and not Path(either).exists():
        if is_probable_reference(either):
            return AppSource(reference=either)
        raise ProjectError(
            f"File or directory '{without_credentials(either)}' not found. If you meant to load "
            "from a registry, use the `--from-registry` option."
        )
    return AppSource(path=find_spin_manifest(file if either is None else either))
