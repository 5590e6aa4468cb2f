"""Preflight check: faults for which the host would refuse to start an application.

In: a manifest. Out: one text for each thing that keeps ``Host.from_manifest`` from starting
it. Nothing is compiled, downloaded, opened or written but copies in a folder that is gone
afterwards, so faults that only compiling a component shows are not found.

Source: contract spin-host.md, RESP-15, GEN-7, MAN-63 to MAN-70.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.host.factors.outbound_networking.config import read_network_rules
from edgezero_spin.host.factors.sqlite.config import configured_databases
from edgezero_spin.host.factors.variables.config import variable_providers
from edgezero_spin.host.factors.variables.errors import VariableSetupError
from edgezero_spin.host.factors.variables.providers import ClosingProvider, VariableProvider
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.load.application import check_plan, http_triggers, resolved_triggers
from edgezero_spin.host.load.plan import ApplicationPlan, plan_of
from edgezero_spin.host.load.runtime_config import resolve_runtime
from edgezero_spin.host.load.starting import DOTENV
from edgezero_spin.host.load.trigger_kinds import BUILT_IN
from edgezero_spin.manifest.runtime_config import (
    RuntimeConfig,
    find_runtime_config,
    load_runtime_config,
)
from edgezero_spin.manifest.spin import LockedApp, SpinManifest, lock_application

__all__ = ["refusals"]

_Made = TypeVar("_Made")

_DOWNLOADED = Path("/nowhere")


def refusals(manifest: SpinManifest, exports_of: Callable[[Path], Sequence[str]]) -> Iterator[str]:
    """Yield what would be refused.

    Args:
        manifest: The application.
        exports_of: Returns the names that the component in a file exports, or raises.
    """
    problems: list[str] = []

    def attempt(step: Callable[[], _Made]) -> _Made | None:
        try:
            return step()
        except EdgeZeroError as error:
            problems.append(str(error))
            return None

    path = find_runtime_config(manifest.base_dir)
    config = None if path is None else attempt(lambda: load_runtime_config(path))
    if config is not None:
        _check_config(config, manifest, attempt)
    planned = attempt(lambda: _plan(manifest))
    if planned is not None:
        app, plan = planned
        attempt(lambda: check_plan(plan))
        attempt(http_triggers(plan.triggers).route_table)
        if config is not None or path is None:
            dotenv = manifest.base_dir / DOTENV
            providers = attempt(lambda: variable_providers(config, {}, dotenv_path=dotenv))
            if providers is not None:
                attempt(lambda: _check_variables(app, plan, providers))
        sources = {part.id: part.source for part in plan.components if part.source.is_file()}
        for trigger in plan.triggers:
            for id in dict.fromkeys(component for _, component in trigger.components):
                if id in sources:
                    attempt(partial(trigger.check_exports, id, partial(exports_of, sources[id])))
    yield from dict.fromkeys(problems)


def _plan(manifest: SpinManifest) -> tuple[LockedApp, ApplicationPlan]:
    with tempfile.TemporaryDirectory(prefix="edgezero-") as folder:
        locked = lock_application(
            manifest, assets_dir=Path(folder), fetch=lambda source: _DOWNLOADED
        )
        return locked, plan_of(locked, BUILT_IN, file=manifest.path)


def _check_variables(
    app: LockedApp, plan: ApplicationPlan, providers: Sequence[VariableProvider]
) -> None:
    """Fill in the templates of triggers, where all values are at hand."""
    with contextlib.ExitStack() as owned:
        for provider in providers:
            if isinstance(provider, ClosingProvider):
                owned.callback(provider.close)
        resolver = VariableResolver.for_app(app, providers)
        if resolver.remote:
            # Their values come before all others, and only a start asks for them.
            return
        try:
            resolver.check_required()
        except VariableSetupError:
            # The doctor names variables without a value itself.
            return
        resolved_triggers(plan, resolver)


def _check_config(
    config: RuntimeConfig, manifest: SpinManifest, attempt: Callable[[Callable[[], object]], object]
) -> None:
    attempt(lambda: resolve_runtime(config, app_dir=manifest.base_dir))
    attempt(lambda: configured_databases(config, None))
    attempt(lambda: read_network_rules(config))
