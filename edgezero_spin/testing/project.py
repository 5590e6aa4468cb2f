"""Find the application that a test file belongs to, import it, and build it when needed.

In: the folder of a test. Out: a ``TestedProject`` that makes clients. The manifest is the
nearest ``spin.toml`` upwards; the app is the one that its build command compiles.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edgezero_spin.core.app import App
from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import load_app_manifest
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.app_targets import app_target
from edgezero_spin.project.locate import APP_MANIFEST, SPIN_MANIFEST, find_spin_manifest
from edgezero_spin.project.world import Wasi
from edgezero_spin.testing.app_modules import import_app
from edgezero_spin.testing.arguments import check_names_of_arguments
from edgezero_spin.testing.building import build_components
from edgezero_spin.testing.component import ComponentClient
from edgezero_spin.testing.errors import KitError
from edgezero_spin.testing.generations import check_wasi
from edgezero_spin.testing.native import TestClient
from edgezero_spin.testing.outbound import CHAIN_DOMAIN

__all__ = ["TestedProject", "arguments_of", "find_project", "merged"]

COMPONENT_ONLY = ("allow_stale", "measure_memory")
NATIVE_ONLY = ("apps", "component", "manifest")
MERGED = ("kv", "config", "sqlite", "secrets", "variables", "env", "cookies")


def find_project(
    folder: Path,
    *,
    root: Path | None = None,
    manifest: str = "",
    app: str = "",
    projects: "Mapping[object, TestedProject] | None" = None,
) -> "TestedProject":
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
    return TestedProject(path, app)


def _nearest(folder: Path, root: Path | None) -> Path:
    try:
        return find_spin_manifest(start=folder)
    except ProjectError:
        if root is None:
            raise
        return find_spin_manifest(start=root)


class TestedProject:
    """One application under test.

    Attributes:
        manifest: Its ``spin.toml``.
    """

    def __init__(self, manifest: Path, app: str = "") -> None:
        """Name it; nothing is read yet."""
        self.manifest = manifest
        self._target = app
        self._apps: tuple[str, dict[str, App]] | None = None
        self._built = False
        self._failure: KitError | None = None
        self._checked = False

    def native(self, **arguments: Any) -> TestClient:
        """Return a client of the app in this process.

        Raises:
            KitError: The manifest does not tell which app it is, or it cannot be imported.
        """
        if self._apps is None:
            self._apps = self._find_apps()
        component, apps = self._apps
        # What only a component has is no mistake in a test for both.
        for name in COMPONENT_ONLY:
            arguments.pop(name, None)
        others = {id: app for id, app in apps.items() if id != component}
        return TestClient(
            apps[component],
            **{
                "manifest": self.manifest,
                "component": component,
                "apps": others,
                **arguments,
            },
        )

    def component(self, **arguments: Any) -> ComponentClient:
        """Return a client of the compiled application."""
        for name in NATIVE_ONLY:
            arguments.pop(name, None)
        if self._checked:
            # Looking at every source for every test would cost more than most tests.
            arguments.setdefault("allow_stale", True)
        client = ComponentClient(self.manifest, **arguments)
        self._checked = True
        return client

    def build(self, when: str, since_ns: int = 0, wasi: Wasi | None = None) -> None:
        """Build the components once; see ``build_components``.

        Raises:
            KitError: A command failed, now or when it was tried before; or a component is of
                another WASI than the one named.
        """
        if self._failure is not None:
            raise KitError(f"{self._failure}\n(not tried again in this run)")
        if self._built:
            return
        try:
            if when != "never":
                always = when == "always"
                build_components(self.manifest, always=always, since_ns=since_ns, wasi=wasi)
            elif wasi is not None:
                check_wasi(load_spin_manifest(self.manifest), wasi, "run without --spin-no-build")
        except KitError as error:
            self._failure = error
            raise
        self._built = True

    def _find_apps(self) -> tuple[str, dict[str, App]]:
        """Return the component to test, and its app and those that it may call, by id."""
        manifest = load_spin_manifest(self.manifest)
        targets = {
            id: target
            for id, component in manifest.components.items()
            if (target := app_target(component)) is not None
        }
        if self._target:
            named = [id for id, target in targets.items() if target == self._target]
            own = (named or list(targets) or list(manifest.components))[0]
            targets[own] = self._target
        elif len(targets) == 1:
            own = next(iter(targets))
        elif (chosen := _chosen_component(manifest.base_dir)) in targets:
            own = chosen
        else:
            what = "none of its components is" if not targets else "several of its components are"
            raise KitError(
                f"{self.manifest}: {what} built by `edgezero componentize module:app`, so it is "
                f"not clear which app to test natively; set spin_app = module:app in pytest's "
                f"settings, or run with --spin-mode component"
            )
        chains = any(
            CHAIN_DOMAIN in host for host in manifest.components[own].allowed_outbound_hosts
        )
        apps = {}
        for id in [own, *(id for id in targets if id != own)]:
            build = manifest.components[id].build
            workdir = "" if build is None else build.workdir or ""
            try:
                apps[id] = import_app(targets[id], manifest.base_dir / workdir, beside=id != own)
            except Exception:
                # One that the app under test does not call is not needed for its tests.
                if id == own or chains:
                    raise
        return own, apps


def _chosen_component(folder: Path) -> str:
    """Return the component that an ``edgezero.toml`` beside the manifest says its app is."""
    path = folder / APP_MANIFEST
    if not path.is_file():
        return ""
    adapter = load_app_manifest(path).adapter("spin")
    return "" if adapter is None else adapter.component or ""


def arguments_of(preload: Any, marks: Iterable[Any]) -> dict[str, Any]:
    """Return the arguments of a client that a test starts with.

    Args:
        preload: What the fixture ``spin_preload`` gives.
        marks: ``@pytest.mark.spin`` of the test, the nearest last.

    Raises:
        KitError: One of them is not what a client takes.
    """
    clients = (TestClient, ComponentClient)
    check_names_of_arguments(preload, "the fixture spin_preload", clients)
    arguments = dict(preload)
    for mark in marks:
        if mark.args:
            raise KitError(
                f"@pytest.mark.spin takes its arguments by name, such as kv=..., got "
                f"{', '.join(repr(each) for each in mark.args)}"
            )
        check_names_of_arguments(mark.kwargs, "@pytest.mark.spin", clients)
        arguments = merged(arguments, mark.kwargs)
    return arguments


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
