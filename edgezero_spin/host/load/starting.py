"""Start of an application: from a file on disk to everything that a host needs.

``spin.toml``, ``spin.lock`` and a component file all become a ``FoundApplication``: a locked
application with its content on this disk. ``prepare`` adds what the command line and the
runtime configuration say, and opens stores, databases and logs.

Source: contract spin-host.md, STATE-1 to STATE-5, LOCK-40, LOCK-43, ENV-6 to ENV-13, OUT-1
to OUT-3.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from edgezero_spin.host.factors.key_value.factor import KeyValueStores
from edgezero_spin.host.factors.llm.config import LlmServer, read_llm_settings
from edgezero_spin.host.factors.logs import DEFAULT_MAX_BYTES, Logs
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules, read_network_rules
from edgezero_spin.host.factors.sqlite.config import configured_databases
from edgezero_spin.host.factors.sqlite.factor import Databases
from edgezero_spin.host.factors.variables.config import variable_providers
from edgezero_spin.host.factors.variables.options import read_variable_options
from edgezero_spin.host.factors.variables.providers import ClosingProvider
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.load.content import place_content
from edgezero_spin.host.load.plan import ApplicationError, ApplicationPlan, keep_components, plan_of
from edgezero_spin.host.load.runtime_config import RuntimeSettings, resolve_runtime
from edgezero_spin.host.load.trigger_kinds import kinds_of
from edgezero_spin.host.registry.cache import ContentCache
from edgezero_spin.host.registry.downloads import Downloads
from edgezero_spin.host.settings import HostSettings, RunOptions, default_downloads_dir
from edgezero_spin.manifest.runtime_config import find_runtime_config, load_runtime_config
from edgezero_spin.manifest.spin import LockedApp, load_lock, load_spin_manifest, lock_application
from edgezero_spin.manifest.spin.locked_app import path_of_url

__all__ = [
    "FoundApplication",
    "PreparedApplication",
    "find_image",
    "find_lock",
    "find_manifest",
    "is_component",
    "open_work_dir",
    "prepare",
]

DOTENV = ".env"

_COMPONENT_SUFFIXES = (".wasm", ".wat")


@attrs.frozen
class FoundApplication:
    """An application on this disk.

    Attributes:
        app_dir: The folder that it belongs to; ``None`` for one that keeps no state.
        file: The manifest, lock or component that was read.
        notices: Warnings about its manifest.
    """

    app: LockedApp
    app_dir: Path | None
    file: Path
    notices: tuple[str, ...] = ()


def is_component(path: str | Path) -> bool:
    """Whether a file is a component by its name."""
    return Path(path).suffix in _COMPONENT_SUFFIXES


def find_manifest(path: str | Path, work_dir: Path, options: RunOptions) -> FoundApplication:
    """Read a ``spin.toml``, a folder with one, or a component file (MAN-90).

    Raises:
        ManifestError: It cannot be used.
        ApplicationError: The options contradict each other.
    """
    direct = options.get("direct_mounts", False)
    if direct and options.get("transient_write", False):
        raise ApplicationError(
            "--direct-mounts and --allow-transient-write do not go together: guests would "
            "write to the application's own files"
        )
    manifest = load_spin_manifest(path, profile=options.get("profile"))
    app = lock_application(
        manifest, assets_dir=work_dir / "assets", in_place=direct, fetch=_downloads(options)
    )
    app_dir = None if is_component(path) else manifest.base_dir
    return FoundApplication(app, app_dir, manifest.path, manifest.warnings)


def find_lock(path: str | Path, work_dir: Path, options: RunOptions) -> FoundApplication:
    """Read a ``spin.lock``.

    Raises:
        ManifestError: It is not one.
        ApplicationError: Its content cannot be loaded.
    """
    locked = load_lock(path)
    app = place_content(
        locked, work_dir, _downloads(options), copied=options.get("transient_write", False)
    )
    return FoundApplication(app, _home_of(locked, Path(path)), Path(path))


def find_image(
    reference: str,
    work_dir: Path,
    options: RunOptions,
    *,
    insecure: bool,
    verify: str | Path | bytes | Iterable[str | Path | bytes] | None,
) -> FoundApplication:
    """Bring an application from a registry.

    Raises:
        ImageError: It does not exist, cannot be pulled, or is not one that this host runs.
        SignatureError: Keys were given to verify it with, and none signed it.
        ApplicationError: Its content is no longer in the cache.
    """
    # Its client is slow to import, and most applications are on this disk.
    from edgezero_spin.host.registry.images import pull_image

    cache = ContentCache(_downloads_dir(options))
    image = pull_image(reference, cache, insecure=insecure, verify=verify)
    app = place_content(
        image.app, work_dir, Downloads(cache), copied=options.get("transient_write", False)
    )
    metadata = {**app.metadata, "origin": image.origin, "oci_image_digest": image.digest}
    return FoundApplication(
        attrs.evolve(app, metadata=metadata),
        None,
        Path(str(image.reference)),
        (f"Loaded {image.reference} with digest {image.digest}",),
    )


def _downloads(options: RunOptions) -> Downloads:
    return Downloads(ContentCache(_downloads_dir(options)))


def _downloads_dir(options: RunOptions) -> Path:
    return Path(options.get("downloads_dir") or default_downloads_dir())


def _home_of(app: LockedApp, path: Path) -> Path | None:
    """Where a lock's state is: with its manifest, else with itself (STATE-1).

    An application from a registry keeps none.
    """
    origin = str(app.metadata.get("origin", ""))
    manifest = path_of_url(origin)
    if manifest is not None:
        if manifest.parent.is_dir():
            return manifest.parent
    elif ":" in origin.partition("/")[0]:
        return None
    return path.absolute().parent


@attrs.frozen(kw_only=True)
class PreparedApplication:
    """What a host is made from.

    Attributes:
        plan: What to run.
        settings: What it may use of this machine.
        stores: Key-value stores, opened.
        databases: SQLite databases.
        network: What the operator lets connections do.
        llm: The server of language models, if there is one.
        variables: Values of the components' variables.
        logs: Where components write.
        notices: Lines for the user who started it.
    """

    plan: ApplicationPlan
    settings: HostSettings
    stores: KeyValueStores
    databases: Databases
    network: NetworkRules
    llm: LlmServer | None
    variables: VariableResolver
    logs: Logs
    notices: tuple[str, ...]


def open_work_dir(owned: contextlib.ExitStack, options: RunOptions) -> Path:
    """Make the folder for what belongs to this run only.

    Raises:
        ApplicationError: The one that was asked for cannot be made.
    """
    wanted = options.get("work_dir")
    if wanted is None:
        return Path(owned.enter_context(tempfile.TemporaryDirectory(prefix="edgezero-")))
    folder = Path(wanted).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ApplicationError(f"cannot make the folder {folder}: {error.strerror}") from error
    return folder


def prepare(
    found: FoundApplication, work_dir: Path, owned: contextlib.ExitStack, options: RunOptions
) -> PreparedApplication:
    """Open what an application uses.

    Args:
        work_dir: The folder of this run.
        owned: Takes what has to be closed with the host.

    Raises:
        ManifestError: The runtime configuration cannot be used.
        HostError: The application cannot be run as it stands.
    """
    app = found.app
    only = tuple(options.get("components") or ())
    if only:
        app = keep_components(app, only)
    app = _with_environment(app, options.get("env") or {})
    if options.get("work_dir") is not None:
        (work_dir / "spin.lock").write_text(app.to_json() + "\n", encoding="utf-8")
    beside = found.file.parent if found.file.is_file() else None
    usual = None if beside is None else find_runtime_config(beside)
    file = options.get("runtime_config", usual)
    config = None if file is None else load_runtime_config(file)
    runtime = resolve_runtime(
        config,
        app_dir=found.app_dir,
        state_dir=options.get("state_dir"),
        log_dir=options.get("log_dir"),
    )
    network = read_network_rules(config)
    models = read_llm_settings(config)
    plan = plan_of(
        app,
        kinds_of(tuple(options.get("triggers") or ())),
        file=found.file,
        writable=options.get("transient_write", False),
    )
    providers = variable_providers(
        config,
        read_variable_options(options.get("variables", ())),
        dotenv_path=_dotenv_path(beside),
    )
    for provider in providers:
        if isinstance(provider, ClosingProvider):
            owned.callback(provider.close)
    resolver = VariableResolver.for_app(app, providers)
    resolver.check_required()
    logs = _logs(plan, runtime.log_dir, options)
    settings = _with_memory_limit(options.get("settings") or HostSettings(), runtime)
    stores = KeyValueStores(
        {part.id: part.key_value_stores for part in plan.components},
        {label: store.place for label, store in runtime.key_value.items()},
        {key: _raw(value) for key, value in (options.get("key_values") or {}).items()},
        durable=settings.durable_writes,
    )
    owned.callback(stores.close)
    databases = Databases(
        {part.id: part.sqlite_databases for part in plan.components},
        configured_databases(config, runtime.state_dir, durable=settings.durable_writes),
    )
    databases.run(options.get("sqlite", ()))
    return PreparedApplication(
        plan=plan,
        settings=settings,
        stores=stores,
        databases=databases,
        network=network,
        llm=models.server,
        variables=resolver,
        logs=logs,
        notices=(
            *found.notices,
            *plan.notices,
            *network.warnings,
            *models.warnings,
            *_notices(runtime, stores, databases),
        ),
    )


def _dotenv_path(folder: Path | None) -> Path:
    here = Path(DOTENV)
    return here if folder is None or here.is_file() else folder / DOTENV


def _with_environment(app: LockedApp, environment: Mapping[str, str]) -> LockedApp:
    """The application, every component given these variables over its own (LOCK-42)."""
    return attrs.evolve(
        app,
        components=tuple(
            attrs.evolve(part, env={**part.env, **environment}) for part in app.components
        ),
    )


def _raw(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _with_memory_limit(settings: HostSettings, runtime: RuntimeSettings) -> HostSettings:
    """The settings, the runtime configuration's memory limit filled in (LIFE-9)."""
    if settings.max_instance_memory is not None:
        return settings
    return attrs.evolve(settings, max_instance_memory=runtime.max_instance_memory)


def _logs(plan: ApplicationPlan, directory: Path | None, options: RunOptions) -> Logs:
    follow = options.get("follow")
    followed = None if follow is None else tuple(follow)
    known = [part.id for part in plan.components]
    unknown = [id for id in followed or () if id not in known]
    if unknown:
        raise ApplicationError(
            f"unknown component ids to follow: {', '.join(unknown)} (the application has "
            f"{', '.join(known)})"
        )
    return Logs(
        directory,
        follow=followed,
        echo_to=options.get("echo_to"),
        truncate=options.get("truncate_logs", False),
        max_bytes=options.get("max_log_bytes", DEFAULT_MAX_BYTES),
        as_json=options.get("echo_as_json", False),
    )


def _notices(
    runtime: RuntimeSettings, stores: KeyValueStores, databases: Databases
) -> tuple[str, ...]:
    notices = list(runtime.warnings)
    if runtime.summary:
        notices.append(runtime.summary)
    if runtime.log_dir is not None:
        notices.append(f'Logging component stdio to "{runtime.log_dir}/"')
    if databases.default_file is not None:
        notices.append(f'Storing default SQLite data to "{databases.default_file}".')
    if stores.default_file is not None:
        notices.append(f'Storing default key-value data to "{stores.default_file}".')
    return tuple(notices)
