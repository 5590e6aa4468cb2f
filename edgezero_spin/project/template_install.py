"""Install templates from a git repository or a folder, upgrade them and remove them.

In: where they come from. Effect: each has a folder in Spin's store of templates, whole or not
at all, with a record of its origin. ``git`` does all that needs a network.

Source: contract spin-host.md, CLI-23, TPL-1, TPL-14, TPL-15; services.md, NEW-5.
"""

import contextlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import tomli_w

from edgezero_spin.errors import EdgeZeroError, ProjectError
from edgezero_spin.project.git import run_git
from edgezero_spin.project.scratch import scratch_folder
from edgezero_spin.project.spin_data import SPIN_VERSION
from edgezero_spin.project.template_manifest import ProjectTemplate, load_template
from edgezero_spin.project.template_store import installed_templates, template_folder

__all__ = [
    "InstallResult",
    "TemplateSource",
    "install_templates",
    "installed_repositories",
    "uninstall_template",
]

_RECORD = ".install.toml"
_FOLDER = "templates"
_TAG = f"spin/templates/v{SPIN_VERSION.rpartition('.')[0]}"


@attrs.frozen(kw_only=True)
class TemplateSource:
    """Where templates come from: one of the two is given.

    Attributes:
        git: A repository, as ``git clone`` takes it.
        branch: Its branch or tag; ``None`` for the tag of this Spin, else its usual branch.
    """

    git: str | None = None
    branch: str | None = None
    folder: Path | None = None

    @classmethod
    def repository(cls, named: str, branch: str | None = None) -> "TemplateSource":
        """Return the source for a repository; ``owner/name`` is one of GitHub's."""
        if not urlsplit(named).scheme and "@" not in named and not Path(named).exists():
            named = f"https://github.com/{named.removeprefix('/')}"
        return cls(git=named, branch=branch)

    @property
    def shown(self) -> str:
        """Its address without user and password, for messages and records."""
        if self.git is None:
            return str(self.folder)
        url = urlsplit(self.git)
        if url.scheme not in ("http", "https"):
            return self.git
        return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()

    def record(self) -> dict[str, str]:
        """Return what is written beside each of its templates."""
        return {"dir" if self.git is None else "git": self.shown}


@attrs.frozen(kw_only=True)
class InstallResult:
    """What an installation did.

    Attributes:
        installed: The templates that are new or replaced, by id.
        skipped: Templates that are not, and why.
        removed: Templates that the repository has no more, by id.
    """

    installed: tuple[ProjectTemplate, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()


def install_templates(source: TemplateSource, *, upgrade: bool = False) -> InstallResult:
    """Install the templates of a source.

    Args:
        source: Where they come from: each is a folder in its folder ``templates``.
        upgrade: Replace those that are installed, and remove those that were installed from
            this repository and are not in it any more; else they are skipped.

    Raises:
        ProjectError: The source cannot be read or has no templates, or the store cannot be
            written.
    """
    installed: list[ProjectTemplate] = []
    skipped: list[tuple[str, str]] = []
    with _local(source) as root:
        folder = root / _FOLDER
        if not folder.is_dir():
            raise ProjectError(f"{source.shown} has no folder {_FOLDER!r}, where templates lie")
        for path in sorted(each for each in folder.iterdir() if each.is_dir()):
            try:
                template = load_template(path)
                _check_links(template)
            except EdgeZeroError as error:
                skipped.append((path.name, str(error).replace(f"{path}{os.sep}", "")))
                continue
            target = template_folder(template.id)
            if target.exists() and not upgrade:
                skipped.append((template.id, "Already exists"))
            else:
                installed.append(_install(template, target, source))
    there = {template.id for template in installed} | {id for id, _ in skipped}
    removed = _remove_missing(source, there) if upgrade else ()
    return InstallResult(installed=tuple(installed), skipped=tuple(skipped), removed=removed)


def uninstall_template(id: str) -> None:
    """Remove an installed template.

    Raises:
        ProjectError: None of this id is installed, or it cannot be removed.
    """
    folder = template_folder(id)
    if not folder.is_dir():
        known = ", ".join(template.id for template in installed_templates().templates)
        raise ProjectError(f"no template {id!r} is installed (installed: {known or 'none'})")
    try:
        with scratch_folder(folder) as scratch:
            folder.rename(scratch / "removed")
    except OSError as error:
        raise ProjectError(f"cannot remove {folder}: {error.strerror or error}") from error


def installed_repositories() -> tuple[str, ...]:
    """Return the repositories that installed templates came from, each once."""
    found = (_origin(template.folder) for template in installed_templates().templates)
    return tuple(dict.fromkeys(origin for origin in found if origin is not None))


def _origin(folder: Path) -> str | None:
    """Return the repository that a template was installed from; ``None`` for a folder."""
    try:
        record = tomllib.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    origin = record.get("git")
    return origin if isinstance(origin, str) else None


def _install(template: ProjectTemplate, target: Path, source: TemplateSource) -> ProjectTemplate:
    """Put a template in its place; what was there is removed once it is replaced."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target) as scratch:
            whole = scratch / "new"
            shutil.copytree(template.folder, whole, symlinks=True)
            (whole / _RECORD).write_text(tomli_w.dumps(source.record()), encoding="utf-8")
            if target.exists():
                target.rename(scratch / "old")
            whole.rename(target)
    except OSError as error:
        raise ProjectError(f"cannot write {target}: {error.strerror or error}") from error
    return attrs.evolve(template, folder=target)


def _check_links(template: ProjectTemplate) -> None:
    """Refuse links that would copy files from elsewhere on this machine into a project."""
    root = template.folder.resolve()
    for path in template.folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            name = path.relative_to(template.folder)
            raise ProjectError(f"{name} is a link that leads outside of the template")


def _remove_missing(source: TemplateSource, there: set[str]) -> tuple[str, ...]:
    """Remove templates that came from a repository and are not in it any more."""
    if source.git is None:
        return ()
    gone = [
        template.id
        for template in installed_templates().templates
        if template.id not in there and _origin(template.folder) == source.shown
    ]
    for id in gone:
        uninstall_template(id)
    return tuple(gone)


@contextlib.contextmanager
def _local(source: TemplateSource) -> Iterator[Path]:
    """Give the source as a folder, a repository for as long as it is needed."""
    if source.git is None:
        folder = source.folder
        if folder is None or not folder.is_dir():
            raise ProjectError(f"there is no folder {folder}")
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="edgezero-") as scratch:
        clone = Path(scratch) / "repository"
        branch = source.branch
        if branch is None and run_git("ls-remote", "--exit-code", "--", source.git, _TAG) is None:
            branch = _TAG
        chosen = () if branch is None else ("--branch", branch)
        failure = run_git("clone", "--quiet", "--depth", "1", *chosen, "--", source.git, str(clone))
        if failure is not None:
            # git may quote the address, with the password in it.
            reason = failure.replace(source.git, source.shown)
            raise ProjectError(f"cannot clone {source.shown}: {reason}")
        yield clone
