"""Histories of a guest that does anything to its files, in any order and with any argument."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.factors.wasi.filesystem.descriptors import DirectoryMount
from edgezero_spin.host.runtime.interface import WitError
from tests.host.support import call, instance_state

METHOD = "wasi:filesystem/types [method]descriptor."
FDS = Path("/proc/self/fd")
STEPS = 10_000

NAMES = (
    *("a", "b", "d", "d/e", "d/", "a/", "d/e/", ".", "", "é", "a//b", "./d/./e", "a" * 256),
    *("..", "../secret", "/", "/etc/passwd", "x/../a", "d/../..", "../root/a", "a\0b"),
)
USUAL_NAMES = ("a", "b", "d", "d/e")
NUMBERS = (0, 1, 5, 4096, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
TIMES = (
    ("no-change", None),
    ("now", None),
    ("timestamp", {"seconds": 0, "nanoseconds": 0}),
    ("timestamp", {"seconds": 2**64 - 1, "nanoseconds": 2**32 - 1}),
)


class Guest:
    """Draws its arguments from a source of chance, and keeps what it is given."""

    def __init__(self, chance: random.Random, root: Path, *, writable: bool) -> None:
        self._chance = chance
        self.state = instance_state(mounts=(DirectoryMount("/", root, writable=writable),))
        [(descriptor, _)] = call(self.state, "wasi:filesystem/preopens get-directories")
        self.descriptors: list[Any] = [descriptor]
        self.streams: list[Any] = []

    def name(self) -> str:
        return self._chance.choice(NAMES if self._chance.random() < 0.3 else USUAL_NAMES)

    def number(self) -> int:
        return self._chance.choice(NUMBERS)

    def time(self) -> Any:
        return self._chance.choice(TIMES)

    def some(self, *flags: str) -> frozenset[str]:
        share = self._chance.random()
        return frozenset(flag for flag in flags if self._chance.random() < share)

    def links(self) -> frozenset[str]:
        return self.some("symlink-follow")

    def opening(self) -> frozenset[str]:
        return self.some("create", "directory", "exclusive", "truncate")

    def rights(self) -> frozenset[str]:
        return self.some("read", "write", "mutate-directory")

    def data(self) -> bytes:
        return b"abc"

    def other(self) -> Any:
        return self._chance.choice(self.descriptors)

    def step(self) -> None:
        """Do one thing, and let go of something now and then."""
        # Without files there is little to do.
        method = "open-at" if self._chance.random() < 0.3 else self._chance.choice(METHODS)
        makers = OPERATIONS[method]
        try:
            found = call(self.state, METHOD + method, *(make(self) for make in makers))
        except WitError:
            return
        if method == "open-at":
            self.descriptors.append(found)
        elif method in ("read-via-stream", "write-via-stream", "append-via-stream"):
            self.streams.append(found)
        for kept in (self.descriptors[1:], self.streams):
            if len(kept) > self._chance.randrange(50):
                gone = self._chance.choice(kept)
                (self.descriptors if gone in self.descriptors else self.streams).remove(gone)
                gone.drop(self.state)

    def leave(self) -> None:
        """Let go of everything."""
        for kept in (*self.descriptors, *self.streams):
            kept.drop(self.state)


Makers = tuple[Callable[[Guest], Any], ...]

OPERATIONS: dict[str, Makers] = {
    "open-at": (Guest.other, Guest.links, Guest.name, Guest.opening, Guest.rights),
    "create-directory-at": (Guest.other, Guest.name),
    "stat-at": (Guest.other, Guest.links, Guest.name),
    "set-times-at": (Guest.other, Guest.links, Guest.name, Guest.time, Guest.time),
    "link-at": (Guest.other, Guest.links, Guest.name, Guest.other, Guest.name),
    "readlink-at": (Guest.other, Guest.name),
    "remove-directory-at": (Guest.other, Guest.name),
    "rename-at": (Guest.other, Guest.name, Guest.other, Guest.name),
    "symlink-at": (Guest.other, Guest.name, Guest.name),
    "unlink-file-at": (Guest.other, Guest.name),
    "metadata-hash-at": (Guest.other, Guest.links, Guest.name),
    "read-via-stream": (Guest.other, Guest.number),
    "write-via-stream": (Guest.other, Guest.number),
    "append-via-stream": (Guest.other,),
    "set-size": (Guest.other, Guest.number),
    "set-times": (Guest.other, Guest.time, Guest.time),
    "read": (Guest.other, Guest.number, Guest.number),
    "write": (Guest.other, Guest.data, Guest.number),
    "read-directory": (Guest.other,),
    "sync": (Guest.other,),
    "stat": (Guest.other,),
    "is-same-object": (Guest.other, Guest.other),
}

METHODS = tuple(OPERATIONS)


@pytest.mark.skipif(not FDS.is_dir(), reason="only Linux says what is open")
@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_every_history_ends_well(tmp_path: Path, seed: int, writable: bool) -> None:
    """Errors have codes, nothing outside is touched, and no descriptor stays open (ENV-14)."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_text("kept")
    (tmp_path / "secret").write_text("secret")
    begin = len(list(FDS.iterdir()))
    guest = Guest(random.Random(seed), root, writable=writable)
    try:
        for _ in range(STEPS):
            guest.step()
    except Trap as error:
        pytest.fail(f"the guest was stopped: {error}")
    finally:
        guest.leave()
    assert guest.state.open_files == 0
    assert len(list(FDS.iterdir())) == begin
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "secret"]
    assert (tmp_path / "secret").read_text() == "secret"
    if not writable:
        assert [(path.name, path.read_text()) for path in root.iterdir()] == [("a", "kept")]
