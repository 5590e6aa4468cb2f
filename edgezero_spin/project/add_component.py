"""Add a component to an application that exists, from a template of Spin's or ours.

In: the application's ``spin.toml``, an id and a template. Effect: the template's files lie in
a folder of their own, and ``spin.toml`` has the component and its trigger at its end. A
project whose ``edgezero.toml`` left open which component the app is gets that answered, since
there are several now.

All is rendered and checked in memory first. No file that exists is replaced but the two
manifests; the files come first and ``spin.toml`` last, each whole or not at all, so that a run
that is killed leaves an application that works, and running it again completes it. One that
fails has changed nothing.

Source: contract spin-host.md, TPL-3 to TPL-7, TPL-12 and TPL-13; edgezero.md, CMP-7.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import AppManifest
from edgezero_spin.manifest.adapter_tables import Adapter
from edgezero_spin.manifest.runtime_config import RUNTIME_CONFIG
from edgezero_spin.manifest.spin.identifiers import kebab_fault
from edgezero_spin.project.files import replace_files
from edgezero_spin.project.manifest_additions import SpinText, read_spin_text
from edgezero_spin.project.new_folders import made_folders, with_parents
from edgezero_spin.project.new_names import kebab_case
from edgezero_spin.project.provision import missing_tables
from edgezero_spin.project.template_manifest import ProjectTemplate, TemplateVariant
from edgezero_spin.project.template_rendering import render_template
from edgezero_spin.project.template_values import Ask, choose_values
from edgezero_spin.project.toml_edit import editing, insert_text

__all__ = ["AddedComponent", "ComponentRequest", "add_component"]

_ROUTE = "http-path"
_EVERYTHING = "/..."
# Commands that build every component of spin.toml.
_BUILDS_ALL = ("edgezero build", "spin build")


@attrs.frozen(kw_only=True)
class ComponentRequest:
    """Which component to add.

    Attributes:
        manifest: The application's ``spin.toml``.
        id: The component's id, in kebab case.
        template: What it is made from.
        folder: Where its files go, in the folder of ``spin.toml`` or below; the id when
            ``None``.
        route: The HTTP route that it serves, for templates that ask for one; ``/<id>/...``
            when ``None`` and the template's own would be everything.
        values: Parameters of the template; others have their defaults.
        vcs: Whether files for git are wanted.
        overwrite: Write over files that exist, but never over the application's manifests.
        project: The application's ``edgezero.toml``, where it has one.
    """

    manifest: Path
    id: str
    template: ProjectTemplate
    folder: str | None = None
    route: str | None = None
    values: Mapping[str, str] = attrs.field(factory=dict)
    vcs: bool = True
    overwrite: bool = False
    project: AppManifest | None = None

    @property
    def place(self) -> PurePosixPath:
        """The component's folder, relative to that of ``spin.toml``."""
        return PurePosixPath(Path(self.folder or self.id).as_posix())


@attrs.frozen(kw_only=True)
class AddedComponent:
    """What was done to an application.

    Attributes:
        id: The component.
        manifest: The ``spin.toml``.
        folders: Folders that it has beside those of its files.
        named: The ``edgezero.toml`` and the component that had to be named there as the app;
            ``None`` when none had to be.
        notices: What a person should know.
    """

    id: str
    manifest: Path
    files: tuple[Path, ...]
    folders: tuple[Path, ...]
    named: tuple[Path, str] | None
    notices: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield what to tell a person, line by line."""
        yield from (f"wrote {path}" for path in self.files)
        yield from (f"made the folder {path}" for path in self.folders)
        if self.named is not None:
            path, component_id = self.named
            yield (
                f'added component = "{component_id}" to [adapters.spin.adapter] in {path}, '
                f"because {self.manifest.name} has several components now"
            )
        yield f"added component `{self.id}` to {self.manifest}"


def add_component(request: ComponentRequest, *, ask: Ask | None = None) -> AddedComponent:
    """Add a component to an application.

    Args:
        ask: Asks a person for values that are not given and have no default.

    Raises:
        ProjectError: The id is taken or none, a value is missing or does not fit, a file
            would be replaced, or something cannot be written. Nothing is changed then.
    """
    _check_place(request)
    before = read_spin_text(request.manifest)
    before.check_version(request.template)
    if request.id in before.components:
        raise ProjectError(f"{request.manifest}: component `{request.id}` is there already")
    variant = request.template.for_component(before.root)
    values = _values(request, variant, ask)
    rendered = render_template(request.template, variant, values, vcs=request.vcs)
    after = before.with_snippets(rendered.snippets)
    named = _component_to_name(request, before)
    base = request.manifest.parent
    files = {base / request.place / name: data for name, data in rendered.files.items()}
    own = [base / request.place / path for path in rendered.component_folders]
    own += [base / path for path in rendered.manifest_folders]
    folders = with_parents(base, [*(path.parent for path in files), *own])
    _check_free(files, folders, overwrite=request.overwrite)
    manifests = {request.manifest: after.text.encode("utf-8")}
    if named is not None:
        manifests = {named[0].path: _with_component(*named), **manifests}
    with made_folders(folders):
        wanted = {
            path: data for path, data in files.items() if request.overwrite or not path.exists()
        }
        replace_files(wanted | manifests)
    return AddedComponent(
        id=request.id,
        manifest=request.manifest,
        files=tuple(files),
        folders=tuple(own),
        named=None if named is None else (named[0].path, named[2]),
        notices=(*rendered.warnings, *_notices(request, before, after)),
    )


def _check_place(request: ComponentRequest) -> None:
    fault = kebab_fault(request.id)
    if fault is not None:
        offer = kebab_case(request.id)
        hint = f": try `{offer}`" if offer and kebab_fault(offer) is None else ""
        raise ProjectError(f"Spin takes no component id {request.id!r}: {fault}{hint}")
    place = request.place
    if place.is_absolute() or ".." in place.parts:
        raise ProjectError(f"{str(place)!r} is not a folder below that of {request.manifest}")


def _values(request: ComponentRequest, variant: TemplateVariant, ask: Ask | None) -> dict[str, str]:
    """Return a value for each name in the template."""
    template = request.template
    routes = [parameter for parameter in template.parameters if parameter.name == _ROUTE]
    given = dict(request.values)
    if request.route is not None:
        if not routes:
            raise ProjectError(f"template {template.id} asks for no route: leave --route out")
        given[_ROUTE] = request.route
    return choose_values(
        template,
        variant,
        given,
        project_name=request.id,
        output_path=str(request.place),
        # A route for everything would take the requests of all other components.
        defaults={
            parameter.name: f"/{request.id}/..."
            for parameter in routes
            if parameter.default == _EVERYTHING
        },
        ask=ask,
    )


def _component_to_name(
    request: ComponentRequest, before: SpinText
) -> tuple[AppManifest, Adapter, str] | None:
    """Return the component that ``edgezero.toml`` meant and has to name from now on."""
    project = request.project
    adapter = None if project is None else project.adapter("spin")
    if project is None or adapter is None or adapter.manifest is None or adapter.component:
        return None
    own = project.root / adapter.manifest
    if len(before.components) != 1 or not (own.is_file() and own.samefile(request.manifest)):
        return None
    return project, adapter, next(iter(before.components))


def _with_component(project: AppManifest, adapter: Adapter, component_id: str) -> bytes:
    """Return the text of an ``edgezero.toml`` that names the app's component."""
    with editing(project.path):
        text = project.path.read_bytes().decode("utf-8")
        table = ("adapters", adapter.name, "adapter")
        return insert_text(text, table, "component", component_id).encode("utf-8")


def _check_free(files: Mapping[Path, bytes], folders: Iterable[Path], *, overwrite: bool) -> None:
    """Stop where something else lies; what an interrupted run has written is in place."""
    taken = [path for path in folders if os.path.lexists(path) and not path.is_dir()]
    taken += [
        path
        for path, data in files.items()
        if os.path.lexists(path)
        and not (path.is_file() and (overwrite or path.read_bytes() == data))
    ]
    if taken:
        raise ProjectError(
            f"{', '.join(map(str, taken))} exists already, and nothing is replaced: choose "
            "another folder with --output, another id, or --allow-overwrite"
        )


def _notices(request: ComponentRequest, before: SpinText, after: SpinText) -> Iterator[str]:
    """Yield what the new component needs elsewhere."""
    added = [table for id, table in after.components.items() if id not in before.components]
    labels = [label for table in added for label in table.get("key_value_stores", ())]
    yield from missing_tables(request.manifest.parent / RUNTIME_CONFIG, labels)
    adapter = None if request.project is None else request.project.adapter("spin")
    command = None if adapter is None else adapter.commands.build
    if command is not None and not any(whole in command for whole in _BUILDS_ALL):
        yield (
            f"`edgezero build` runs `{command}`, which may not build `{request.id}`: set build "
            'to "edgezero build --" in [adapters.spin.commands], which builds all of spin.toml'
        )
