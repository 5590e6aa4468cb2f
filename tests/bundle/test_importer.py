"""Imports from an archive, in this interpreter."""

import importlib
import importlib.util
import marshal
import pkgutil
import sys
from collections.abc import Iterator
from importlib import resources

import pytest

from edgezero_spin.bundle.archive import ArchiveWriter
from edgezero_spin.bundle.importer import ArchiveFinder, LastFinder

CODE = "VALUE = __name__\nFILE = __file__\n"


@pytest.fixture(autouse=True)
def finders() -> Iterator[None]:
    """A package of two modules, one of them as source, and a namespace package."""
    writer = ArchiveWriter()
    data = marshal.dumps(compile(CODE, "x", "exec"))
    for name, path, is_package, is_source in (
        ("zz_pack", "/zz/zz_pack/__init__.py", True, False),
        ("zz_pack.one", "/zz/zz_pack/one.py", False, False),
        ("zz_pack.two", "/zz/zz_pack/two.py", False, True),
        ("zz_names.low", "/zz/zz_names/low.py", False, False),
    ):
        writer.add_module(
            name,
            CODE.encode() if is_source else data,
            path=path,
            is_package=is_package,
            is_source=is_source,
        )
    writer.add_module("zz_names", None, path="/zz/zz_names", is_package=True, is_source=False)
    before = list(sys.meta_path)
    sys.meta_path[:] = [
        ArchiveFinder([writer.archive()]),
        *before,
        LastFinder(["zz_pack.speed"]),
    ]
    yield
    sys.meta_path[:] = before
    for name in [name for name in sys.modules if name.startswith("zz_")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["zz_pack", "zz_pack.one", "zz_pack.two", "zz_names.low"])
def test_modules_know_their_names_and_files(name: str) -> None:
    """Code and source, in packages and in namespaces."""
    module = importlib.import_module(name)
    assert (module.VALUE, module.__spec__.name if module.__spec__ else "") == (name, name)
    assert module.__file__ == module.FILE


def test_a_package_has_its_folder() -> None:
    """Tools that look for data beside a module find the place."""
    package = importlib.import_module("zz_pack")
    assert list(package.__path__) == ["/zz/zz_pack"]
    assert str(resources.files(package)) == "/zz/zz_pack"


def test_what_is_missing_is_refused_only_if_it_is_imported() -> None:
    """``find_spec`` says None, as it does elsewhere."""
    assert importlib.util.find_spec("zz_nowhere") is None
    with pytest.raises(ModuleNotFoundError, match="--include") as raised:
        importlib.import_module("zz_nowhere")
    assert raised.value.name == "zz_nowhere"
    with pytest.raises(ModuleNotFoundError, match="compiled extension"):
        importlib.import_module("zz_pack.speed")


def test_finders_that_come_later_are_asked_too() -> None:
    """A library may add its own while it is imported, as six does."""

    class Later:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:
            return importlib.util.spec_from_loader(name, None) if name == "zz_later" else None

    sys.meta_path.append(Later)  # type: ignore[arg-type]
    assert importlib.util.find_spec("zz_later") is not None
    assert pkgutil.resolve_name("zz_pack.one").VALUE == "zz_pack.one"
