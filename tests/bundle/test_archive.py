"""The archive: what goes in comes out, and what nobody wants is left out by the chunk."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.bundle.archive import Archive, ArchiveWriter


@given(st.dictionaries(st.text(min_size=1), st.binary(max_size=200_000), max_size=8))
def test_files_come_out_as_they_went_in(files: dict[str, bytes]) -> None:
    """Whatever their names and sizes, also beyond one chunk."""
    writer = ArchiveWriter()
    for path, data in files.items():
        writer.add_file(path, data)
    archive = Archive.read_from(io.BytesIO(writer.finish()))
    assert {path: archive.read(entry) for path, entry in archive.files.items()} == files


def test_a_chunk_that_nobody_wants_is_left_out() -> None:
    """Groups do not share chunks, so a package that is loaded already weighs nothing."""
    writer = ArchiveWriter()
    for name in ("one", "one.a", "two", "two.b"):
        writer.add_module(
            name,
            name.encode() * 100,
            path=f"/{name}",
            is_package=False,
            is_source=False,
            group=name[:3],
        )
    archive = Archive.read_from(io.BytesIO(writer.finish()), {"one", "one.a", "two"}.__contains__)
    assert list(archive.modules) == ["two.b"]
    assert archive.read(archive.modules["two.b"]) == b"two.b" * 100
    assert [bool(chunk) for chunk in archive.chunks] == [False, True]


def test_a_cut_archive_is_refused() -> None:
    """Half an index is an error, not an empty archive."""
    writer = ArchiveWriter()
    writer.add_file("/a", b"data")
    with pytest.raises(Exception, match=r"incomplete|truncated|marshal"):
        Archive.read_from(io.BytesIO(writer.finish()[:20]))
