"""The site: the guide and the API reference, built as ``make docs`` builds them."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = (
    "edgezero_spin",
    "edgezero_spin.core",
    "edgezero_spin.core.introspection",
    "edgezero_spin.core.openapi",
    "edgezero_spin.errors",
    "edgezero_spin.guest",
    "edgezero_spin.host",
    "edgezero_spin.host.triggers",
    "edgezero_spin.manifest",
    "edgezero_spin.stores",
    "edgezero_spin.testing",
    "edgezero_spin.testing.contracts",
)

pytestmark = pytest.mark.timeout(300)

for package in ("sphinx", "furo", "myst_parser", "sphinx_copybutton"):
    pytest.importorskip(package, reason="the dependency group docs is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with every warning an error: dead links and missing references among them."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"),
            *("--conf-dir", "docs/site", "--doctree-dir", str(folder / "doctrees")),
            *(".", str(folder / "html")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(site: Path, module: str) -> None:
    """Under the first of the modules that offer it, with a text."""
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        found = InventoryFile.load(file, "", lambda base, path: path)
    told = {name for kind, names in found.items() if kind.startswith("py:") for name in names}
    offered = importlib.import_module(module)
    missing = []
    for name in offered.__all__:
        value = getattr(offered, name)
        places = (f"{place}.{name}" for place in MODULES if offers(place, name, value))
        if not any(place in told for place in places) and type(value).__name__ != "module":
            missing.append(name)
    assert missing == []


def offers(module: str, name: str, value: object) -> bool:
    """Whether a module offers a value under a name."""
    return getattr(importlib.import_module(module), name, None) is value


def test_the_pages_of_the_repository_are_pages_of_the_site(site: Path) -> None:
    """The guide, the examples and the changelog; a server finds the first page by itself."""
    for page in ROOT.glob("docs/**/*.md"):
        assert (site / page.relative_to(ROOT).with_suffix(".html")).is_file()
    for name in ("index", "CHANGELOG", "CONTRIBUTING", "benchmarks/README", "search"):
        assert (site / f"{name}.html").is_file()
    # A link to a folder leads to its page, and one to a file of the repository to that file.
    assert 'href="examples/links/README.html"' in (site / "index.html").read_text(encoding="utf-8")
    rates = (site / "examples" / "rates" / "README.html").read_text(encoding="utf-8")
    assert "test_rates.py" in rates
