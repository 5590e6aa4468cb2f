"""Which modules an app reaches, read from its source."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgezero_spin.project.reachable_modules import find_reachable


def tree(folder: Path, files: dict[str, str]) -> Path:
    """Write files; return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def reached(
    folder: Path, start: str = "app", include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> set[str]:
    """The names that are reached in one folder."""
    return set(find_reachable([start], [folder], include=include, exclude=exclude).modules)


OTHERS = {"a.py": "", "pack/__init__.py": "", "pack/x.py": "", "pack/y.py": "import a", "b.py": ""}


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        pytest.param("import a", {"a"}, id="at the top"),
        pytest.param("def f():\n    import pack.x", {"pack", "pack.x"}, id="in a function"),
        pytest.param("from pack import x, name", {"pack", "pack.x"}, id="a module of a package"),
        pytest.param("from pack import y", {"pack", "pack.y", "a"}, id="what that imports"),
        pytest.param("try:\n    import a\nexcept ImportError:\n    import b", {"a", "b"}, id="try"),
        pytest.param(
            "import typing\nif typing.TYPE_CHECKING:\n    import a\nelse:\n    import b",
            {"b"},
            id="not for type checkers",
        ),
        pytest.param(
            "import importlib\nimportlib.import_module('pack.x')", {"pack", "pack.x"}, id="a string"
        ),
        pytest.param(
            "from importlib import import_module\ndef f(n):\n    import_module(f'pack.{n}')",
            {"pack", "pack.x", "pack.y", "a"},
            id="a computed name",
        ),
        pytest.param(
            "import importlib\nNAMES = {'k': 'pack.x'}\nimportlib.import_module(NAMES['k'])",
            {"pack", "pack.x"},
            id="a table of names",
        ),
        pytest.param(
            "import importlib\nT = 'pack.none'\nimportlib.import_module(T)", set(), id="no module"
        ),
        pytest.param("import json, os.path, nothing", set(), id="standard library and missing"),
        pytest.param("def (:", set(), id="no Python"),
    ],
)
def test_statements_lead_to_modules(tmp_path: Path, app: str, expected: set[str]) -> None:
    """All of them that can run, wherever they stand."""
    tree(tmp_path, {**OTHERS, "app.py": app})
    assert reached(tmp_path) == expected | {"app"}


def test_relative_imports(tmp_path: Path) -> None:
    """From a package, a module in it and a module below."""
    tree(
        tmp_path,
        {
            "p/__init__.py": "from . import one",
            "p/one.py": "def f():\n    from .deep import two",
            "p/deep/__init__.py": "",
            "p/deep/two.py": "from ... import nothing\nfrom ..three import x",
            "p/three.py": "",
            "p/four.py": "",
        },
    )
    assert reached(tmp_path, "p") == {"p", "p.one", "p.deep", "p.deep.two", "p.three"}


def test_a_package_that_imports_its_own_modules_by_name_is_taken_whole(tmp_path: Path) -> None:
    """As libraries with lazy attributes do; without their tests."""
    lazy = "import importlib as i\ndef __getattr__(n): return i.import_module('.' + n, __name__)"
    tree(
        tmp_path,
        {
            "app.py": "import lib",
            "lib/__init__.py": lazy,
            "lib/parts/__init__.py": "",
            "lib/parts/x.py": "",
            "lib/tests/__init__.py": "",
            "lib/test_x.py": "",
        },
    )
    assert reached(tmp_path) == {"app", "lib", "lib.parts", "lib.parts.x"}


def test_what_is_included_and_excluded(tmp_path: Path) -> None:
    """A package with everything in it, and one that nobody follows."""
    tree(tmp_path, {**OTHERS, "app.py": "import pack.y, b"})
    assert reached(tmp_path, include=["a"], exclude=["pack"]) == {"app", "a", "b"}
    assert find_reachable(["app"], [tmp_path], include=["zzz"]).missing == ("zzz",)


def test_extensions_and_namespaces_are_told_apart(tmp_path: Path) -> None:
    """What cannot run in a component, and a package without ``__init__``."""
    tree(
        tmp_path,
        {"app.py": "import fast.core, space.inner", "fast/__init__.py": "", "space/inner.py": ""},
    )
    (tmp_path / "fast" / "core.cpython-311-x86_64-linux-gnu.so").touch()
    modules = find_reachable(["app"], [tmp_path]).modules
    assert {name: each.kind for name, each in modules.items()} == {
        "app": "module",
        "fast": "package",
        "fast.core": "extension",
        "space": "namespace",
        "space.inner": "module",
    }
