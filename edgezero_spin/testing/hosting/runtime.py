"""Applications on the embedded host, loaded once and given to one test after the other."""

import atexit
import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.factors.instance import Grants
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.host import Host
from edgezero_spin.host.load.plan import ApplicationPlan, plan_of
from edgezero_spin.host.load.trigger_kinds import BUILT_IN
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.settings import HostSettings
from edgezero_spin.manifest.spin import load_spin_manifest, lock_application
from edgezero_spin.manifest.spin.locked_app import LockedApp
from edgezero_spin.stores.memory import MemoryKeyValue
from edgezero_spin.testing.hosting.databases import kit_databases
from edgezero_spin.testing.hosting.interfaces import kit_interfaces
from edgezero_spin.testing.hosting.outbound import Sender
from edgezero_spin.testing.hosting.stand_ins import KitLog, Variables, granted_stores
from edgezero_spin.testing.outbound import MAX_DEPTH

__all__ = ["Runtime", "runtime_of"]

MAX_INSTANCES = MAX_DEPTH

MAX_KEPT = 8
"""Applications that stay loaded while no client uses them; each holds its compiled code."""


class Runtime:
    """An application that is loaded for tests. It ends with the last client that uses it.

    Attributes:
        app: What the manifest says.
        host: What runs it.
        measures_memory: Whether instances tell how much memory they took.
    """

    def __init__(self, path: Path, *, deadline_s: float | None, measures_memory: bool) -> None:
        """Compile and link.

        Raises:
            ManifestError: The manifest cannot be used.
            HostError: The application cannot be run as it stands.
        """
        self.measures_memory = measures_memory
        manifest = load_spin_manifest(path)
        assets = Path(tempfile.mkdtemp(prefix="edgezero-testing-"))
        try:
            self.app: LockedApp = lock_application(manifest, assets_dir=assets)
            plan = plan_of(self.app, BUILT_IN)
            sender = Sender()
            if path.suffix in (".wasm", ".wat"):
                plan = _trusting(plan)
            self.host = Host(
                plan,
                settings=HostSettings(max_instances=MAX_INSTANCES, request_timeout_s=deadline_s),
                engine=_engine(pooling=not measures_memory),
                stores={
                    label: MemoryKeyValue()
                    for part in plan.components
                    for label in part.key_value_stores
                },
                databases={
                    label: Database(label=label)
                    for part in plan.components
                    for label in part.sqlite_databases
                },
                variables=Variables(VariableResolver.for_app(self.app, [_Anything(self.app)])),
                logs=Logs(None),
                interfaces=kit_interfaces(),
                adapt=lambda grants: _adapt(grants, sender),
            )
            sender.connect(self.host.application, self.host._runner)
        except BaseException:
            shutil.rmtree(assets, ignore_errors=True)
            raise
        self._end = weakref.finalize(self, _end, self.host, assets)

    def variables(self, values: Mapping[str, str]) -> VariableResolver:
        """The variables of the manifest with some values set."""
        return VariableResolver.for_app(self.app, [_Values(values)])

    def close(self) -> None:
        """Stop the host. Twice is harmless."""
        self._end()


def _end(host: Host, assets: Path) -> None:
    host.close()
    shutil.rmtree(assets, ignore_errors=True)


@attrs.frozen
class _Anything:
    """A provider for variables without a default, while nobody has set them.

    Nothing is connected to: a value only has to be part of an address.
    """

    app: LockedApp

    def get(self, name: str) -> str | None:
        return "1" if self.app.variables[name].default is None else None


@attrs.frozen
class _Values:
    """A provider of what the test set."""

    values: Mapping[str, str]

    def get(self, name: str) -> str | None:
        return self.values.get(name)


def _trusting(plan: ApplicationPlan) -> ApplicationPlan:
    """A bare component may send requests anywhere: the script decides."""
    return attrs.evolve(
        plan,
        components=tuple(
            attrs.evolve(part, allowed_outbound_hosts=("*://*:*",)) for part in plan.components
        ),
    )


def _adapt(grants: Grants, sender: Sender) -> Grants:
    if grants.outbound is not None:
        grants.outbound.sender = sender
    return attrs.evolve(
        grants,
        key_value=granted_stores(grants.component_id),
        databases=kit_databases(grants.component_id),
        log=KitLog({}, None),
    )


class _Shared:
    """Engines and applications of this process, made when they are first needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.engines: dict[bool, Engine] = {}
        self.kept: dict[tuple[Any, ...], tuple[object, Runtime]] = {}
        self.loaded: weakref.WeakSet[Runtime] = weakref.WeakSet()

    def close(self) -> None:
        # Also those that are not kept any more and that a client still has.
        for runtime in list(self.loaded):
            runtime.close()
        self.kept.clear()
        for engine in self.engines.values():
            engine.close()
        self.engines.clear()


_shared = _Shared()
atexit.register(_shared.close)


def _engine(*, pooling: bool) -> Engine:
    engine = _shared.engines.get(pooling)
    if engine is None:
        settings = EngineSettings(fuel=True, pooling=pooling, max_instances=MAX_INSTANCES)
        engine = _shared.engines[pooling] = make_engine(settings)
    return engine


def runtime_of(
    path: Path, state: object, *, deadline_s: float | None, measures_memory: bool = False
) -> Runtime:
    """Return the application of a manifest or component, loaded once.

    Args:
        path: Absolute.
        state: Changes when the application has to be loaded anew, such as the times of
            its files.
        deadline_s: Seconds that an instance may take.
        measures_memory: Tell how much memory instances took; they are slower.
    """
    key = (path, deadline_s, measures_memory)
    with _shared.lock:
        found, runtime = _shared.kept.pop(key, (None, None))
        if runtime is None or found != state:
            runtime = Runtime(path, deadline_s=deadline_s, measures_memory=measures_memory)
            _shared.loaded.add(runtime)
        # The one that was used last stands last.
        _shared.kept[key] = (state, runtime)
        if len(_shared.kept) > MAX_KEPT:
            del _shared.kept[next(iter(_shared.kept))]
        return runtime
