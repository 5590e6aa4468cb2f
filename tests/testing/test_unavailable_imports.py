"""What the native client says of imports that no component has."""

import importlib
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from edgezero_spin.testing import ComponentImportWarning, TestClient

APP = """
from edgezero_spin import App

app = App()


@app.get("/")
async def root() -> str:
{late}
    return "x"
"""


CAUGHT = "try:\n    import ssl\nexcept ImportError:\n    ssl = None"
NOT_CAUGHT = "try:\n    import ssl\nexcept KeyError:\n    pass"


@pytest.mark.parametrize(
    ("top", "late", "expected"),
    [
        pytest.param("import ssl", "", [(1, "ssl", "Outbound")], id="at the top"),
        pytest.param("import json, ctypes.util", "", [(1, "ctypes.util", "Python code")], id="two"),
        pytest.param("from tkinter import Tk", "", [(1, "tkinter", "screen")], id="from"),
        pytest.param("", "    import pdb", [(9, "pdb", "at the top")], id="a tool, late"),
        pytest.param("import pdb", "", [], id="a tool at the top works"),
        pytest.param(
            "try:\n    import ssl\nexcept ImportError:\n    ssl = None", "", [], id="caught"
        ),
        pytest.param(NOT_CAUGHT, "", [(2, "ssl", "TLS")], id="not caught"),
        pytest.param("import json, socket, threading", "", [], id="can be imported"),
    ],
)
def test_the_warning_stands_at_the_import(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    top: str,
    late: str,
    expected: list[tuple[int, str, str]],
) -> None:
    """With file, line, the module's name and what to do; nothing for what works."""
    name = f"warned_app_{request.node.callspec.indices['top']}"
    file = tmp_path / f"{name}.py"
    file.write_text(top + APP.format(late=late))
    monkeypatch.syspath_prepend(tmp_path)
    # Not every CPython has it, and only the statement matters.
    screen = ModuleType("tkinter")
    screen.__dict__["Tk"] = None
    monkeypatch.setitem(sys.modules, "tkinter", screen)
    app = importlib.import_module(name).app
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TestClient(app).close()
    ours = [each for each in caught if each.category is ComponentImportWarning]
    assert [each.filename for each in ours] == [str(file)] * len(expected)
    for each, (line, module, advice) in zip(ours, expected, strict=True):
        assert each.lineno == line
        assert str(each.message).startswith(f"{module} cannot be imported in a component: ")
        assert advice in str(each.message)
