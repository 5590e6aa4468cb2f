"""Add a store to a project that exists: in every file that has to know of it.

In: the project's manifest, a kind and an id. Effect: the id is declared in ``edgezero.toml``,
its label is listed in ``spin.toml``, and ``runtime-config.toml`` says where its data lives.
Every other byte of the three files stays. All is checked and edited in memory first; the
files are then replaced one by one, the declaration last, so that a run that is killed leaves
nothing that the app would look for and not find. Running it again completes it; one that
fails has changed none of them.

Source: contract edgezero.md, MAN-10, MAN-18, PRV-3 and OPQ-9; spin-host.md, KV-41, KV-42.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from edgezero_spin.manifest import AppManifest
from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.runtime_config import RUNTIME_CONFIG
from edgezero_spin.manifest.store_tables import read_stores
from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.project.config_checks import ConfigProblemsError
from edgezero_spin.project.files import replace_files
from edgezero_spin.project.provision import DATA_FILE, Provisioned, missing_tables, provision
from edgezero_spin.project.toml_edit import append_item, editing, insert_text, parse_document

__all__ = ["AddedStore", "StoreKind", "add_store", "with_stanzas"]

StoreKind = Literal["kv", "config", "secrets"]


@attrs.frozen(kw_only=True)
class AddedStore:
    """What was done to a project.

    Attributes:
        kind: The kind of store.
        id: Its logical id.
        manifest: The ``edgezero.toml``.
        declared: Whether the id is new in it.
        provisioned: What became of ``spin.toml``.
        runtime_config: The runtime configuration.
        stanzas: Labels that are new in it.
    """

    kind: StoreKind
    id: str
    manifest: Path
    declared: bool
    provisioned: Provisioned
    runtime_config: Path
    stanzas: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield what to tell a person, line by line."""
        table = f"[stores.{self.kind}] in {self.manifest}"
        if self.declared:
            yield f"added `{self.id}` to {table}"
        else:
            yield f"`{self.id}` already present in {table}; skipping"
        if self.kind == "secrets" or any(not store.present for store in self.provisioned.labels):
            yield from self.provisioned.lines()
        for label in self.stanzas:
            yield f"added [key_value_store.{label}] to {self.runtime_config}"


def add_store(
    manifest: AppManifest, kind: StoreKind, id: str, environ: Mapping[str, str]
) -> AddedStore:
    """Add a store to a project.

    Args:
        manifest: The project's ``edgezero.toml``; it declares the adapter ``spin``.
        environ: Says which platform name each store has.

    Raises:
        ManifestError: No store can have this id.
        ProjectError: The project is not in order, or a file cannot be edited or written.
    """
    text = manifest.path.read_bytes().decode("utf-8")
    edited = _declared(text, manifest, kind, id)
    changed = attrs.evolve(manifest, stores=_stores(edited, manifest.path))
    try:
        planned = provision(changed, environ, dry_run=True)
    except ConfigProblemsError as error:
        raise ConfigProblemsError(f"cannot add `{id}`", error.findings) from error
    config = planned.path.parent / RUNTIME_CONFIG
    labels = tuple(store.label for store in planned.labels if store.id == id)
    stanzas = tuple(label for label in labels if missing_tables(config, [label]))
    files = {
        config: with_stanzas(config, stanzas) if stanzas else None,
        planned.path: planned.edited,
        manifest.path: edited.encode("utf-8") if edited != text else None,
    }
    replace_files({path: content for path, content in files.items() if content is not None})
    return AddedStore(
        kind=kind,
        id=id,
        manifest=manifest.path,
        declared=edited != text,
        provisioned=attrs.evolve(planned, dry_run=False),
        runtime_config=config,
        stanzas=stanzas,
    )


def _declared(text: str, manifest: AppManifest, kind: StoreKind, id: str) -> str:
    """Return the manifest's text with an id; several ids get a default, the first one."""
    stores = getattr(manifest.stores, kind)
    known: tuple[str, ...] = () if stores is None else stores.ids
    if id in known:
        return text
    table = ("stores", kind)
    with editing(manifest.path):
        text = append_item(text, table, "ids", id)
        if known and "default" not in parse_document(text)["stores"][kind]:
            text = insert_text(text, table, "default", known[0])
    return text


def _stores(text: str, path: Path) -> Any:
    """Return the stores that a manifest's text declares, every rule for ids checked."""
    problems = Problems(path)
    root = TableReader(parse_document(text), "", problems)
    stores = read_stores(root.table("stores"), root.table("databases"))
    problems.raise_any()
    return stores


def with_stanzas(path: Path, labels: tuple[str, ...]) -> bytes:
    """Return a runtime configuration in which each label has its data in the usual file."""
    with editing(path):
        text = path.read_bytes().decode("utf-8") if path.exists() else ""
        for label in labels:
            table = ("key_value_store", label)
            text = insert_text(text, table, "type", "spin")
            text = insert_text(text, table, "path", DATA_FILE)
    return text.encode("utf-8")
