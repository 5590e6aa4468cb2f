"""What loses its docstrings and assertions while a component is built, and what keeps them."""

from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.bundle import lean_imports

MODULE = '''"""About the module."""


def function() -> int:
    """About the function."""
    assert False, "never"
    return 7
'''


@pytest.mark.parametrize(
    ("folder", "lean"), [("cattrs", True), ("edgezero_spin/core", True), ("my_attrs", False)]
)
def test_packages_of_every_component_are_lean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, lean: bool
) -> None:
    """Their code is that of ``python -OO``, also beside a cached one; an app's is as it was."""
    # Whatever is put there, the test takes away.
    monkeypatch.setattr(SourceFileLoader, "get_code", SourceFileLoader.get_code)
    path = tmp_path / folder / "sample.py"
    path.parent.mkdir(parents=True)
    path.write_text(MODULE)
    found: dict[str, Any] = {}
    loader = SourceFileLoader("sample", str(path))
    loader.get_code("sample")
    lean_imports.install()
    code = loader.get_code("sample")
    assert code is not None
    exec(code, found)
    assert (found.get("__doc__") is None) is lean
    assert (found["function"].__doc__ is None) is lean
    if lean:
        assert found["function"]() == 7
    else:
        with pytest.raises(AssertionError, match="never"):
            found["function"]()
