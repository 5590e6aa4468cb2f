"""The application cache, also when several fill it and some of them lie or die."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgezero_spin.host.registry.cache import MAX_BYTES, PART_LIFETIME_S, ContentCache
from edgezero_spin.manifest.spin import FetchError
from tests.host.registry.oci_server import digest_of

DATA = b"some content"
DIGEST = digest_of(DATA)


def files_of(folder: Path) -> list[str]:
    """Names of all files, at any depth."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_content_is_kept_by_its_digest(tmp_path: Path) -> None:
    """Where Spin keeps it: components and files apart, and found in both (OCI-42)."""
    cache = ContentCache(tmp_path)
    assert cache.kept(DIGEST) is None
    assert cache.store(DIGEST, [DATA[:3], DATA[3:]], kind="data") == tmp_path / "data" / DIGEST
    assert ContentCache(tmp_path).kept(DIGEST) == tmp_path / "data" / DIGEST
    assert ContentCache(tmp_path).kept(DIGEST.upper().replace("SHA", "sha")) is not None
    assert cache.store(DIGEST, [DATA], size=len(DATA)) == tmp_path / "wasm" / DIGEST
    assert cache.kept(DIGEST) == tmp_path / "wasm" / DIGEST


def test_what_changed_is_not_kept(tmp_path: Path) -> None:
    """Also where the same object has read it before."""
    cache = ContentCache(tmp_path)
    path = cache.store(DIGEST, [DATA])
    assert cache.kept(DIGEST) == path
    path.write_bytes(b"other")
    assert cache.kept(DIGEST) is None
    assert ContentCache(tmp_path).kept(DIGEST) is None


def test_what_did_not_change_is_read_once(tmp_path: Path) -> None:
    """An application may have thousands of files, each looked up more than once."""
    cache = ContentCache(tmp_path)
    path = cache.store(DIGEST, [DATA])
    stamp = path.stat()
    path.write_bytes(b"same length!")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    # Nothing that a download leaves does this; it only shows that nobody read.
    assert cache.kept(DIGEST) == path
    assert ContentCache(tmp_path).kept(DIGEST) is None


@pytest.mark.parametrize(
    ("digest", "pieces", "size", "says"),
    [
        pytest.param(DIGEST, [b"x"], None, "invalid content digest; expected", id="other"),
        pytest.param(DIGEST, [DATA], 3, "larger than 3 bytes", id="too many"),
        pytest.param(DIGEST, [DATA], 99, "has 12 bytes, not 99", id="too few"),
        pytest.param(DIGEST, [DATA], MAX_BYTES + 1, "this host takes", id="huge"),
        pytest.param("sha256:../../x", [DATA], None, "invalid `digest`", id="a path"),
        pytest.param("sha512:00", [DATA], None, "invalid `digest`", id="of another kind"),
    ],
)
def test_what_is_not_stored(
    tmp_path: Path, digest: str, pieces: list[bytes], size: int | None, says: str
) -> None:
    """Nothing of it is left, not even a part."""
    with pytest.raises(FetchError, match=says):
        ContentCache(tmp_path).store(digest, pieces, size=size)
    assert files_of(tmp_path) == []


def test_no_piece_is_asked_for_past_the_limit(tmp_path: Path) -> None:
    """A server that never ends is left alone."""
    asked = 0

    def endless() -> Iterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 10

    with pytest.raises(FetchError, match="larger than 25 bytes"):
        ContentCache(tmp_path).store(DIGEST, endless(), size=25)
    assert asked == 3


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    """Neither does one that a person stops."""

    def broken(error: BaseException) -> Iterator[bytes]:
        yield DATA
        raise error

    for error in (FetchError("gone"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            ContentCache(tmp_path).store(DIGEST, broken(error))
        assert files_of(tmp_path) == []


def test_content_gets_its_name_after_it_was_looked_at(tmp_path: Path) -> None:
    """So nobody finds an archive in the cache whose files are not there yet."""
    cache = ContentCache(tmp_path)
    with cache.receiving(DIGEST, [DATA]) as part:
        assert part.read_bytes() == DATA
        assert ContentCache(tmp_path).kept(DIGEST) is None
    assert cache.kept(DIGEST) is not None
    other = digest_of(b"refused")
    with pytest.raises(FetchError, match="no"), cache.receiving(other, [b"refused"]):
        raise FetchError("no")
    assert files_of(tmp_path) == [DIGEST]


def test_only_what_is_wanted_is_sifted(tmp_path: Path) -> None:
    """The rest leaves no trace, and what is there is not written again."""
    cache = ContentCache(tmp_path)
    cache.sift([b"unwanted"], {DIGEST}, kind="data", size=8)
    assert files_of(tmp_path) == []
    for _ in range(2):
        cache.sift([DATA], {DIGEST}, kind="data", size=len(DATA))
        assert files_of(tmp_path) == [DIGEST]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The error names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match=f"cannot write {tmp_path}/file/wasm: Not a directory"):
        ContentCache(tmp_path / "file").store(DIGEST, [DATA])


def test_threads_fill_one_cache(tmp_path: Path) -> None:
    """Each has the whole file, whoever wrote it last."""
    start = threading.Barrier(8)

    def fill(_: int) -> None:
        start.wait(10)
        for _ in range(20):
            cache = ContentCache(tmp_path)
            assert cache.store(DIGEST, [DATA[:5], DATA[5:]]).read_bytes() == DATA
            assert cache.kept(DIGEST) is not None

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fill, range(8)))
    assert files_of(tmp_path) == [DIGEST]


WRITER = """
import sys
from pathlib import Path
from edgezero_spin.host.registry.cache import ContentCache

def pieces():
    yield b"some con"
    print("half", flush=True)
    sys.stdin.read()
    yield b"tent"

ContentCache(Path(sys.argv[1])).store(sys.argv[2], pieces())
"""


def test_a_process_that_is_killed_leaves_no_content(tmp_path: Path) -> None:
    """Its part has no digest for a name, and another process downloads the whole again."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), DIGEST],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.kill()
    assert ContentCache(tmp_path).kept(DIGEST) is None
    assert DIGEST not in files_of(tmp_path)
    ContentCache(tmp_path).store(DIGEST, [DATA])
    assert hashlib.sha256((tmp_path / "wasm" / DIGEST).read_bytes()).hexdigest() == DIGEST[7:]


def test_parts_of_the_dead_are_removed(tmp_path: Path) -> None:
    """Those of a day ago; a younger one may still be written to."""
    folder = tmp_path / "wasm"
    folder.mkdir()
    for name, age_s in ((".part-old", PART_LIFETIME_S + 60), (".part-new", 60)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    ContentCache(tmp_path).store(DIGEST, [DATA])
    assert files_of(tmp_path) == [".part-new", DIGEST]


def test_documents_are_replaced_whole(tmp_path: Path) -> None:
    """They lie below `manifests` (OCI-41)."""
    cache = ContentCache(tmp_path)
    for text in (b"{}", b'{"a": 1}'):
        path = cache.write_document(Path("ghcr.io/acme/shop/1.0"), "manifest.json", text)
        assert path == tmp_path / "manifests/ghcr.io/acme/shop/1.0/manifest.json"
        assert path.read_bytes() == text
    assert files_of(tmp_path) == ["manifest.json"]
