"""Render a template: its files, its snippets and the names of its folders, in memory.

In: a ``ProjectTemplate``, the variant to make and a value for every name. Out: relative paths and
their contents. Text is Liquid, with Spin's filters and the template's own partials; files
that are not text are copied.

Our own templates have values and filters and nothing else of Liquid, which is written here; for
more there is python-liquid, of the extra ``templates``: it brings 45 MB, most of it babel.

Source: contract spin-host.md, TPL-1, TPL-4, TPL-7 to TPL-10; Liquid as python-liquid has it.
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.new_names import dotted_pascal_case, kebab_case, pascal_case, snake_case
from edgezero_spin.project.template_manifest import ProjectTemplate, SnippetKind, TemplateVariant

if TYPE_CHECKING:
    from edgezero_spin.project.template_liquid import Liquid

__all__ = ["FILTERS", "NotLiquidError", "Rendered", "render_template", "with_values"]

_SUFFIX = ".tmpl"
_PARTIAL = ".liquid"
_IGNORE = ".gitignore"
_OUTPUT = re.compile(r"\{\{\s*(?:'([^'{}]*|\{\{)'|([\w-]+))\s*((?:\|\s*\w+\s*)*)\}\}")


@attrs.frozen(kw_only=True)
class Rendered:
    """What a template makes of its values.

    Attributes:
        files: Contents by paths relative to the folder of the application or component.
        snippets: TOML for the manifest.
        component_folders: Folders to make, relative as the files are.
        manifest_folders: Folders to make, relative to the folder of the manifest.
        warnings: What a person should know.
    """

    files: Mapping[PurePosixPath, bytes]
    snippets: Mapping[SnippetKind, str] = attrs.field(factory=dict)
    component_folders: tuple[PurePosixPath, ...] = ()
    manifest_folders: tuple[PurePosixPath, ...] = ()
    warnings: tuple[str, ...] = ()


def render_template(
    template: ProjectTemplate,
    variant: TemplateVariant,
    values: Mapping[str, str],
    *,
    vcs: bool = True,
) -> Rendered:
    """Return what a template makes.

    Args:
        variant: How it is used, its conditions resolved.
        values: Its parameters and the names that every template may use
            (``project-name``, ``authors``, ``username``, ``output-path``).
        vcs: Whether files for git are wanted.

    Raises:
        ProjectError: A file or snippet uses a name or a filter that there is not, or
            cannot be read.
    """
    renderer = _Renderer(template, values)
    content = template.folder / "content"
    files = {}
    for path in sorted(content.rglob("*")):
        name = PurePosixPath(path.relative_to(content).as_posix())
        if not path.is_file() or str(name) in variant.skip_files:
            continue
        data = renderer.file(path)
        if name.suffix == _SUFFIX:
            name = name.with_suffix("")
        if vcs or name.name != _IGNORE:
            files[name] = data
    snippets = template.folder / "metadata" / "snippets"
    folders = [(made.at, renderer.folder(made.path)) for made in template.new_folders]
    return Rendered(
        files=files,
        snippets={kind: renderer.text(snippets / file) for kind, file in variant.snippets.items()},
        component_folders=tuple(path for at, path in folders if at == "component"),
        manifest_folders=tuple(path for at, path in folders if at == "manifest"),
        warnings=tuple(renderer.warnings),
    )


class NotLiquidError(Exception):
    """A text that is not Liquid; the message has its first fault."""


class _Renderer:
    """Liquid with the filters, partials and values of one run."""

    def __init__(self, template: ProjectTemplate, values: Mapping[str, str]) -> None:
        self._template = template
        self._values = values
        self.warnings: list[str] = []

    @cached_property
    def _liquid(self) -> "Liquid":
        # Of an extra of its own, which a project of our own template does without.
        from edgezero_spin.project.template_liquid import Liquid

        return Liquid(FILTERS, _partials(self._template))

    def file(self, path: Path) -> bytes:
        """Return the content of a file; what is not text, or not Liquid, as it is."""
        data = _read(path)
        try:
            return self._render(data.decode("utf-8"), str(path)).encode("utf-8")
        except UnicodeDecodeError:
            return data
        except NotLiquidError as error:
            # As Spin does: a file in another language may be full of braces.
            self.warnings.append(f"{path} is copied as it is: {error}")
            return data

    def text(self, path: Path) -> str:
        """Return a snippet."""
        try:
            return self._render(_read(path).decode("utf-8"), str(path))
        except UnicodeDecodeError as error:
            raise ProjectError(f"template {path}: this is not UTF-8 text: {error}") from error
        except NotLiquidError as error:
            raise ProjectError(f"template {path}: {error}") from error

    def folder(self, written: str) -> PurePosixPath:
        """Return the path of a folder to make; it may not lead outside."""
        try:
            path = PurePosixPath(self._render(written, "outputs"))
        except NotLiquidError as error:
            raise ProjectError(f"template output {written!r}: {error}") from error
        if path.is_absolute() or ".." in path.parts:
            raise ProjectError(f"template output {written!r}: {path} is outside of the project")
        return path

    def _render(self, text: str, name: str) -> str:
        written = with_values(text, self._values)
        return self._liquid.render(text, name, self._values) if written is None else written


def with_values(text: str, values: Mapping[str, str]) -> str | None:
    """Return a text with its values, ``None`` when it has more of Liquid than that."""
    known = _OUTPUT.sub("", text)
    if "{%" in known or "{{" in known:
        return None
    parts = []
    at = 0
    for found in _OUTPUT.finditer(text):
        literal, name, said = found.groups()
        filters = re.findall(r"\w+", said)
        if (name is not None and name not in values) or not FILTERS.keys() >= set(filters):
            return None
        value = literal if name is None else values[name]
        for filter in filters:
            value = FILTERS[filter](value)
        parts += [text[at : found.start()], value]
        at = found.end()
    return "".join([*parts, text[at:]])


def _http_wildcard(route: str) -> str:
    """Return a route with everything below it: ``/static`` is ``/static/...``."""
    return route if route.endswith("/...") else f"{route.removesuffix('/')}/..."


def _folders_up(path: str) -> str:
    """Return the way back from a folder, for our own templates: ``a/b`` is ``../../``."""
    return "../" * len(PurePosixPath(path).parts)


def _http_handlers(route: str) -> str:
    """Return the handlers of a component at a route, for our own template."""
    base = route.removesuffix("/...")
    return _ROOT.format(path=base or "/") + (_BELOW.format(base=base) if base != route else "")


_ROOT = '''\
@app.get("{path}")
def root() -> str:
    """Answer at the component's own route, which Spin does not cut off."""
    return app.name
'''

_BELOW = '''

@app.get("{base}/{{name}}")
def greet(name: str) -> str:
    """Greet whoever is in the path."""
    return f"Hello, {{name}}!"
'''

FILTERS: dict[str, Callable[[str], str]] = {
    "kebab_case": kebab_case,
    "snake_case": snake_case,
    "pascal_case": pascal_case,
    "dotted_pascal_case": dotted_pascal_case,
    "http_wildcard": _http_wildcard,
    "folders_up": _folders_up,
    "http_handlers": _http_handlers,
}


def _partials(template: ProjectTemplate) -> dict[str, str]:
    """Return the template's partials; ``row.liquid`` is also called ``row``."""
    partials = {}
    for path in sorted((template.folder / "metadata" / "partials").glob("*")):
        try:
            partials[path.name] = _read(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProjectError(f"template {path}: this is not UTF-8 text: {error}") from error
    short = {name.removesuffix(_PARTIAL): text for name, text in partials.items()}
    return {**short, **partials}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProjectError(f"template {path}: {error.strerror or error}") from error
