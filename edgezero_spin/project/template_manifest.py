"""Templates that Spin's ``spin new`` and ``spin add`` understand, and ours do too.

In: a folder with ``metadata/spin-template.toml``. Out: a ``ProjectTemplate``: what it asks for, and
what it makes of the answers in a new application and in an existing one. Rendering is
``template_rendering``'s work.

Source: contract spin-host.md, TPL-1 to TPL-7 and TPL-13.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.manifest.toml_file import load_toml
from edgezero_spin.project.template_pattern import check_pattern, fits_pattern

__all__ = [
    "COMPONENT_ID",
    "PROJECT_ID",
    "TEMPLATE_MANIFEST",
    "Condition",
    "NewFolder",
    "ProjectTemplate",
    "SnippetKind",
    "TemplateParameter",
    "TemplateVariant",
    "built_in_templates",
    "load_template",
]

PROJECT_ID = "edgezero-http"
"""The template that a new project is made from, when none is named."""

COMPONENT_ID = "edgezero-component"
"""The template that a component is added from, when none is named."""

TEMPLATE_MANIFEST = Path("metadata", "spin-template.toml")
"""The file that makes a folder a template."""

SnippetKind = Literal["component", "application_trigger", "variables"]

_SNIPPETS: tuple[SnippetKind, ...] = ("application_trigger", "component", "variables")
_TEMPLATES = Path(__file__).parent / "templates"


@attrs.frozen(kw_only=True)
class TemplateParameter:
    """A value that a template asks for.

    Attributes:
        name: How the template's files call it.
        prompt: What to ask a person.
        default: The value when none is given; ``None`` makes it mandatory.
        pattern: A regular expression that is found in every value that fits.
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
            ProjectError: It does not, and the message says what would; or that cannot be told.
        """
        if self.allowed and value not in self.allowed:
            raise ProjectError(f"{self.name}: {value!r} is not one of {', '.join(self.allowed)}")
        if self.pattern is not None and not fits_pattern(self.pattern, value):
            raise ProjectError(f"{self.name}: {value!r} does not match {self.pattern}")
        return value


@attrs.frozen(kw_only=True)
class Condition:
    """What is left out when the manifest has an entry already.

    Attributes:
        entry: Names from the root of ``spin.toml`` to the entry.
        skip_files: Files of ``content``.
        skip_parameters: Parameters that are not asked for.
    """

    entry: tuple[str, ...]
    skip_files: frozenset[str] = frozenset()
    skip_parameters: frozenset[str] = frozenset()
    skip_snippets: frozenset[str] = frozenset()

    def holds(self, manifest: Mapping[str, Any]) -> bool:
        """Whether a ``spin.toml`` has the entry; nothing inside a list is one."""
        found: object = manifest
        for name in self.entry:
            if not isinstance(found, Mapping) or name not in found:
                return False
            found = found[name]
        return True


@attrs.frozen(kw_only=True)
class TemplateVariant:
    """How a template is used: for a new application, or in an existing one.

    Attributes:
        skip_files: Files of ``content`` that are left out, as they are called there.
        skip_parameters: Parameters that are not asked for.
        snippets: Files of ``metadata/snippets``, by what their text is put into.
        conditions: What else is left out, depending on the manifest.
    """

    skip_files: frozenset[str] = frozenset()
    skip_parameters: frozenset[str] = frozenset()
    snippets: Mapping[SnippetKind, str] = attrs.field(factory=dict)
    conditions: tuple[Condition, ...] = ()

    def resolved(self, manifest: Mapping[str, Any]) -> "TemplateVariant":
        """Return what is left of it in an application with this ``spin.toml``."""
        holding = [condition for condition in self.conditions if condition.holds(manifest)]
        left_out = frozenset[str]().union(*(condition.skip_snippets for condition in holding))
        return TemplateVariant(
            skip_files=self.skip_files.union(*(condition.skip_files for condition in holding)),
            skip_parameters=self.skip_parameters.union(
                *(condition.skip_parameters for condition in holding)
            ),
            snippets={kind: file for kind, file in self.snippets.items() if kind not in left_out},
        )


@attrs.frozen(kw_only=True)
class NewFolder:
    """A folder that a template makes beside its files.

    Attributes:
        path: Its path, a Liquid text.
        at: Where it starts: the component's folder or the manifest's.
    """

    path: str
    at: Literal["component", "manifest"] = "component"


@attrs.frozen(kw_only=True)
class ProjectTemplate:
    """A template, its manifest read and checked.

    Attributes:
        folder: Where it lies.
        id: Its name.
        description: What it makes, for people.
        tags: Words to find it by.
        parameters: In the order in which they are asked for.
        new_application: How it makes an application; ``None`` when it makes none.
        add_component: How it adds a component; ``None`` when it adds none.
        new_folders: Folders that it makes.
    """

    folder: Path
    id: str
    description: str = ""
    tags: tuple[str, ...] = ()
    parameters: tuple[TemplateParameter, ...] = ()
    new_application: TemplateVariant | None = attrs.field(factory=TemplateVariant)
    add_component: TemplateVariant | None = None
    new_folders: tuple[NewFolder, ...] = ()

    def for_new_application(self) -> TemplateVariant:
        """Return how it makes an application.

        Raises:
            ProjectError: It makes none.
        """
        if self.new_application is None:
            raise ProjectError(
                f"template {self.id} makes no new applications: it adds components to one, "
                "with `edgezero add component`"
            )
        return self.new_application

    def for_component(self, manifest: Mapping[str, Any]) -> TemplateVariant:
        """Return how it adds a component to an application with this ``spin.toml``.

        Raises:
            ProjectError: It adds none.
        """
        if self.add_component is None:
            raise ProjectError(
                f"template {self.id} adds no components: it makes new applications, with "
                "`edgezero new`"
            )
        return self.add_component.resolved(manifest)


def built_in_templates() -> tuple[ProjectTemplate, ...]:
    """Return the templates of this package by id."""
    folders = sorted(
        path.parent.parent for path in _TEMPLATES.glob(f"*/{TEMPLATE_MANIFEST.as_posix()}")
    )
    return tuple(load_template(folder) for folder in folders)


def load_template(folder: Path) -> ProjectTemplate:
    """Read the manifest of a template.

    Raises:
        ManifestError: It cannot be read, or breaks rules; all of them are named.
    """
    path = folder / TEMPLATE_MANIFEST
    problems = Problems(path)
    root = TableReader(load_toml(path), "", problems)
    if root.required_text("manifest_version") != "1" and not problems.found:
        root.problem("manifest_version", 'must be "1"')
    if root.value("custom_filters") is not None:
        root.problem("custom_filters", "filters of a template's own are not supported")
    template = ProjectTemplate(
        folder=folder,
        id=root.required_text("id", blank=False),
        description=root.text("description"),
        tags=root.texts("tags"),
        parameters=tuple(
            _read_parameter(name, table) for name, table in root.named_tables("parameters").items()
        ),
        new_application=_read_variant(root, "new_application", by_default=TemplateVariant()),
        add_component=_read_variant(root, "add_component", _SNIPPETS),
        new_folders=tuple(map(_read_new_folder, root.named_tables("outputs").values())),
    )
    root.value("trigger_type")
    root.refuse_rest()
    problems.raise_any()
    return template


def _read_variant(
    root: TableReader,
    name: str,
    snippets: tuple[SnippetKind, ...] = (),
    *,
    by_default: TemplateVariant | None = None,
) -> TemplateVariant | None:
    table = root.optional_table(name)
    if table is None:
        return by_default
    files = table.text_map("snippets")
    for kind in sorted(files.keys() - set(snippets)):
        known = f"Known here: {', '.join(snippets)}." if snippets else "add_component has them."
        table.problem("snippets", f"unknown field `{kind}`", known)
    supported = table.flag("supported", True)
    variant = TemplateVariant(
        skip_files=frozenset(table.texts("skip_files")),
        skip_parameters=frozenset(table.texts("skip_parameters")),
        snippets={kind: files[kind] for kind in snippets if kind in files},
        conditions=tuple(map(_read_condition, table.named_tables("conditions").values())),
    )
    table.refuse_rest()
    return variant if supported else None


def _read_condition(table: TableReader) -> Condition:
    test = table.optional_table("condition")
    path = ""
    if test is None:
        table.missing("condition")
    else:
        path = test.required_text("manifest_entry_exists", blank=False)
        test.refuse_rest()
    condition = Condition(
        entry=tuple(path.split(".")),
        skip_files=frozenset(table.texts("skip_files")),
        skip_parameters=frozenset(table.texts("skip_parameters")),
        skip_snippets=frozenset(table.texts("skip_snippets")),
    )
    table.refuse_rest()
    return condition


def _read_new_folder(table: TableReader) -> NewFolder:
    action = table.required_text("action")
    if action not in ("", "create_dir"):
        table.problem("action", f"an output by {action!r} is not known", 'Use "create_dir".')
    at = table.text("at", "component")
    if at not in ("component", "manifest"):
        table.problem("at", f"{at!r} is not a place", 'Use "component" or "manifest".')
    path = table.required_text("path", blank=False)
    table.refuse_rest()
    return NewFolder(path=path, at="manifest" if at == "manifest" else "component")


def _read_parameter(name: str, table: TableReader) -> TemplateParameter:
    kind = table.required_text("type")
    if kind not in ("", "string"):
        table.problem("type", f"a parameter of type {kind!r} is not known", 'Use "string".')
    parameter = TemplateParameter(
        name=name,
        prompt=table.required_text("prompt"),
        default=table.optional_text("default"),
        pattern=table.optional_text("pattern", blank=False),
        allowed=table.texts("allowed_values"),
    )
    table.refuse_rest()
    fault = None if parameter.pattern is None else check_pattern(parameter.pattern)
    if fault is not None:
        table.problem("pattern", fault)
    return parameter
