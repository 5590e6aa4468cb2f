"""Project templates: a folder that Spin's ``spin new`` and ours both understand.

In: a template's folder and the values of its parameters. Out: relative paths and their
contents, in memory. A template is written in Liquid; files that are no text are copied.
What is not supported here (snippets, conditions, partials) belongs to ``spin add``.

Source: contract spin-host.md, TPL-1 to TPL-11; Liquid as python-liquid has it.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import attrs
from liquid import Environment, StrictUndefined
from liquid.exceptions import LiquidError

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.manifest.toml_file import load_toml
from edgezero_spin.project.new_names import kebab_case, pascal_case, snake_case

__all__ = [
    "BUILT_IN_ID",
    "Parameter",
    "Template",
    "built_in_templates",
    "find_template",
    "load_template",
    "render_template",
]

BUILT_IN_ID = "edgezero-http"
"""The template that a new project is made from, when none is named."""

_TEMPLATES = Path(__file__).parent / "templates"
_MANIFEST = Path("metadata", "spin-template.toml")
_SUFFIX = ".tmpl"


@attrs.frozen(kw_only=True)
class Parameter:
    """A value that a template asks for.

    Attributes:
        name: How the template's files call it.
        prompt: What to ask a person.
        default: The value when none is given; ``None`` makes it mandatory.
        pattern: A regular expression that the whole value must match.
        allowed: The values to choose from; empty when any will do.
    """

    name: str
    prompt: str
    default: str | None = None
    pattern: str | None = None
    allowed: tuple[str, ...] = ()

    def check(self, value: str) -> str:
        """Return a value that fits.

        Raises:
            ProjectError: It does not; the message says what would.
        """
        if self.allowed and value not in self.allowed:
            raise ProjectError(f"{self.name}: {value!r} is none of {', '.join(self.allowed)}")
        # In Spin's dialect `$` is the very end; in Python a line end may follow it.
        pattern = re.sub(r"(?<!\\)\$$", r"\\Z", self.pattern or "")
        if re.search(pattern, value) is None:
            raise ProjectError(f"{self.name}: {value!r} does not match {self.pattern}")
        return value


@attrs.frozen(kw_only=True)
class Template:
    """A template, its manifest read and checked.

    Attributes:
        folder: Where it lies.
        id: Its name.
        description: What it makes, for people.
        parameters: In the order in which they are asked for.
        skip_files: Files of ``content`` that a new application does not get.
    """

    folder: Path
    id: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    skip_files: frozenset[str] = frozenset()


def built_in_templates() -> tuple[Template, ...]:
    """Return the templates of this package by id."""
    folders = sorted(path.parent.parent for path in _TEMPLATES.glob(f"*/{_MANIFEST.as_posix()}"))
    return tuple(load_template(folder) for folder in folders)


def find_template(named: str) -> Template:
    """Return a template by its id, or by the folder that holds it.

    Raises:
        ProjectError: There is none; the message offers the ids that there are.
        ManifestError: Its manifest cannot be used.
    """
    for template in built_in_templates():
        if template.id == named:
            return template
    folder = Path(named)
    if (folder / _MANIFEST).is_file():
        return load_template(folder)
    known = ", ".join(template.id for template in built_in_templates())
    raise ProjectError(
        f"no template {named!r} (available: {known}; or a folder with {_MANIFEST.as_posix()})"
    )


def load_template(folder: Path) -> Template:
    """Read the manifest of a template.

    Raises:
        ManifestError: It cannot be read, or breaks rules; all of them are named.
    """
    path = folder / _MANIFEST
    problems = Problems(path)
    root = TableReader(load_toml(path), "", problems)
    if root.required_text("manifest_version") != "1" and not problems.found:
        root.problem("manifest_version", 'must be "1"')
    variant = root.table("new_application")
    if variant.flag("supported", True) is False:
        root.problem("new_application", "this template makes no new applications")
    skipped = set(variant.texts("skip_parameters"))
    parameters = tuple(
        _read_parameter(name, table)
        for name, table in root.named_tables("parameters").items()
        if name not in skipped
    )
    template = Template(
        folder=folder,
        id=root.required_text("id", blank=False),
        description=root.text("description"),
        parameters=parameters,
        skip_files=frozenset(variant.texts("skip_files")),
    )
    for known in ("tags", "trigger_type", "add_component", "outputs"):
        root.value(known)
    for known in ("snippets", "conditions"):
        variant.value(known)
    root.refuse_rest()
    variant.refuse_rest()
    problems.raise_any()
    return template


def render_template(template: Template, values: Mapping[str, str]) -> dict[PurePosixPath, bytes]:
    """Return the files of a new application.

    Args:
        template: The template.
        values: Its parameters and the names that every template may use
            (``project-name``, ``authors``, ``username``, ``output-path``).

    Raises:
        ProjectError: A file is no valid template, or uses a name that nobody gave.
    """
    content = template.folder / "content"
    engine = Environment(undefined=StrictUndefined)
    engine.add_filter("kebab_case", kebab_case)
    engine.add_filter("snake_case", snake_case)
    engine.add_filter("pascal_case", pascal_case)
    rendered = {}
    for path in sorted(content.rglob("*")):
        name = PurePosixPath(path.relative_to(content).as_posix())
        if not path.is_file() or str(name) in template.skip_files:
            continue
        data = _render(engine, path, values)
        if name.suffix == _SUFFIX:
            name = name.with_suffix("")
        rendered[name] = data
    return rendered


def _render(engine: Environment, path: Path, values: Mapping[str, str]) -> bytes:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data
    try:
        return engine.from_string(text, name=str(path)).render(**values).encode("utf-8")
    except LiquidError as error:
        raise ProjectError(f"template {path}: {error}") from error


def _read_parameter(name: str, table: TableReader) -> Parameter:
    kind = table.required_text("type")
    if kind not in ("", "string"):
        table.problem("type", f"a parameter of type {kind!r} is not known", 'Use "string".')
    parameter = Parameter(
        name=name,
        prompt=table.required_text("prompt"),
        default=table.optional_text("default"),
        pattern=table.optional_text("pattern", blank=False),
        allowed=table.texts("allowed_values"),
    )
    table.refuse_rest()
    if parameter.pattern is not None:
        _check_pattern(table, parameter.pattern)
    return parameter


def _check_pattern(table: TableReader, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        table.problem("pattern", f"{pattern!r} is no regular expression: {error}")
