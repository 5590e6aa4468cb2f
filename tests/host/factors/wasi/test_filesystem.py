"""Mounted directories: reading works, changing does not, and nothing leads out (ENV-12 to 14)."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.filesystem.descriptors import (
    MAX_OPEN_FILES,
    Descriptor,
    DirectoryEntries,
    DirectoryMount,
    FileOutput,
    OpenFile,
)
from tests.host.support import call, error_of, instance_state

TYPES = "wasi:filesystem/types "
FDS = Path("/proc/self/fd")
FOLLOW = frozenset({"symlink-follow"})
READ = frozenset({"read"})
NOW = ("now", None)
FAR_OFF = ("timestamp", {"seconds": 2**64 - 1, "nanoseconds": 0})


class Guest:
    """What a guest with one mount can do."""

    def __init__(self, root: Path, *, writable: bool = False) -> None:
        self.state: InstanceState = instance_state(
            mounts=(DirectoryMount("/", root, writable=writable),)
        )
        self._dropped: list[Any] = []
        [(self.root, path)] = call(self.state, "wasi:filesystem/preopens get-directories")
        assert path == "/"
        self.keep(self.root)

    def keep(self, resource: Any) -> Any:
        """Drop it at the end."""
        self._dropped.append(resource)
        return resource

    def do(self, method: str, *arguments: object) -> Any:
        """Call a method of the root."""
        return call(self.state, f"{TYPES}[method]descriptor.{method}", self.root, *arguments)

    def refused(self, method: str, *arguments: object) -> Any:
        """The error code of a method of the root."""
        return error_of(self.state, f"{TYPES}[method]descriptor.{method}", self.root, *arguments)

    def open(
        self,
        path: str,
        *,
        follow: bool = True,
        how: frozenset[str] = frozenset(),
        flags: frozenset[str] = READ,
    ) -> Descriptor:
        """Open a path below the root."""
        found = self.do("open-at", FOLLOW if follow else frozenset(), path, how, flags)
        opened: Descriptor = self.keep(found)
        return opened

    def read(self, path: str) -> bytes:
        """Everything in a file."""
        stream = self.keep(
            call(self.state, f"{TYPES}[method]descriptor.read-via-stream", self.open(path), 0)
        )
        return bytes(
            call(self.state, "wasi:io/streams [method]input-stream.blocking-read", stream, 10_000)
        )

    def close(self) -> None:
        """Drop everything that was kept."""
        for resource in self._dropped:
            resource.drop(self.state)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A mount with files, folders and links, beside something secret."""
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("hello")
    (root / "sub" / "b.txt").write_text("below")
    (root / "inside").symlink_to("sub/b.txt")
    (root / "sub" / "up").symlink_to("../a.txt")
    (root / "folder").symlink_to("sub/deep")
    (root / "out").symlink_to("../secret.txt")
    (root / "far").symlink_to(tmp_path / "secret.txt")
    (root / "parent").symlink_to("..")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture
def guest(tree: Path) -> Iterator[Guest]:
    """A guest with the tree mounted read-only."""
    made = Guest(tree)
    yield made
    made.close()
    assert made.state.open_files == 0


@pytest.fixture
def writer(tree: Path) -> Iterator[Guest]:
    """A guest with the tree mounted writable (ENV-13)."""
    made = Guest(tree, writable=True)
    yield made
    made.close()
    assert made.state.open_files == 0


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.txt", b"hello"),
        ("./sub//b.txt", b"below"),
        ("sub/../a.txt", b"hello"),
        ("inside", b"below"),
        ("sub/up", b"hello"),
        ("folder/../b.txt", b"below"),
    ],
)
def test_paths_inside_are_found(guest: Guest, path: str, content: bytes) -> None:
    """Dots, slashes and links that stay inside lead where they say."""
    assert guest.read(path) == content


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/a.txt", "not-permitted"),
        ("..", "not-permitted"),
        ("../root/a.txt", "not-permitted"),
        ("sub/../../secret.txt", "not-permitted"),
        ("out", "not-permitted"),
        ("far", "not-permitted"),
        ("parent/secret.txt", "not-permitted"),
        ("parent", "not-permitted"),
        ("loop", "loop"),
        ("pipe", "not-permitted"),
        ("missing", "no-entry"),
        ("missing/a", "no-entry"),
        ("a.txt/b", "not-directory"),
        ("a.txt/", "not-directory"),
        ("", "no-entry"),
        ("a\0b", "invalid"),
        ("a/" * 300, "name-too-long"),
        ("x" * 5000, "name-too-long"),
    ],
)
def test_paths_that_lead_nowhere_or_out_are_refused(guest: Guest, path: str, code: str) -> None:
    """No spelling and no link reaches what is outside; each miss has its code (ENV-14)."""
    for method, rest in (("open-at", (frozenset(), READ)), ("stat-at", ())):
        if (method, path) == ("stat-at", "pipe"):
            continue
        assert guest.refused(method, FOLLOW, path, *rest) == code


def test_a_link_itself_is_not_opened(guest: Guest) -> None:
    """Without symlink-follow a link is a link: it can be looked at but not read."""
    assert guest.refused("open-at", frozenset(), "inside", frozenset(), READ) == "loop"
    assert guest.do("stat-at", frozenset(), "inside")["type"] == "symbolic-link"
    assert guest.do("readlink-at", "inside") == "sub/b.txt"
    assert guest.refused("readlink-at", "far") == "not-permitted"
    assert guest.refused("readlink-at", "a.txt") == "invalid"


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("create-directory-at", ("new",)),
        ("unlink-file-at", ("a.txt",)),
        ("remove-directory-at", ("sub",)),
        ("symlink-at", ("a.txt", "new")),
        ("set-times-at", (frozenset(), "a.txt", ("now", None), ("now", None))),
        ("set-times", (("now", None), ("now", None))),
        ("open-at", (frozenset(), "a.txt", frozenset(), frozenset({"read", "write"}))),
        ("open-at", (frozenset(), "new", frozenset({"create"}), READ)),
        ("open-at", (frozenset(), "a.txt", frozenset({"truncate"}), READ)),
        ("open-at", (frozenset(), "sub", frozenset(), frozenset({"mutate-directory"}))),
    ],
)
def test_a_read_only_mount_stays_as_it_is(
    guest: Guest, tree: Path, method: str, arguments: tuple[object, ...]
) -> None:
    """Everything that would change it is not permitted (ENV-12)."""
    before = sorted(path.name for path in tree.rglob("*"))
    assert guest.refused(method, *arguments) == "not-permitted"
    assert sorted(path.name for path in tree.rglob("*")) == before
    assert (tree / "a.txt").read_text() == "hello"


def test_read_only_files_and_links_between_mounts(guest: Guest) -> None:
    """Descriptors of files refuse writes, and no name is moved or linked."""
    file = guest.open("a.txt")
    methods: list[tuple[str, tuple[object, ...]]] = [
        ("write", (b"x", 0)),
        ("set-size", (0,)),
        ("write-via-stream", (0,)),
        ("append-via-stream", ()),
    ]
    for method, arguments in methods:
        name = f"{TYPES}[method]descriptor.{method}"
        assert error_of(guest.state, name, file, *arguments) == "not-permitted"
    assert guest.refused("rename-at", "a.txt", guest.root, "b.txt") == "not-permitted"
    assert guest.refused("link-at", frozenset(), "a.txt", guest.root, "b") == "not-permitted"


def test_reading_at_an_offset(guest: Guest) -> None:
    """Bytes from anywhere, and the end of the file told as such."""
    file = guest.open("a.txt")
    read = f"{TYPES}[method]descriptor.read"
    assert call(guest.state, read, file, 3, 1) == (b"ell", False)
    assert call(guest.state, read, file, 10, 5) == (b"", True)
    assert call(guest.state, read, file, 0, 0) == (b"", False)
    assert error_of(guest.state, read, file, 1, 1 << 63) == "invalid"
    assert guest.refused("read", 1, 0) == "is-directory"


def test_what_is_known_of_a_file(guest: Guest, tree: Path) -> None:
    """Type, size, times and identity are those of the host's file."""
    file = guest.open("a.txt")
    found = call(guest.state, f"{TYPES}[method]descriptor.stat", file)
    assert (found["type"], found["size"]) == ("regular-file", 5)
    seconds = found["data-modification-timestamp"]["seconds"]
    assert seconds == int((tree / "a.txt").stat().st_mtime)
    assert call(guest.state, f"{TYPES}[method]descriptor.get-type", guest.root) == "directory"
    assert call(guest.state, f"{TYPES}[method]descriptor.get-flags", file) == READ
    same = f"{TYPES}[method]descriptor.is-same-object"
    assert call(guest.state, same, file, guest.open("sub/up"))
    assert not call(guest.state, same, file, guest.open("inside"))


def test_a_metadata_hash_changes_with_the_file(guest: Guest, tree: Path) -> None:
    """It is stable while nothing changes and differs when something did."""
    first = guest.do("metadata-hash-at", FOLLOW, "a.txt")
    assert guest.do("metadata-hash-at", FOLLOW, "sub/up") == first
    (tree / "a.txt").write_text("hello, longer")
    assert guest.do("metadata-hash-at", FOLLOW, "a.txt") != first


def listed(guest: Guest, entries: DirectoryEntries) -> dict[str, str]:
    """Names and types of a directory."""
    read = f"{TYPES}[method]directory-entry-stream.read-directory-entry"
    found = {}
    while entry := call(guest.state, read, entries):
        found[entry["name"]] = entry["type"]
    assert call(guest.state, read, entries) is None
    return found


def test_a_directory_lists_its_names(guest: Guest) -> None:
    """Every entry once with its type, links not followed; files cannot be listed."""
    assert listed(guest, guest.do("read-directory")) == {
        "a.txt": "regular-file",
        "sub": "directory",
        "inside": "symbolic-link",
        "folder": "symbolic-link",
        "out": "symbolic-link",
        "far": "symbolic-link",
        "parent": "symbolic-link",
        "loop": "symbolic-link",
        "pipe": "unknown",
    }
    name = f"{TYPES}[method]descriptor.read-directory"
    assert error_of(guest.state, name, guest.open("a.txt")) == "not-directory"


def test_a_stream_outlives_its_descriptor(guest: Guest) -> None:
    """A file is closed behind the last of its users."""
    file = guest.do("open-at", FOLLOW, "a.txt", frozenset(), READ)
    stream = guest.keep(call(guest.state, f"{TYPES}[method]descriptor.read-via-stream", file, 1))
    file.drop(guest.state)
    read = "wasi:io/streams [method]input-stream.read"
    assert call(guest.state, read, stream, 10) == b"ello"
    assert error_of(guest.state, read, stream, 10) == ("closed", None)


def test_open_files_are_bounded(guest: Guest) -> None:
    """A guest that leaks handles gets an error and the host keeps its descriptors."""
    for _ in range(MAX_OPEN_FILES - 1):
        guest.open("a.txt")
    assert guest.refused("open-at", FOLLOW, "a.txt", frozenset(), READ) == "quota"


def open_descriptors() -> int:
    """Those of this process."""
    return len(list(FDS.iterdir()))


@pytest.mark.skipif(not FDS.is_dir(), reason="only Linux says what is open")
def test_no_descriptor_is_lost_on_a_wrong_way(tmp_path: Path, tree: Path) -> None:
    """Offsets that are none, limits that are met halfway, mounts that are gone."""
    begin = open_descriptors()
    mounts = (DirectoryMount("/", tree, writable=True), DirectoryMount("/more", tree))
    state = instance_state(mounts=mounts)
    (root, _), (more, _) = call(state, "wasi:filesystem/preopens get-directories")
    flags = frozenset({"read", "write"})
    for method, *arguments in (("read-via-stream", 2**63), ("write-via-stream", 2**64 - 1)):
        file = call(
            state, f"{TYPES}[method]descriptor.open-at", root, FOLLOW, "a.txt", set(), flags
        )
        name = f"{TYPES}[method]descriptor.{method}"
        assert error_of(state, name, file, *arguments) == "invalid"
        file.drop(state)
    state.open_files += MAX_OPEN_FILES - 3
    with pytest.raises(Trap, match="open files, which is its limit"):
        call(state, "wasi:filesystem/preopens get-directories")
    state.open_files -= MAX_OPEN_FILES - 3
    full = instance_state(mounts=mounts)
    full.table.limit = 1
    with pytest.raises(Trap, match="host resources, which is its limit"):
        call(full, "wasi:filesystem/preopens get-directories")
    gone = instance_state(mounts=(*mounts, DirectoryMount("/gone", tmp_path / "gone")))
    with pytest.raises(Trap, match="/gone cannot be opened: No such file"):
        call(gone, "wasi:filesystem/preopens get-directories")
    root.drop(state)
    more.drop(state)
    assert (open_descriptors(), state.open_files, gone.open_files) == (begin, 0, 0)


def test_a_writable_mount_can_be_changed(writer: Guest, tree: Path) -> None:
    """Create, write, append, resize, move, link and remove work on the host's files."""
    state = writer.state
    file = writer.open("new.txt", how=frozenset({"create"}), flags=frozenset({"read", "write"}))
    assert call(state, f"{TYPES}[method]descriptor.write", file, b"0123456789", 0) == 10
    call(state, f"{TYPES}[method]descriptor.set-size", file, 4)
    stream = writer.keep(call(state, f"{TYPES}[method]descriptor.append-via-stream", file))
    call(state, "wasi:io/streams [method]output-stream.blocking-write-and-flush", stream, b"-end")
    stream = writer.keep(call(state, f"{TYPES}[method]descriptor.write-via-stream", file, 1))
    call(state, "wasi:io/streams [method]output-stream.blocking-write-and-flush", stream, b"XY")
    call(state, f"{TYPES}[method]descriptor.sync", file)
    assert (tree / "new.txt").read_text() == "0XY3-end"
    times = ("timestamp", {"seconds": 1000, "nanoseconds": 5})
    writer.do("set-times-at", frozenset(), "new.txt", ("no-change", None), times)
    assert (tree / "new.txt").stat().st_mtime_ns == 1_000_000_000_005
    writer.do("create-directory-at", "made")
    writer.do("rename-at", "new.txt", writer.root, "made/moved.txt")
    writer.do("link-at", frozenset(), "made/moved.txt", writer.root, "linked")
    writer.do("symlink-at", "made/moved.txt", "pointer")
    assert writer.read("pointer") == b"0XY3-end"
    assert writer.refused("remove-directory-at", "made") == "not-empty"
    for name in ("made/moved.txt", "linked", "pointer"):
        writer.do("unlink-file-at", name)
    writer.do("remove-directory-at", "made")
    assert not (tree / "made").exists()


def test_a_slash_may_follow_the_name_of_a_directory(writer: Guest, tree: Path) -> None:
    """Where it is made, moved or removed; a file and a link are none."""
    writer.do("create-directory-at", "made/")
    writer.do("rename-at", "made/", writer.root, "sub/moved//")
    assert (tree / "sub" / "moved").is_dir()
    writer.do("remove-directory-at", "sub/moved/")
    assert not (tree / "sub" / "moved").exists()
    assert writer.refused("rename-at", "a.txt/", writer.root, "x") == "not-directory"
    assert writer.refused("rename-at", "a.txt", writer.root, "x/") == "not-directory"
    assert writer.refused("remove-directory-at", "folder/") == "not-directory"
    assert writer.refused("unlink-file-at", "a.txt/") == "not-directory"
    assert writer.refused("create-directory-at", "/") == "not-permitted"


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("set-times-at", (frozenset(), "a.txt", NOW, FAR_OFF), "overflow"),
        ("set-times", (FAR_OFF, NOW), "overflow"),
        ("symlink-at", ("a\0b", "new"), "invalid"),
        ("symlink-at", ("a.txt", "new\0"), "invalid"),
        ("readlink-at", ("odd",), "illegal-byte-sequence"),
    ],
)
def test_what_the_system_cannot_take_or_a_guest_be_told(
    writer: Guest, tree: Path, method: str, arguments: tuple[Any, ...], code: str
) -> None:
    """Times, names and targets without a place on the other side are errors and no traps."""
    (tree / "odd").symlink_to(os.fsdecode(b"\xff"))
    assert writer.refused(method, *arguments) == code


def test_a_writable_mount_ends_at_its_walls(writer: Guest, tree: Path) -> None:
    """Nothing is created, moved or linked outside, nor a way there laid."""
    create = frozenset({"create"})
    write = frozenset({"write"})
    assert writer.refused("open-at", FOLLOW, "out", create, write) == "not-permitted"
    assert writer.refused("open-at", FOLLOW, "parent/new", create, write) == "not-permitted"
    assert writer.refused("create-directory-at", "../new") == "not-permitted"
    assert writer.refused("rename-at", "a.txt", writer.root, "../a.txt") == "not-permitted"
    assert writer.refused("symlink-at", "/etc/passwd", "new") == "not-permitted"
    assert writer.refused("link-at", FOLLOW, "out", writer.root, "new") == "invalid"
    assert (tree.parent / "secret.txt").read_text() == "secret"
    assert sorted(path.name for path in tree.parent.iterdir()) == ["root", "secret.txt"]


def test_opening_a_folder_as_a_file_and_the_other_way(writer: Guest) -> None:
    """Kinds that do not fit have their codes."""
    directory = frozenset({"directory"})
    assert writer.refused("open-at", FOLLOW, "a.txt", directory, READ) == "not-directory"
    assert writer.refused("open-at", FOLLOW, "sub", frozenset(), frozenset({"write"})) in (
        "is-directory",
    )
    assert writer.refused("open-at", FOLLOW, "x", directory | {"create"}, READ) == "invalid"
    exclusive = frozenset({"create", "exclusive"})
    assert writer.refused("open-at", FOLLOW, "a.txt", exclusive, READ) == "exist"


def test_without_mounts_there_is_nothing() -> None:
    """The list of preopened directories is empty (ENV-14)."""
    assert call(instance_state(), "wasi:filesystem/preopens get-directories") == []


@pytest.mark.skipif(not hasattr(os, "RWF_APPEND"), reason="the system appends in two steps")
def test_streams_that_append_lose_nothing_of_each_other(tmp_path: Path) -> None:
    """Instances that append to one file at once, as to a journal, never write over a line."""
    line, count = b"x" * 999 + b"\n", 200
    (tmp_path / "journal").touch()

    def append() -> None:
        number = os.open(tmp_path / "journal", os.O_WRONLY)
        output = FileOutput(OpenFile(instance_state(), number), None)
        for _ in range(count):
            output.write(line)
        os.close(number)

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "journal").read_bytes() == line * count * 4
