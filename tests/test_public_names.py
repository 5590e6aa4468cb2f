"""The public surface is what each module's ``__all__`` says, no more and no less."""

import importlib
from pathlib import Path

import pytest

from tests.source_tree import PACKAGE, bound_names, defined_names, exported_names, modules, parse


def public_modules() -> list[Path]:
    """Modules whose dotted path has no private part."""
    return [
        path
        for path in modules()
        if not any(
            part.startswith("_") and part != "__init__.py"
            for part in path.relative_to(PACKAGE).parts
        )
    ]


@pytest.mark.parametrize("path", public_modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_all_is_what_is_defined(path: Path) -> None:
    """Every public class and function is exported, and every exported name is there, once."""
    tree = parse(path)
    exported = exported_names(tree)
    if exported is None:
        # An empty package marker promises nothing, so it may stay without a list.
        assert path.name == "__init__.py"
        assert defined_names(tree) == set()
        return
    assert len(exported) == len(set(exported))
    assert defined_names(tree) <= set(exported)
    assert bound_names(tree) >= set(exported)


def test_the_package_offers_each_name_it_lists() -> None:
    """A name in ``edgezero_spin.__all__`` can be imported."""
    import edgezero_spin

    missing = [name for name in edgezero_spin.__all__ if not hasattr(edgezero_spin, name)]
    assert missing == []


# What users import from.
OFFERING = (
    "edgezero_spin",
    "edgezero_spin.core",
    "edgezero_spin.core.openapi",
    "edgezero_spin.stores",
    "edgezero_spin.guest",
    "edgezero_spin.testing",
    "edgezero_spin.host",
    "edgezero_spin.host.triggers",
    "edgezero_spin.manifest",
    "edgezero_spin.errors",
    # What stands beside them in most programs.
    "pathlib",
    "http",
)


def test_a_public_name_means_one_thing() -> None:
    """Whoever imports two of our packages, or pathlib, meets no name twice."""
    meanings: dict[str, dict[int, list[str]]] = {}
    for name in OFFERING:
        module = importlib.import_module(name)
        for offered in module.__all__:
            found = meanings.setdefault(offered, {})
            found.setdefault(id(getattr(module, offered)), []).append(name)
    assert {name: list(found.values()) for name, found in meanings.items() if len(found) > 1} == {}


def test_the_errors_of_stores_are_offered_by_the_package() -> None:
    """A handler catches them by names of ``edgezero_spin``."""
    import edgezero_spin
    from edgezero_spin.errors import StoreError

    for name in ("KeyValueLimitError", "ConfigUnavailableError", "SecretNotFoundError"):
        assert issubclass(getattr(edgezero_spin, name), StoreError)
