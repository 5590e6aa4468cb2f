"""Templates by id: those of this package, and those that are installed where Spin installs them.

In: an id, tags or a folder. Out: a ``ProjectTemplate``. What puts templates into the store is
``template_install``.

Source: contract spin-host.md, CLI-33 and TPL-15; services.md, NEW-5.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs

from edgezero_spin.errors import EdgeZeroError, ProjectError
from edgezero_spin.project.spin_data import spin_data_dir
from edgezero_spin.project.template_manifest import (
    TEMPLATE_MANIFEST,
    ProjectTemplate,
    built_in_templates,
    load_template,
)

__all__ = [
    "InstalledTemplates",
    "find_template",
    "installed_templates",
    "tagged_template",
    "template_folder",
    "template_ids",
    "template_store",
]

_UNSAFE = re.compile(r"[^-_a-zA-Z0-9]")


@attrs.frozen
class InstalledTemplates:
    """What is in the store.

    Attributes:
        templates: Those that can be used, by id.
        broken: Why others cannot, by the name of their folder.
    """

    templates: tuple[ProjectTemplate, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()


def template_store() -> Path:
    """Return the folder that templates are installed in, which need not exist."""
    return spin_data_dir() / "templates"


def template_folder(id: str) -> Path:
    """Return the folder of an installed template, which need not exist."""
    digest = hashlib.sha256(id.encode()).hexdigest()
    return template_store() / f"{_UNSAFE.sub('_', id)}_{digest}"


def installed_templates() -> InstalledTemplates:
    """Return the templates in the store, sorted by id."""
    store = template_store()
    found, broken = [], []
    # Spin keeps the templates of target environments in `.envs`, and replaced ones beside.
    folders = [path for path in store.glob("*") if path.is_dir() and "." not in path.name]
    for folder in sorted(folders):
        try:
            found.append(load_template(folder))
        except EdgeZeroError as error:
            broken.append((folder.name, str(error)))
    return InstalledTemplates(tuple(sorted(found, key=lambda each: each.id)), tuple(broken))


def template_ids() -> tuple[str, ...]:
    """Return the ids of the templates of this package and of those that are installed."""
    known = (*built_in_templates(), *installed_templates().templates)
    return tuple(template.id for template in known)


def find_template(named: str) -> ProjectTemplate:
    """Return a template by its id, or by the folder that holds it.

    A template of this package comes before an installed one, and that before a folder.

    Raises:
        ProjectError: There is none; the message offers the ids that there are.
        ManifestError: Its manifest cannot be used.
    """
    for template in built_in_templates():
        if template.id == named:
            return template
    for folder in (template_folder(named), Path(named)):
        if (folder / TEMPLATE_MANIFEST).is_file():
            return load_template(folder)
    raise ProjectError(
        f"no template {named!r} (available: {', '.join(template_ids())}; or a folder with "
        f"{TEMPLATE_MANIFEST.as_posix()})"
    )


def tagged_template(
    tags: Iterable[str], choose: Callable[[list[str]], str] | None
) -> ProjectTemplate:
    """Return the one template that has all of some tags, in any case.

    Args:
        tags: What it has to be tagged with.
        choose: Asks a person for one of several ids; ``None`` where there is nobody to ask.

    Raises:
        ProjectError: There is none, or there are several and nobody to ask.
    """
    wanted = {tag.lower() for tag in tags}
    known = (*built_in_templates(), *installed_templates().templates)
    matching = {each.id: each for each in known if wanted <= {tag.lower() for tag in each.tags}}
    shown = ", ".join(sorted(wanted))
    if not matching:
        raise ProjectError(f"No templates matched {shown} (available: {', '.join(template_ids())})")
    if len(matching) == 1:
        return next(iter(matching.values()))
    if choose is None:
        raise ProjectError(
            f"several templates are tagged {shown}: name one with -t: {', '.join(sorted(matching))}"
        )
    return matching[choose(sorted(matching))]
