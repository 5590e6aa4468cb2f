"""Pages of the site: what is changed between the repository and Sphinx.

In: the Markdown pages and docstrings as they stand in the repository. Out: the same for the site,
with a sidebar, links to pages in place of folders, and captions of blocks of code. An extension of
Sphinx, which ``conf.py`` names.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from reference import PAGES, write_reference

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["navigation", "setup"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GUIDE = ROOT / "docs" / "README.md"

_FOLDER = re.compile(r"\]\(([^()#:\s]+)\)")
_FENCE = re.compile(r"^( *)```(\w*)( [^\n]*)?$")


def navigation() -> list[str]:
    """Return the tables of contents of the first page, hidden: the sidebar.

    They are the sections of the guide's own list of pages.
    """
    lines = ["", *_contents("", ["docs/README"])]
    for section in re.split(r"^## ", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        targets = re.findall(r"^- .*?\]\(([^)#]+)\.md\)", text, flags=re.MULTILINE)
        pages = [(GUIDE.parent / target).resolve().relative_to(ROOT) for target in targets]
        lines += _contents(title, [page.as_posix() for page in pages])
    examples = sorted(path.parent.name for path in ROOT.glob("examples/*/README.md"))
    lines += _contents("Examples", [f"examples/{name}/README" for name in examples])
    lines += _contents("Reference", [f"docs/site/reference/{page.name}" for page in PAGES])
    return lines + _contents("Contributing", ["CONTRIBUTING"])


def _contents(caption: str, pages: list[str]) -> list[str]:
    said = [f":caption: {caption}"] if caption else []
    return ["```{toctree}", ":hidden:", *said, "", *pages, "```", ""]


def add_navigation(app: "Sphinx", document: str, source: list[str]) -> None:
    """Add the sidebar to the first page."""
    if document == app.config.root_doc:
        source[0] += "\n".join(navigation())


def name_pages_of_folders(app: "Sphinx", document: str, source: list[str]) -> None:
    """Lead a link to a folder to the page in it, as a repository shows it."""
    folder = Path(app.env.doc2path(document)).parent

    def page_of(found: re.Match[str]) -> str:
        page = folder / found[1] / "README.md"
        return f"]({found[1].rstrip('/')}/README.md)" if page.is_file() else found[0]

    source[0] = _FOLDER.sub(page_of, source[0])


def leave_out_file_names(app: "Sphinx", document: str, source: list[str]) -> None:
    """Take the file's name from the first line of a block of code, and show it above the block."""
    lines = []
    for line in source[0].splitlines():
        found = re.fullmatch(r"```(\w+) (\S+)", line)
        lines.append(f"```{{code-block}} {found[1]}\n:caption: {found[2]}" if found else line)
    source[0] = "\n".join(lines) + "\n"


def read_fences(
    app: "Sphinx", what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Turn the fenced blocks of a docstring into blocks of reStructuredText."""
    read: list[str] = []
    inside: str | None = None
    for line in lines:
        found = _FENCE.match(line)
        if found is None:
            read.append(line if inside is None or not line.strip() else f"   {line}")
        elif inside is None:
            inside = found[1]
            read += [f"{inside}.. code-block:: {found[2] or 'text'}", ""]
        else:
            inside = None
            read.append("")
    lines[:] = read


def make_index(app: "Sphinx", error: Exception | None) -> None:
    """Make the first page the one that a server shows for the folder."""
    if error is None and app.builder.name == "html":
        built = Path(app.outdir)
        (built / "index.html").write_bytes((built / "README.html").read_bytes())


def setup(app: "Sphinx") -> None:
    """Write the pages of the reference, and connect what is done to sources and pages."""
    write_reference(HERE / "reference")
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("source-read", name_pages_of_folders)
    app.connect("source-read", leave_out_file_names)
    app.connect("source-read", add_navigation)
    app.connect("autodoc-process-docstring", read_fences, priority=400)
    app.connect("build-finished", make_index)
