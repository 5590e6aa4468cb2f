"""Root certificates as files."""

from pathlib import Path

import pytest

from edgezero_spin.host.factors.postgres import factor
from edgezero_spin.host.factors.postgres.factor import RootFiles


def test_certificates_without_end_do_not_fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that was used longest ago gives way; a certificate that comes back has a new one."""
    monkeypatch.setattr(factor, "MAX_FILES", 2)
    files = RootFiles()
    try:
        first, second = files.file("first"), files.file("second")
        assert files.file("first") == first
        third = files.file("third")
        assert sorted(first.parent.iterdir()) == sorted([first, third])
        assert files.file("second") == second
        assert second.read_bytes().endswith(b"second\n")
    finally:
        files.close()
    assert not Path(first.parent).exists()
