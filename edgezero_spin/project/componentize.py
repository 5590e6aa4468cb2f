"""Compile an app module to one component, of WASI 0.2 or 0.3.

In: ``module`` or ``module:attribute``, the folder it lives in, and where the
component goes. Out: a ``Componentized`` with path, size, world and time.

Two steps, each in a process of its own. First the module is imported as it is, to see what its
``App`` answers and uses: its world is written from that. Then componentize-py imports it again
inside the component, and what the import leaves in memory is the component's snapshot.

What is imported and read only later travels as well: it is searched for here and put on the
search path, and ``run_app`` takes it into the snapshot (``edgezero_spin/bundle``).

Then its core modules become one (``edgezero_spin/wasm/fuse/packing.py``), so that an instance
starts in a fraction of the time on any host and does not keep what it sent. Nothing is written in
place: the component appears at its path when it is whole.

Source: design.md, "Worlds"; componentize-py 0.25 command line.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import attrs

from edgezero_spin.bundle.building import FOLDER, WEIGHT, BundlePlan, PlannedModule
from edgezero_spin.bundle.unavailable import COMPILED, PAGE, why_unavailable
from edgezero_spin.errors import ProjectError
from edgezero_spin.project.app_look import look_at_app, own_traceback
from edgezero_spin.project.bundled_files import pack_files
from edgezero_spin.project.errors import AppImportError, ToolMissingError, WorldUnknownError
from edgezero_spin.project.files import replace_file
from edgezero_spin.project.locate import APP_MANIFEST
from edgezero_spin.project.reachable_modules import find_reachable
from edgezero_spin.project.staging import stage
from edgezero_spin.project.standard_library import ENTRY_MODULE, kept_library
from edgezero_spin.project.trigger_check import check_triggers
from edgezero_spin.project.world import (
    DEFAULT_WASI,
    FIXED_WORLDS,
    GENERATED_WORLD,
    Wasi,
    oldest_spin,
    world_name,
    world_text,
)
from edgezero_spin.wasm.fuse.packing import packed_component

__all__ = ["Componentized", "componentize_app", "split_target"]

_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[A-Za-z_]\w*)?")

# The module that componentize-py is pointed at; the second where the app's own module does not
# name an `IncomingHandler`, or where `module:attribute` names an App in it.
_ENTRY_MODULE = "edgezero_component_entry"
_ENTRY_TEXT = """\
from edgezero_spin.bundle.lean_imports import install

install()

from {module} import IncomingHandler

HttpHandler = InboundRedis = WitWorld = IncomingHandler
"""
_ENTRY_TEXT_OF_APP = """\
from edgezero_spin.bundle.lean_imports import install

install()

from {module} import {attribute} as app
from edgezero_spin.guest import run_app

IncomingHandler = run_app(app)
"""

_WIT = Path(__file__).parents[1] / "wit"
_SMALLEST = "edgezero:spin/http-trigger@0.1.0"

_OUR_LATE_IMPORTS = ("cattrs",)
"""What this package imports in a component when a handler uses a type that needs it."""

_KEEPS_COPIES = ("0.25.1",)
"""Releases of componentize-py that never free the bytes which they copy for a call. One that
does must not be listed: they would be freed twice."""


@attrs.frozen(kw_only=True)
class Componentized:
    """A component that was built.

    Attributes:
        path: Where it stands.
        size_bytes: Its size on disk.
        world: The world that it was built for: what it answers and uses
            (``http-trigger + key-value``), or the name of the one that was asked for.
        spin: The oldest Spin that runs it; empty where the world was asked for.
        seconds: Wall time of the whole build.
        bundled_bytes: How much of its size is what it imports and reads only later.
        left_out: Files that it could read natively and that are too large to travel.
    """

    path: Path
    size_bytes: int
    world: str
    spin: str
    seconds: float
    bundled_bytes: int
    left_out: tuple[str, ...] = ()


def split_target(target: str) -> tuple[str, str]:
    """Return module and attribute of ``module:attribute``; no attribute is an empty one.

    Raises:
        AppImportError: It is not of that form.
    """
    if not _TARGET.fullmatch(target):
        raise AppImportError(
            target=target,
            reason="is not of the form module or module:attribute (for example app:app)",
        )
    module, _, attribute = target.partition(":")
    return module, attribute


def componentize_app(
    target: str,
    *,
    output: Path,
    folder: Path | None = None,
    world: str | None = None,
    wasi: Wasi = DEFAULT_WASI,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Componentized:
    """Build ``target`` to a component at ``output``.

    Args:
        target: ``module`` or ``module:attribute``. The attribute is an ``App``;
            without one the module has a class ``IncomingHandler``
            (``IncomingHandler = run_app(app)``).
        output: Path of the component. Replaced at once when the build has succeeded.
        folder: Where the module is found; the current folder when ``None``.
        world: One of ``FIXED_WORLDS``, or a full ``ns:package/world@version``. Written from
            what the app answers and uses when ``None``.
        wasi: The WASI of the app's own world; of no interest where ``world`` names one.
        include: Modules and packages that it can import later, although no import statement
            leads to them; a package with everything in it.
        exclude: Modules and packages that it cannot import later.

    Raises:
        AppImportError: The module or the attribute does not exist, or its import
            fails; carries the app's own traceback.
        TriggerMismatchError: The ``spin.toml`` that has the component does not start what the app
            handles.
        WorldUnknownError: ``world`` is none of ours.
        ToolMissingError: componentize-py is not installed.
        ProjectError: componentize-py failed for another reason.
    """
    started = time.monotonic()
    module, attribute = split_target(target)
    root = (folder or Path.cwd()).resolve()
    loaded: tuple[str, ...] = ()
    if world is None:
        found = look_at_app(module, attribute, root)
        shown, spin = world_name(found.needs, wasi), oldest_spin(found.needs, wasi)
        text = world_text(found.needs, wasi)
        has_handler = found.has_handler
        loaded = found.modules
        check_triggers(found.triggers, root / output, root)
    else:
        shown, spin, text = _full_name(world), "", ""
        has_handler = not attribute
    output = output if output.is_absolute() else root / output
    if not output.parent.is_dir():
        raise ProjectError(f"{output.parent}: no such folder; create it, or name another output")
    with tempfile.TemporaryDirectory(prefix="edgezero-componentize-") as scratch_name:
        scratch = Path(scratch_name)
        (scratch / "entry").mkdir()
        entry = _ENTRY_TEXT if has_handler else _ENTRY_TEXT_OF_APP
        entry = entry.format(module=module, attribute=attribute)
        (scratch / "entry" / f"{_ENTRY_MODULE}.py").write_text(entry, encoding="utf-8")
        folders = _search_path(root, scratch)
        prepared = scratch / "entry" / FOLDER
        plan, left_out = _prepare(
            (module, *loaded, *_OUR_LATE_IMPORTS),
            folders,
            prepared,
            root,
            include=include,
            exclude=exclude,
        )
        chosen = _generated_world(text, scratch) if text else ["-w", shown]
        built = _componentize(
            target, _ENTRY_MODULE, chosen, root, scratch, folders, plan.extensions
        )
        # Written by ``run_app``; a component that does not call it carries nothing.
        weight = prepared / WEIGHT
        bundled_bytes = int(weight.read_text(encoding="ascii")) if weight.exists() else 0
        packed = packed_component(built.read_bytes(), frees_bytes=_release() in _KEEPS_COPIES)
        replace_file(output, packed)
    return Componentized(
        path=output,
        size_bytes=len(packed),
        world=shown,
        spin=spin,
        seconds=time.monotonic() - started,
        bundled_bytes=bundled_bytes,
        left_out=left_out,
    )


def _prepare(
    start: Sequence[str],
    folders: Sequence[tuple[Path, Path]],
    prepared: Path,
    root: Path,
    *,
    include: Sequence[str],
    exclude: Sequence[str],
) -> tuple[BundlePlan, tuple[str, ...]]:
    """Write what the component carries for later into a folder beside its entry module."""
    known = [shown for _, shown in folders]
    own = known.index(root)
    reachable = find_reachable(start, known, own=own, include=include, exclude=exclude)
    if reachable.missing:
        raise ProjectError(
            f"--include {reachable.missing[0]}: no such module in {root}, nor installed; correct "
            f"the flag, or `include` in {APP_MANIFEST}"
        )
    inside = [f"/{number}" for number in range(len(folders))]
    data = pack_files(reachable, known, own=own, inside=inside)
    library = kept_library(_release(), partial(_make_library, folders=folders[own + 1 :]))
    places = []
    for each in reachable.modules.values():
        below = each.path.relative_to(known[each.folder])
        # A mirror lacks what is not part of the app, an environment beside it for example.
        if (folders[each.folder][0] / below).exists():
            path = f"{inside[each.folder]}/{below.as_posix()}"
            places.append(PlannedModule(each.name, path, each.kind))
    plan = BundlePlan(
        folder=inside[own],
        modules=[place for place in places if place.kind != "extension"],
        extensions=[place.name for place in places if place.kind == "extension"],
    )
    prepared.mkdir()
    (prepared / "plan").write_bytes(plan.dumps())
    (prepared / "files").write_bytes(data.archive)
    (prepared / "standard-library").write_bytes(library)
    return plan, data.left_out


def _make_library(folder: Path, *, folders: Sequence[tuple[Path, Path]]) -> None:
    """Build the component that writes the archive of the standard library."""
    scratch = folder / "scratch"
    scratch.mkdir()
    argv = _command(["-w", _SMALLEST], [folder, *(path for path, _ in folders)], scratch)
    done = _run([*argv, ENTRY_MODULE], folder, scratch)
    if not (folder / "standard-library").is_file():
        raise _componentize_failure("the standard library", done, [], [])


_SHORT_NAMES = {
    "wasi:http/types@0.2.0": "types",
    "wasi:clocks/monotonic-clock@0.3.0": "monotonic_clock",
    "wasi:otel/types@0.2.0-rc.2": "otel_types",
}
"""Module names of interfaces whose own name a world with ``wasi:otel`` has twice."""


def _full_name(world: str) -> str:
    if "/" in world:
        return world
    if world not in FIXED_WORLDS:
        raise WorldUnknownError(world=world, known=FIXED_WORLDS)
    return f"edgezero:spin/{world}@0.1.0"


def _generated_world(text: str, scratch: Path) -> list[str]:
    """Write a world beside the interfaces that it names; return what componentize-py is told."""
    # A package like those that bring WIT: what it has in common with them is merged, which a
    # folder of WIT on the command line is not.
    folder = scratch / "entry" / "edgezero_component_world"
    (folder / "wit").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "componentize-py.toml").write_text('wit_directory = "wit"\n', encoding="utf-8")
    (folder / "wit" / "world.wit").write_text(text, encoding="utf-8")
    (folder / "wit" / "deps").symlink_to(_WIT / "deps")
    return ["-w", GENERATED_WORLD]


def _search_path(root: Path, scratch: Path) -> list[tuple[Path, Path]]:
    """Return the folders that hold importable modules: the app's first, then what is installed.

    Each comes as it is given to componentize-py and as a person knows it.
    """
    base = Path(sys.base_prefix).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    known = [root]
    # The first entry is the folder of the script that runs (bin/), not of anything installed.
    for entry in sys.path if sys.flags.safe_path else sys.path[1:]:
        path = Path(entry or ".").resolve()
        standard = version in str(path) and path.is_relative_to(base)
        if not path.is_dir() or path in known or (standard and path.name != "site-packages"):
            continue
        known.append(path)
    # An editable installation may be reached through an import hook that leaves no entry.
    package = Path(__file__).resolve().parents[2]
    if package not in known:
        known.append(package)
    folders = [(scratch / "entry", scratch / "entry")]
    for number, path in enumerate(known):
        if path.name in ("site-packages", "dist-packages"):
            folders.append((path, path))
        else:
            folders.append((stage(path, scratch / f"path-{number}"), path))
    return folders


def _componentize(
    target: str,
    entry: str,
    world: Sequence[str],
    root: Path,
    scratch: Path,
    folders: Sequence[tuple[Path, Path]],
    extensions: Sequence[str],
) -> Path:
    """Drive componentize-py; return the component in the scratch folder."""
    argv = _command(world, [folder for folder, _ in folders], scratch)
    done = _run([*argv, entry], root, scratch)
    built = scratch / "component.wasm"
    if done.returncode == 0 and built.is_file():
        return built
    raise _componentize_failure(target, done, [shown for _, shown in folders], extensions)


def _command(world: Sequence[str], folders: Sequence[Path], scratch: Path) -> list[str]:
    argv = ["componentize-py", "-q", *world]
    for interface, name in _SHORT_NAMES.items():
        argv += ["--import-interface-name", f"{interface}={name}"]
    argv.append("componentize")
    for folder in folders:
        argv += ["-p", str(folder)]
    return [*argv, "-o", str(scratch / "component.wasm")]


def _run(argv: Sequence[str], cwd: Path, scratch: Path) -> "subprocess.CompletedProcess[bytes]":
    # componentize-py adds the site-packages below VIRTUAL_ENV, or else asks whatever python3
    # is first on PATH. An empty one keeps the search path to what this interpreter has.
    no_env = scratch / "no-environment"
    (no_env / "lib" / "site-packages").mkdir(parents=True)
    # What it leaves in its temporary folders when it is stopped goes with ours.
    temporary = scratch / "tmp"
    temporary.mkdir()
    script = "import sys, componentize_py; sys.argv[:] = sys.argv[1:]; componentize_py.script()"
    return subprocess.run(
        [sys.executable, "-c", script, *argv],
        cwd=cwd,
        env={
            **os.environ,
            "VIRTUAL_ENV": str(no_env),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(temporary),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def _componentize_failure(
    target: str,
    done: "subprocess.CompletedProcess[bytes]",
    folders: Sequence[Path],
    extensions: Sequence[str],
) -> ProjectError:
    said = done.stderr.decode(errors="replace")
    if "No module named 'componentize_py'" in said:
        return ToolMissingError(tool="componentize-py", extra="tools")
    return _failure(target, said, folders, extensions)


def _release() -> str:
    try:
        return importlib.metadata.version("componentize-py")
    except importlib.metadata.PackageNotFoundError:
        # It may be there all the same, and not say which one it is.
        return ""


_OURS = re.compile(r"^edgezero_spin\.[\w.]+: (.*)\Z", re.MULTILINE | re.DOTALL)
_MODULE_MISSING = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'", re.MULTILINE)


def _why_missing(text: str, extensions: Sequence[str]) -> str:
    """Say why a module that the traceback misses cannot be in a component, if that is known."""
    for name in reversed(_MODULE_MISSING.findall(text)):
        if name in extensions:
            return f"{name}: {COMPILED} ({PAGE})"
        why = why_unavailable(name)
        if why:
            return f"{name.removeprefix('_')}: {why} ({PAGE})"
    return ""


def _failure(
    target: str, said: str, folders: Sequence[Path], extensions: Sequence[str]
) -> ProjectError:
    """Tell the app's own failure inside the component from one of componentize-py."""
    message = said.split("AssertionError: ", 1)[-1].split("\n\nStack backtrace", 1)[0].strip()
    inside = message.split("\n\nCaused by:", 1)[0].strip()
    if "Traceback (most recent call last)" in inside:
        shown = re.sub(
            r'File "/(\d+)/',
            lambda m: f'File "{folders[int(m[1])]}/' if int(m[1]) < len(folders) else m[0],
            inside,
        )
        ours = _OURS.search(inside)
        if ours is not None:
            # It says where it is itself, and no frame of a traceback adds to that.
            return AppImportError(target=target, reason=ours[1].strip())
        why = _why_missing(inside, extensions)
        return AppImportError(
            target=target,
            reason=f"its import fails inside the component; {why}"
            if why
            else "its import fails inside the component (the interpreter there is CPython "
            "compiled to WebAssembly: no threads, no sockets, no compiled extension modules)",
            traceback=own_traceback(shown),
        )
    return ProjectError(f"componentize-py could not build {target}: {message}")
