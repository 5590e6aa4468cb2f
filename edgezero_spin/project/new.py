"""Make a new project from a template: all of it, or nothing.

In: a name, a folder to put it in, a template and values for its parameters. Effect: a new
folder, written under another name and renamed when it is complete; or, where the folder is
named and exists, files in it. What exists is not touched unless that is asked for.

Source: contract edgezero.md, NEW-1 to NEW-12; spin-host.md, TPL-9, TPL-11 and TPL-12;
services.md, NEW-1 and NEW-2.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.files import replace_files
from edgezero_spin.project.git import run_git
from edgezero_spin.project.new_folders import made_folders, with_parents
from edgezero_spin.project.new_names import project_name
from edgezero_spin.project.scratch import scratch_folder
from edgezero_spin.project.template_manifest import ProjectTemplate
from edgezero_spin.project.template_rendering import render_template
from edgezero_spin.project.template_values import Ask, choose_values
from edgezero_spin.project.toml_edit import insert_text
from edgezero_spin.project.world import DEFAULT_WASI, Wasi

__all__ = ["NewProject", "create_project"]

_REPOSITORY = ".git"
_APP_NAME = "app-name"
# A file of a template cannot be named after a parameter, so this one is given its name here.
_APP_CONFIG = PurePosixPath("app.toml")
_APP_MANIFEST = PurePosixPath("edgezero.toml")


@attrs.frozen(kw_only=True)
class NewProject:
    """A project that was made.

    Attributes:
        path: Its folder.
        name: Its name, which may differ from what was typed.
        files: What is in it, in order.
        warnings: What did not work and does not matter to the project.
    """

    path: Path
    name: str
    files: tuple[PurePosixPath, ...]
    warnings: tuple[str, ...] = ()


def create_project(
    text: str,
    template: ProjectTemplate,
    *,
    parent: Path,
    folder: Path | None = None,
    values: Mapping[str, str] | None = None,
    vcs: bool = True,
    overwrite: bool = False,
    ask: Ask | None = None,
    wasi: Wasi = DEFAULT_WASI,
) -> NewProject:
    """Make a project in a folder of its own.

    Args:
        text: What to call it; what cannot stand in a name is left out.
        template: What it is made from.
        parent: The folder to make its own in.
        folder: The project's own folder, which may exist, empty or with a repository and
            nothing else, and is made with those around it where it does not; ``None`` for a
            new one of the project's name in ``parent``.
        values: Parameters of the template; others have their defaults.
        vcs: Whether it gets a repository of its own, unless it lies in one.
        overwrite: Write into a folder that has files, and over those of the same name.
        ask: Asks for values that are not given and have no default.
        wasi: The WASI that its ``edgezero.toml`` has it compiled for.

    Raises:
        ProjectError: The folder exists, a value is missing or does not fit, or something
            cannot be written. Nothing is left behind.
    """
    name = project_name(text)
    target = parent / name if folder is None else folder
    _check_target(target, named=folder is not None, overwrite=overwrite)
    variant = template.for_new_application()
    chosen = choose_values(
        template,
        variant,
        values or {},
        project_name=name,
        output_path=str(target) if folder is not None else name,
        defaults={_APP_NAME: name},
        ask=ask,
    )
    rendered = render_template(template, variant, chosen, vcs=vcs)
    files = dict(rendered.files)
    if _APP_CONFIG in files and _APP_NAME in chosen:
        files[PurePosixPath(f"{chosen[_APP_NAME]}.toml")] = files.pop(_APP_CONFIG)
    if wasi != DEFAULT_WASI:
        if _APP_MANIFEST not in files:
            raise ProjectError(
                f"template {template.id} has no {_APP_MANIFEST} to write the WASI to: compile with "
                f"`edgezero componentize --wasi {wasi}`"
            )
        written = files[_APP_MANIFEST].decode()
        files[_APP_MANIFEST] = insert_text(written, ("adapters", "spin"), "wasi", wasi).encode()
    folders = (*rendered.component_folders, *rendered.manifest_folders)
    if not files and not folders:
        raise ProjectError(f"template {template.id} has no files to create")
    try:
        if target.is_dir():
            _fill(target, files, folders)
        else:
            outside = target.absolute().parent
            with made_folders(with_parents(Path(outside.anchor), [outside])):
                _write(target, files, folders)
    except OSError as error:
        raise ProjectError(f"cannot create {target}: {error.strerror or error}") from error
    warnings = (*rendered.warnings, *(_start_repository(target) if vcs else ()))
    return NewProject(path=target, name=name, files=tuple(sorted(files)), warnings=warnings)


def _check_target(target: Path, *, named: bool, overwrite: bool) -> None:
    """Refuse a place that is taken, or that a slip of the pen leads to."""
    if not named and not target.parent.is_dir():
        raise ProjectError(f"there is no folder {target.parent} to make {target.name} in")
    if not os.path.lexists(target) or (overwrite and target.is_dir()):
        return
    if not named or not target.is_dir():
        raise ProjectError(f"{target} already exists: choose another name, --dir or --output")
    if any(path.name != _REPOSITORY for path in target.iterdir()):
        raise ProjectError(
            f"Can't generate into {target} as it already contains other files: choose another "
            "folder, or write over them with --allow-overwrite"
        )


def _fill(
    target: Path, files: Mapping[PurePosixPath, bytes], folders: Iterable[PurePosixPath]
) -> None:
    """Write into a folder that exists: all of the files, or none."""
    contents = {target / name: content for name, content in files.items()}
    inner = [*(path.parent for path in contents), *(target / name for name in folders)]
    with made_folders(with_parents(target, inner)):
        replace_files(contents)


def _write(
    target: Path, files: Mapping[PurePosixPath, bytes], folders: Iterable[PurePosixPath]
) -> None:
    with scratch_folder(target) as scratch:
        whole = scratch / target.name
        whole.mkdir()
        for name, content in files.items():
            path = whole / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for name in folders:
            (whole / name).mkdir(parents=True, exist_ok=True)
        whole.rename(target)


def _start_repository(folder: Path) -> Iterator[str]:
    """Run ``git init``; yield what to warn of."""
    inside = folder.resolve()
    if any((outer / _REPOSITORY).exists() for outer in (inside, *inside.parents)):
        return
    try:
        failure = run_git("-C", str(folder), "init", "--quiet")
    except ProjectError as error:
        failure = str(error)
    if failure is not None:
        yield f"git init failed: {failure}"
