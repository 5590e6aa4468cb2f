"""Render a template: its files, its snippets and the names of its folders, in memory.

In: a ``ProjectTemplate``, the variant to make and a value for every name. Out: relative paths and
their contents. Text is Liquid, with Spin's filters and the template's own partials; files
that are not text are copied.

Source: contract spin-host.md, TPL-1, TPL-4, TPL-7 to TPL-10; Liquid as python-liquid has it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import attrs
from liquid import DictLoader, Environment, FalsyStrictUndefined
from liquid.exceptions import LiquidError, LiquidSyntaxError

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.new_names import (
    dotted_pascal_case,
    kebab_case,
    pascal_case,
    snake_case,
)
from edgezero_spin.project.template_manifest import ProjectTemplate, SnippetKind, TemplateVariant

__all__ = ["Rendered", "render_template"]

_SUFFIX = ".tmpl"
_PARTIAL = ".liquid"
_IGNORE = ".gitignore"


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


class _Renderer:
    """Liquid with the filters, partials and values of one run."""

    def __init__(self, template: ProjectTemplate, values: Mapping[str, str]) -> None:
        # A name that nobody gave is an error where it is printed and false in a condition.
        self._engine = Environment(
            undefined=FalsyStrictUndefined, loader=DictLoader(_partials(template))
        )
        for name, filter in _FILTERS.items():
            self._engine.add_filter(name, filter)
        self._values = values
        self.warnings: list[str] = []

    def file(self, path: Path) -> bytes:
        """Return the content of a file; what is not text, or not Liquid, as it is."""
        data = _read(path)
        try:
            return self._render(data.decode("utf-8"), str(path)).encode("utf-8")
        except UnicodeDecodeError:
            return data
        except LiquidSyntaxError as error:
            # As Spin does: a file in another language may be full of braces.
            self.warnings.append(f"{path} is copied as it is: {_first_line(error)}")
            return data

    def text(self, path: Path) -> str:
        """Return a snippet."""
        try:
            return self._render(_read(path).decode("utf-8"), str(path))
        except UnicodeDecodeError as error:
            raise ProjectError(f"template {path}: this is not UTF-8 text: {error}") from error
        except LiquidSyntaxError as error:
            raise ProjectError(f"template {path}: {error}") from error

    def folder(self, written: str) -> PurePosixPath:
        """Return the path of a folder to make; it may not lead outside."""
        try:
            path = PurePosixPath(self._render(written, "outputs"))
        except LiquidSyntaxError as error:
            raise ProjectError(f"template output {written!r}: {error}") from error
        if path.is_absolute() or ".." in path.parts:
            raise ProjectError(f"template output {written!r}: {path} is outside of the project")
        return path

    def _render(self, text: str, name: str) -> str:
        template = self._engine.from_string(text, name=name)
        try:
            return template.render(**self._values)
        except LiquidError as error:
            raise ProjectError(f"template {name}: {error}") from error


def _http_wildcard(route: str) -> str:
    """Return a route with everything below it: ``/static`` is ``/static/...``."""
    return route if route.endswith("/...") else f"{route.removesuffix('/')}/..."


_FILTERS: dict[str, Callable[[str], str]] = {
    "kebab_case": kebab_case,
    "snake_case": snake_case,
    "pascal_case": pascal_case,
    "dotted_pascal_case": dotted_pascal_case,
    "http_wildcard": _http_wildcard,
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


def _first_line(error: LiquidError) -> str:
    return str(error).partition("\n")[0]
