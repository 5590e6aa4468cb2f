"""The guide as a whole: every public name is in it, and every link leads somewhere."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
INDEX = ROOT / "docs" / "README.md"
GUIDE = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
PAGES = sorted(
    [*GUIDE, *ROOT.glob("*.md"), *ROOT.glob("examples/*/*.md"), *ROOT.glob("benchmarks/*.md")]
)
PUBLIC = (
    "edgezero_spin",
    "edgezero_spin.core.introspection",
    "edgezero_spin.guest",
    "edgezero_spin.testing",
    "edgezero_spin.testing.contracts",
    "edgezero_spin.host",
    "edgezero_spin.host.triggers",
    "edgezero_spin.stores",
    "edgezero_spin.core.openapi",
    "edgezero_spin.manifest",
    "edgezero_spin.errors",
)

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def code_names(text: str) -> set[str]:
    """Return the names in the code of a page, set as blocks or within a line."""
    code = [*_FENCED.findall(text), *_SPAN.findall(_FENCED.sub("", text))]
    return {name for part in code for name in re.findall(r"\w+", part)}


def anchors(text: str) -> set[str]:
    """Return the fragments that lead to the headings of a page, as GitHub makes them."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (fragment := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(fragment)
    return found


def programs(page: Path) -> list[str]:
    """Return the Python on a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python.*?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Return where the links of a page lead, other sites left out."""
    targets = _LINK.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_guide(module: str) -> None:
    """Whoever meets a name in a program finds it in the README or a page, set as code."""
    told: set[str] = set()
    for page in GUIDE:
        told |= code_names(page.read_text(encoding="utf-8"))
    assert set(importlib.import_module(module).__all__) - told == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page: Path) -> None:
    """What a link names is there: the file, and the heading in it."""
    dead = []
    for target in links(page):
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (
            fragment and fragment not in anchors(file.read_text(encoding="utf-8"))
        ):
            dead.append(target)
    assert dead == []


def test_the_index_lists_every_page_once() -> None:
    """A page that the index leaves out is found by nobody."""
    listed = [(INDEX.parent / target.partition("#")[0]).resolve() for target in links(INDEX)]
    pages = [page for page in ROOT.glob("docs/**/*.md") if page != INDEX]
    assert sorted(path for path in listed if path.is_relative_to(INDEX.parent)) == sorted(pages)


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_is_python(page: Path) -> None:
    """What a reader copies can be read by an interpreter, also where no test runs it."""
    for program in programs(page):
        ast.parse(program)


def test_the_versions_are_those_of_the_project() -> None:
    """The page of versions names the ranges that pip is told."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    assert f"| {project['requires-python'].removeprefix('>=')} and later |" in page
    held = [name for name in project["optional-dependencies"]["tools"] if ",<" in name]
    for requirement in held[:2]:
        name, low, high = re.split(">=|,<", requirement)
        assert f"| {name} (extra `tools`) | {low} to below {high} |" in page
    for requirement in project["dependencies"]:
        name, low = requirement.split(">=")
        assert re.search(rf"\| .*{name}.* \| .*{re.escape(low)} and later", page)


def test_the_figures_of_the_readme_are_measured() -> None:
    """Its numbers of instructions stand in the page of measurements."""
    measured = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    figures = re.findall(r"\b\d{3} \d{3}\b", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert figures
    for figure in figures:
        assert figure.replace(" ", "") in measured
