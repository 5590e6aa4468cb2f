"""Find the application that a test file belongs to, import it, and build it when needed.

In: the folder of a test. Out: a ``SpinProject`` that makes clients. The manifest is the
nearest ``spin.toml`` upwards; the app is the one that its build command compiles.
"""

import importlib
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from edgezero_spin.core.app import App
from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.manifest.spin.schema import Component
from edgezero_spin.project.build import BuildStep, plan_build
from edgezero_spin.project.children import search_path
from edgezero_spin.project.locate import SPIN_MANIFEST, find_spin_manifest
from edgezero_spin.testing.component import ComponentClient
from edgezero_spin.testing.errors import KitError, MissingComponentError, StaleComponentError
from edgezero_spin.testing.native import TestClient
from edgezero_spin.testing.sources import check_fresh, component_files

__all__ = ["SpinProject", "app_target", "find_project", "import_app", "merged"]

MERGED = ("kv", "config", "sqlite", "secrets", "variables", "env")


def find_project(
    folder: Path,
    *,
    root: Path | None = None,
    manifest: str = "",
    app: str = "",
    projects: "Mapping[object, SpinProject] | None" = None,
) -> "SpinProject":
    """Return the project of a folder.

    Args:
        folder: Where the test is.
        root: Where ``manifest`` is relative to, and where to look when there is no
            manifest above the folder.
        manifest: The ``spin.toml``, when it is named.
        app: The app as ``module:attribute``, when it is named.
        projects: Those that are known already; one of the same manifest is returned.

    Raises:
        KitError: There is no manifest.
    """
    try:
        if manifest:
            path = find_spin_manifest(str((root or folder) / manifest))
        else:
            path = _nearest(folder, root)
    except ProjectError:
        raise KitError(
            f"`spin_app` needs an application, and there is no {SPIN_MANIFEST} in {folder} or "
            f"above it; set spin_manifest in pytest's settings"
        ) from None
    path = path.resolve()
    for known in (projects or {}).values():
        if known.manifest == path:
            return known
    return SpinProject(path, app)


def _nearest(folder: Path, root: Path | None) -> Path:
    try:
        return find_spin_manifest(start=folder)
    except ProjectError:
        if root is None:
            raise
        return find_spin_manifest(start=root)


class SpinProject:
    """One application under test.

    Attributes:
        manifest: Its ``spin.toml``.
    """

    def __init__(self, manifest: Path, app: str = "") -> None:
        """Name it; nothing is read yet."""
        self.manifest = manifest
        self._target = app
        self._app: tuple[App, str] | None = None
        self._built = False

    def native(self, **arguments: Any) -> TestClient:
        """Return a client of the app in this process.

        Raises:
            KitError: The manifest does not tell which app it is, or it cannot be imported.
        """
        if self._app is None:
            self._app = self._find_app()
        app, component = self._app
        # What only a component has is no mistake in a test for both.
        arguments.pop("allow_stale", None)
        return TestClient(app, manifest=self.manifest, component=component, **arguments)

    def component(self, **arguments: Any) -> ComponentClient:
        """Return a client of the compiled application."""
        return ComponentClient(self.manifest, **arguments)

    def build(self, when: str) -> None:
        """Run the build commands once: ``always``, ``stale`` (or missing), or ``never``.

        Raises:
            KitError: A command failed; the message holds what it said.
        """
        if self._built or when == "never":
            return
        if when == "stale" and self._is_fresh():
            self._built = True
            return
        for step in plan_build(self.manifest):
            _run(step)
        self._built = True

    def _is_fresh(self) -> bool:
        manifest = load_spin_manifest(self.manifest)
        try:
            component_files(manifest)
            check_fresh(manifest)
        except (MissingComponentError, StaleComponentError):
            return False
        return True

    def _find_app(self) -> tuple[App, str]:
        manifest = load_spin_manifest(self.manifest)
        found = [
            (id, component, target)
            for id, component in manifest.components.items()
            if (target := app_target(component)) is not None
        ]
        if self._target:
            named = [each for each in found if each[2] == self._target]
            ids = named or found or [(id, part, "") for id, part in manifest.components.items()]
            component_id, component, target = ids[0][0], ids[0][1], self._target
        elif len(found) == 1:
            component_id, component, target = found[0]
        else:
            what = "none of its components is" if not found else "several of its components are"
            raise KitError(
                f"{self.manifest}: {what} built by `edgezero componentize module:app`, so it is "
                f"not clear which app to test natively; set spin_app = module:app in pytest's "
                f"settings, or run with --spin-mode component"
            )
        workdir = "" if component.build is None else component.build.workdir or ""
        return import_app(target, manifest.base_dir / workdir), component_id


def app_target(component: Component) -> str | None:
    """Return the ``module:attribute`` that a component is compiled from, if it says so."""
    if component.build is None:
        return None
    for command in component.build.command:
        try:
            words = shlex.split(command)
        except ValueError:
            continue
        if "componentize" in words:
            after = words[words.index("componentize") + 1 :]
            found = [word for word in after if all(p.isidentifier() for p in _names(word))]
            if found:
                return found[0]
    return None


def _names(target: str) -> list[str]:
    module, _, attribute = target.partition(":")
    return [*module.split("."), *([attribute] if attribute else [])]


def import_app(target: str, folder: Path) -> App:
    """Import ``module:attribute`` from a folder.

    Raises:
        KitError: There is no such module or app.
    """
    name, _, attribute = target.partition(":")
    module = _imported(name, folder.resolve())
    found = getattr(module, attribute, None) if attribute else _only_app(module)
    if isinstance(found, App):
        return found
    apps = [key for key, value in vars(module).items() if isinstance(value, App)]
    raise KitError(
        f"{module.__file__}: {attribute or 'IncomingHandler'} is no App (apps there: "
        f"{', '.join(apps) or 'none'})"
    )


def _only_app(module: ModuleType) -> App | None:
    handler = getattr(module, "IncomingHandler", None)
    found: App | None = getattr(handler, "app", None)
    apps = [value for value in vars(module).values() if isinstance(value, App)]
    return found or (apps[0] if len(apps) == 1 else None)


def _imported(name: str, folder: Path) -> ModuleType:
    top = name.partition(".")[0]
    known = sys.modules.get(top)
    origin = getattr(known, "__file__", None)
    if known is not None and origin is not None and not Path(origin).is_relative_to(folder):
        # Another project's module of the same name, such as app.py.
        for each in [key for key in sys.modules if key.partition(".")[0] == top]:
            del sys.modules[each]
    place = str(folder)
    if place in sys.path:
        sys.path.remove(place)
    sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or name.partition(".")[0] != error.name.partition(".")[0]:
            raise
        raise KitError(f"there is no module {name!r} in {folder}") from None


def _run(step: BuildStep) -> None:
    """Run a build step, and keep quiet unless it fails."""
    done = subprocess.run(
        step.command,
        shell=True,
        cwd=step.workdir,
        env={**os.environ, "PATH": search_path()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise KitError(
            f"the build of component {step.component_id} failed with status {done.returncode}: "
            f"{step.command}\n{done.stdout}{done.stderr}"
        )


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a client, the second's over the first's, store by store."""
    result = dict(first)
    for name, value in second.items():
        before = result.get(name)
        if name in MERGED and isinstance(before, Mapping) and isinstance(value, Mapping):
            result[name] = {
                key: (
                    {**before[key], **inner}
                    if isinstance(inner, Mapping) and isinstance(before.get(key), Mapping)
                    else inner
                )
                for key, inner in {**before, **value}.items()
            }
        else:
            result[name] = value
    return result
