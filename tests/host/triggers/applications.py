"""Applications with triggers, made in a folder, and hosts of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

from edgezero_spin.host import Host, HostSettings, RunOptions
from edgezero_spin.host.runtime.engine import Engine
from tests.host.support import Capture
from tests.host.triggers.guest import guest

__all__ = ["hosted", "write_app"]

HEAD = """spin_manifest_version = 2
[application]
name = "events"
"""


def write_app(folder: Path, triggers: str, *kinds: str, ids: tuple[str, ...] = ("worker",)) -> Path:
    """Write a manifest with these triggers, and its components; return its path."""
    (folder / "guest.wat").write_text(guest(*kinds))
    components = "".join(f'[component.{id}]\nsource = "guest.wat"\n' for id in ids)
    path = folder / "spin.toml"
    path.write_text(f"{HEAD}{triggers}\n{components}")
    return path


@contextmanager
def hosted(
    path: Path, shared: Engine, **options: Unpack[RunOptions]
) -> Iterator[tuple[Host, Capture]]:
    """Run an application; yield its host, and what its components print."""
    printed = Capture()
    given: dict[str, Any] = {
        "engine": shared,
        "state_dir": "",
        "log_dir": "",
        "echo_to": printed,
        "settings": HostSettings(cache_dir=None),
        **options,
    }
    with Host.from_manifest(path, **given) as host:
        yield host, printed
