"""Archive layers: what Spin packs comes out, and what somebody else packs cannot get out."""

import gzip
import io
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from edgezero_spin.host.registry.cache import ContentCache
from edgezero_spin.host.registry.images import archive
from edgezero_spin.host.registry.images.archive import unpack_archive
from edgezero_spin.manifest.spin import FetchError
from tests.host.registry.images.images import archive_of
from tests.host.registry.oci_server import digest_of

PAGE = b"<h1>page</h1>" * 100


def unpacked(folder: Path, content: bytes, *wanted: bytes) -> set[bytes]:
    """What lies in the cache afterwards."""
    path = folder / "layer.tar.gz"
    path.write_bytes(content)
    cache = ContentCache(folder / "cache")
    unpack_archive(path, {digest_of(data) for data in wanted}, cache)
    return {file.read_bytes() for file in (folder / "cache").rglob("*") if file.is_file()}


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> bytes:
    """An archive of one member, of any kind."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    info.size = size
    return archive_of({}, info)


def test_files_come_out_by_their_digest(tmp_path: Path) -> None:
    """Those that are asked for, whatever their name is (OCI-12)."""
    content = archive_of({"a/page": PAGE, "b": b"", "c": b"not asked for"})
    assert unpacked(tmp_path, content, PAGE, b"") == {PAGE, b""}


def test_long_names_are_read(tmp_path: Path) -> None:
    """In both ways in which archives have them."""
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", format=form) as packed:
            info = tarfile.TarInfo("./" + "ä/" * 200 + "page")
            info.size = len(PAGE)
            packed.addfile(info, io.BytesIO(PAGE))
        assert unpacked(tmp_path, buffer.getvalue(), PAGE) == {PAGE}


@pytest.mark.parametrize(
    "link", ["../page", "page", "b/../../page"], ids=["beside", "own folder", "through"]
)
def test_links_inside_are_passed_over(tmp_path: Path, link: str) -> None:
    """Spin makes none; they stand for no content."""
    info = tarfile.TarInfo("./a/link")
    info.type = tarfile.SYMTYPE
    info.linkname = link
    assert unpacked(tmp_path, archive_of({"page": PAGE}, info), PAGE) == {PAGE}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(member("../evil"), "'../evil' leads out", id="parent"),
        pytest.param(member("a/../../evil"), "leads out", id="parent inside"),
        pytest.param(member("/etc/evil"), "'/etc/evil' leads out", id="absolute"),
        pytest.param(member("a\\..\\evil"), "leads out", id="windows"),
        pytest.param(member("a", tarfile.SYMTYPE, "/etc/passwd"), "link 'a' leads", id="symlink"),
        pytest.param(member("a/b", tarfile.SYMTYPE, "../../x"), "link 'a/b' leads", id="deep"),
        pytest.param(member("a", tarfile.LNKTYPE, "../x"), "link 'a' leads", id="hard link"),
        pytest.param(member("a", tarfile.FIFOTYPE), "neither file nor folder", id="pipe"),
        pytest.param(member("a", tarfile.CHRTYPE), "neither file nor folder", id="device"),
        pytest.param(b"no archive", "not a tar.gz archive", id="no gzip"),
        pytest.param(gzip.compress(b"no archive" * 100), "not a tar.gz archive", id="no tar"),
        pytest.param(archive_of({"a": PAGE})[:-20], "not a tar.gz archive", id="cut"),
        pytest.param(member("a", size=512)[:60], "not a tar.gz archive", id="cut early"),
    ],
)
def test_archives_that_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """The member is named, and nothing is written."""
    with pytest.raises(FetchError, match=says.replace("\\", "\\\\")):
        unpacked(tmp_path, content)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["layer.tar.gz"]


def bomb() -> bytes:
    """A file of zeros that is a thousandth of its size."""
    size = archive.FREE_BYTES + 1024
    return member("zeros", size=size)


def header_bomb() -> bytes:
    """One name of 100 MiB, which a reader keeps in memory."""
    return member("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=100 * 1024 * 1024)


def pax_bomb() -> bytes:
    """The same by the other way."""
    return member("x", tarfile.XHDTYPE, size=100 * 1024 * 1024)


def chained_headers() -> bytes:
    """Headers that each announce another one, read by recursion."""
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    return gzip.compress(header.tobuf() * 5000, 1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (bomb, "unpacks to more than"),
        (header_bomb, "headers have more than"),
        (pax_bomb, "headers have more than"),
        (chained_headers, "not a tar.gz archive"),
    ],
)
def test_bombs_do_not_go_off(tmp_path: Path, content: Callable[[], bytes], says: str) -> None:
    """Neither on the disk nor in memory."""
    packed = content()
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match=says):
            unpacked(tmp_path, packed, PAGE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 256 * 1024 * 1024
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["layer.tar.gz"]


def test_members_are_counted_by_their_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders without end are none, whatever little they shrink to."""
    header = tarfile.TarInfo("d")
    header.type = tarfile.DIRTYPE
    content = gzip.compress(header.tobuf() * 1000)
    assert unpacked(tmp_path, content) == set()
    monkeypatch.setattr(archive, "MAX_HEADER_BYTES", 900 * 512)
    with pytest.raises(FetchError, match="headers have more than 460800 bytes"):
        unpacked(tmp_path, content)


def test_a_large_archive_may_unpack_to_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many times its size as any real content shrinks, and no more than the disk is to take."""
    content = archive_of({"page": PAGE})
    monkeypatch.setattr(archive, "FREE_BYTES", 0)
    assert unpacked(tmp_path, content, PAGE) == {PAGE}
    monkeypatch.setattr(archive, "MAX_RATIO", 2)
    with pytest.raises(FetchError, match=f"unpacks to more than {2 * len(content)} bytes"):
        unpacked(tmp_path, content, PAGE)
    monkeypatch.setattr(archive, "MAX_RATIO", 200)
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(FetchError, match="unpacks to more than 1000 bytes"):
        unpacked(tmp_path, content, PAGE)


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    """It could claim any size without content."""
    info = tarfile.TarInfo("holes")
    info.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(FetchError, match="'holes' is a sparse file"):
        unpacked(tmp_path, archive_of({}, info))
