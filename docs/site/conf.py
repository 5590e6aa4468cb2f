"""Settings of Sphinx: the guide as it stands in the repository, a reference from the docstrings.

The sources are the Markdown pages of the repository, found from its root, so that a link between
two of them is the same here and there. What a link names is a page of the site, or a file of the
repository that is offered for download. Both have to exist.
"""

import sys
from pathlib import Path

import edgezero_spin

# Where the extension `site_pages` is.
sys.path.insert(0, str(Path(__file__).parent))

project = "edgezero_spin"
author = "the authors of edgezero_spin"
project_copyright = author
release = version = edgezero_spin.__version__

extensions = [
    "myst_parser",
    "site_pages",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
root_doc = "README"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**",
    "examples/*/README.md",
    "benchmarks/README.md",
]
exclude_patterns = [".venv*", ".git", "edgezero_spin", "tests", "build", "docs/site/*.py", "**/.*"]
nitpicky = True
nitpick_ignore_regex = [
    # What a signature mentions and other projects document, or nobody has to know by name.
    (r"py:.*", r"(?!edgezero_spin\.).*"),
    (r"py:.*", r"edgezero_spin\.(\w+\.)+\w+"),
]
default_role = "code"

myst_heading_anchors = 6
myst_enable_extensions = ["attrs_inline"]

autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"edgezero_spin {release}"
html_static_path = ["static"]
html_favicon = "static/favicon.svg"
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
pygments_style = "default"
pygments_dark_style = "github-dark"
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"
