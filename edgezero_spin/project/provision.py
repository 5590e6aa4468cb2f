"""Let the app's component open the stores that the app declares.

In: ``edgezero.toml`` and the environment. Effect: the platform's label of every key-value
and config store stands in ``[component.<id>].key_value_stores`` of ``spin.toml``, written
once, as a whole. Everything is checked and every edit is made in memory before that.

``runtime-config.toml`` is read and never written: which stanzas it lacks is reported.
Secrets cannot be provisioned, because nobody but a person knows them; what to paste is
reported. The same goes for servers, whose addresses are variables. SQLite databases are labels,
too, of ``sqlite_databases``.

Source: contract edgezero.md, PRV-2 to PRV-14; spin-host.md, KV-41 and KV-42.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from edgezero_spin.environment import EnvironmentLayer, ascii_lower
from edgezero_spin.errors import ManifestError, ProjectError
from edgezero_spin.manifest import AppManifest
from edgezero_spin.manifest.app_config.overlay import ascii_upper
from edgezero_spin.manifest.runtime_config import RUNTIME_CONFIG, load_runtime_config
from edgezero_spin.manifest.spin.identifiers import label_fault, snake_fault
from edgezero_spin.manifest.toml_file import load_toml
from edgezero_spin.project.config_checks import (
    ConfigProblemsError,
    check_capabilities,
    check_component,
    check_handlers,
    check_labels,
    hyphenated_ids,
)
from edgezero_spin.project.discovery import discover_component
from edgezero_spin.project.files import replace_file
from edgezero_spin.project.store_labels import KEY, SQLITE_KEY, add_label, has_label
from edgezero_spin.project.toml_edit import editing

__all__ = [
    "DATA_FILE",
    "Provisioned",
    "SecretToDeclare",
    "StoreLabel",
    "missing_tables",
    "provision",
]

DATA_FILE = ".spin/sqlite_key_value.db"
"""Where Spin keeps the store ``default``; a store without a path is kept in memory."""

_ALWAYS_THERE = "default"


@attrs.frozen(kw_only=True)
class StoreLabel:
    """One store that the component must be able to open.

    Attributes:
        kind: ``KV``, ``config`` or ``SQLite``.
        id: Its logical id.
        label: The platform's name for it.
        present: Whether ``spin.toml`` lists it already.
    """

    kind: Literal["KV", "config", "SQLite"]
    id: str
    label: str
    present: bool

    @property
    def key(self) -> str:
        """The list of the component that it belongs to."""
        return SQLITE_KEY if self.kind == "SQLite" else KEY


@attrs.frozen(kw_only=True)
class SecretToDeclare:
    """A secret store, which a person has to fill.

    Attributes:
        id: Its logical id.
        name: The platform's name for it.
        declared: Variables that ``spin.toml`` declares as secrets already.
        lines: What to paste into ``spin.toml``; empty when nothing is known to lack.
    """

    id: str
    name: str
    declared: tuple[str, ...]
    lines: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Provisioned:
    """What was done, or would be.

    Attributes:
        path: The ``spin.toml``.
        dry_run: Whether nothing was written.
        labels: Key-value stores in the order declared, then config stores, then SQLite databases.
        secrets: Secret stores in the order declared.
        servers: What to declare for servers, whose addresses are variables.
        notices: What the runtime configuration lacks, and ids that should change.
        edited: The new content of ``spin.toml``; ``None`` when it has to stay as it is.
    """

    path: Path
    component_id: str
    dry_run: bool
    labels: tuple[StoreLabel, ...]
    secrets: tuple[SecretToDeclare, ...]
    servers: tuple[str, ...]
    notices: tuple[str, ...]
    edited: bytes | None = attrs.field(default=None, repr=False)

    def lines(self) -> Iterator[str]:
        """Yield what to tell a person, line by line."""
        for store in self.labels:
            place = f"[component.{self.component_id}].{store.key} in {self.path}"
            what = f"{store.kind} label `{store.label}` (logical id `{store.id}`)"
            if self.dry_run:
                yield f"would ensure {what} is in {place}"
            elif store.present:
                yield f"{what} already present in {place}; skipping"
            else:
                yield f"added {what} to {place}"
        for secret in self.secrets:
            declared = f" (declared: {', '.join(secret.declared)})" if secret.declared else ""
            yield (
                f"spin secret id `{secret.id}` (platform name `{secret.name}`) requires manual "
                f"work: declare each secret as [variables].* secret = true in {self.path}{declared}"
            )
            yield from (f"    {line}".rstrip() for line in secret.lines)
        yield from self.servers
        if not self.labels and not self.secrets and not self.servers:
            yield "spin has no declared stores to provision"


def provision(
    manifest: AppManifest, environ: Mapping[str, str], *, dry_run: bool = False
) -> Provisioned:
    """Add the labels of a project's stores to its ``spin.toml``.

    Args:
        manifest: The project's ``edgezero.toml``; it declares the adapter ``spin``.
        dry_run: Check and report, and write nothing.

    Raises:
        ConfigProblemsError: The project is not in order; it lists everything.
        ProjectError: Spin takes no such label, or ``spin.toml`` cannot be edited or
            written.
    """
    environment = EnvironmentLayer.from_mapping(environ)
    findings = [
        *check_capabilities(manifest),
        *check_handlers(manifest),
        *check_component(manifest),
        *check_labels(manifest, environment),
    ]
    if findings:
        raise ConfigProblemsError("provision", findings)
    found = discover_component(manifest)
    _check_names(manifest, environment)
    labels, edited = _with_labels(manifest, environment, found.path, found.component_id)
    if edited is not None and not dry_run:
        replace_file(found.path, edited)
    return Provisioned(
        path=found.path,
        component_id=found.component_id,
        dry_run=dry_run,
        labels=labels,
        secrets=_secrets(manifest, environment, found.path, found.component_id),
        servers=tuple(_servers(manifest, environment, found.path, found.component_id)),
        notices=(
            *hyphenated_ids(manifest),
            *missing_tables(
                found.root / RUNTIME_CONFIG,
                [store.label for store in labels if store.kind != "SQLite"],
                [store.label for store in labels if store.kind == "SQLite"],
            ),
        ),
        edited=edited,
    )


def missing_tables(
    path: Path, stores: Iterable[str], databases: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return a remark on each label for which a runtime configuration has no table.

    Args:
        path: The ``runtime-config.toml``, which need not be there.
        stores: Labels of key-value stores in use. ``default`` needs none, nor does it below.
        databases: Labels of SQLite databases in use.
    """
    needed = [
        *(("key_value_store", label, DATA_FILE) for label in stores),
        *(("sqlite_database", label, f".spin/{label}.db") for label in databases),
    ]
    needed = [each for each in needed if each[1] != _ALWAYS_THERE]
    known: dict[str, Collection[str]] = {"key_value_store": (), "sqlite_database": ()}
    if needed and path.exists():
        try:
            config = load_runtime_config(path)
        except ManifestError as error:
            return (str(error),)
        known = {
            "key_value_store": config.key_value_stores,
            "sqlite_database": config.sqlite_databases,
        }
    return tuple(
        f"{path} has no [{kind}.{label}], so `spin up` would not start. Add:\n"
        f'    [{kind}.{label}]\n    type = "spin"\n    path = "{file}"'
        for kind, label, file in needed
        if label not in known[kind]
    )


def _servers(
    manifest: AppManifest, environment: EnvironmentLayer, path: Path, component_id: str
) -> Iterator[str]:
    """Yield what the component's tables lack for the servers that the app names."""
    components = load_toml(path).get("component")
    component = components.get(component_id) if isinstance(components, dict) else None
    table = component if isinstance(component, dict) else {}
    mapped = table.get("variables")
    for kind in ("redis", "postgres", "mysql"):
        for id in _ids(getattr(manifest.stores, kind)):
            name = environment.store_name(kind, id)
            if name not in (mapped if isinstance(mapped, dict) else {}):
                yield (
                    f"{kind} id `{id}` requires manual work: its address is the variable `{name}`, "
                    f"which [component.{component_id}.variables] in {path} does not have, and "
                    f"allowed_outbound_hosts names the server ({kind}://HOST:PORT)"
                )
                yield from (
                    f"    {line}".rstrip() for line in _lines_to_paste([name], component_id)
                )


def _wanted(
    manifest: AppManifest, environment: EnvironmentLayer
) -> list[tuple[Literal["KV", "config", "SQLite"], str, str]]:
    """Return kind, id and label of every store that has one."""
    stores = manifest.stores
    return [
        *(("KV", id, environment.store_name("kv", id)) for id in _ids(stores.kv)),
        *(("config", id, environment.store_name("config", id)) for id in _ids(stores.config)),
        *(("SQLite", id, environment.store_name("sqlite", id)) for id in _ids(stores.sqlite)),
    ]


def _check_names(manifest: AppManifest, environment: EnvironmentLayer) -> None:
    """Refuse labels with which Spin would not load the manifest any more."""
    for kind, id, label in _wanted(manifest, environment):
        fault = label_fault(label)
        if fault is not None:
            segment = kind.upper()
            raise ProjectError(
                f"Spin takes no label `{label}` ({kind} id `{id}`): {fault}. Set "
                f"EDGEZERO__STORES__{segment}__{ascii_upper(id)}__NAME to one that it takes, "
                "here and where the component runs"
            )


def _with_labels(
    manifest: AppManifest, environment: EnvironmentLayer, path: Path, component_id: str
) -> tuple[tuple[StoreLabel, ...], bytes | None]:
    """Return the stores, and the manifest's new content if it has to change."""
    wanted = _wanted(manifest, environment)
    if not wanted:
        return (), None
    labels = []
    with editing(path):
        before = text = path.read_bytes().decode("utf-8")
        for kind, id, label in wanted:
            key = SQLITE_KEY if kind == "SQLite" else KEY
            present = has_label(text, component_id, label, key)
            text = add_label(text, component_id, label, key)
            labels.append(StoreLabel(kind=kind, id=id, label=label, present=present))
    return tuple(labels), None if text == before else text.encode("utf-8")


def _ids(declared: Any) -> tuple[str, ...]:
    return () if declared is None else tuple(declared.ids)


def _secrets(
    manifest: AppManifest, environment: EnvironmentLayer, path: Path, component_id: str
) -> tuple[SecretToDeclare, ...]:
    variables = load_toml(path).get("variables")
    table = variables if isinstance(variables, dict) else {}
    declared = tuple(
        name
        for name, entry in table.items()
        if isinstance(entry, dict) and entry.get("secret") is True
    )
    named = [ascii_lower(item.name) for item in manifest.secrets_for("spin")]
    lacking = [name for name in dict.fromkeys(named) if name not in table]
    if not named and not declared:
        lacking = ["my_secret"]
    lines = tuple(
        _lines_to_paste([name for name in lacking if not _variable_fault(name)], component_id)
    ) + tuple(
        f"# {name} cannot be a variable: {fault}"
        for name in lacking
        if (fault := _variable_fault(name))
    )
    return tuple(
        SecretToDeclare(
            id=id, name=environment.store_name("secrets", id), declared=declared, lines=lines
        )
        for id in _ids(manifest.stores.secrets)
    )


def _variable_fault(name: str) -> str | None:
    return snake_fault(name, lower=True)


def _lines_to_paste(names: Sequence[str], component_id: str) -> Iterator[str]:
    """Yield declarations of secrets, and what hands them to the component."""
    if not names:
        return
    yield "[variables]"
    yield from (f"{name} = {{ required = true, secret = true }}" for name in names)
    yield ""
    yield f"[component.{component_id}.variables]"
    yield from (f'{name} = "{{{{ {name} }}}}"' for name in names)
