"""``edgezero kv``: the entries of an application's key-value stores."""

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from edgezero_spin.cli.options import (
    adapter_option,
    common_options,
    examples,
    gathered,
    manifest_option,
    notify,
    runtime_config_option,
    spin_options,
)

if TYPE_CHECKING:
    from edgezero_spin.host.load.local_stores import KeyValueBackend

__all__ = ["delete", "export", "get", "kv", "list_keys", "put"]


# No attrs class: importing attrs for it would be a sixth of the time of `--help`.
class _Store(NamedTuple):
    """Where the store is that the flags name, each in the field of its option."""

    manifest: str | None
    label: str
    state_dir: str | None
    runtime_config_file: Path | None

    def open(self, *, writing: bool = False) -> "AbstractContextManager[KeyValueBackend]":
        from edgezero_spin.host.load.local_stores import open_store
        from edgezero_spin.project.locate import find_spin_manifest

        return open_store(
            find_spin_manifest(self.manifest).parent,
            self.label,
            state_dir=self.state_dir,
            runtime_config=self.runtime_config_file,
            writing=writing,
        )


_store_options = gathered(
    "store",
    lambda values: _Store(**{name: values.pop(name) for name in _Store._fields}),
    manifest_option,
    click.option(
        "--store",
        "label",
        metavar="LABEL",
        default="default",
        show_default=True,
        help="The label of the store.",
    ),
    click.option(
        "--state-dir", metavar="DIR", help="Where data is. Default: .spin beside spin.toml."
    ),
    runtime_config_option,
    adapter_option,
)


@click.group(
    epilog=examples(
        "edgezero kv list --prefix notes/",
        "edgezero kv put --store sessions alice '{\"visits\": 1}'",
    ),
    short_help="List, read and change entries of key-value stores.",
)
@spin_options
def kv() -> None:
    """Look into the stores of an application on this machine, and change them.

    Any store of runtime-config.toml, and the one called default. The application may run
    meanwhile.
    """


def _keys(backend: "KeyValueBackend", prefix: str) -> list[str]:
    return sorted(filter(lambda key: key.startswith(prefix), backend.keys()))


@kv.command("list", epilog=examples("edgezero kv list --prefix notes/"), short_help="List keys.")
@click.option("--prefix", default="", help="Only keys that start with it.")
@_store_options
@common_options
def list_keys(store: _Store, prefix: str) -> None:
    """List keys in order, one a line; control characters are escaped."""
    with store.open() as backend:
        keys = _keys(backend, prefix)
    for key in keys:
        click.echo(key if key.isprintable() else key.encode("unicode_escape").decode())


@kv.command(epilog=examples("edgezero kv get notes/1 > note.json"), short_help="Write a value.")
@click.argument("key")
@_store_options
@common_options
def get(store: _Store, key: str) -> int:
    """Write the value of a key to standard output, byte for byte; end with 1 without one."""
    with store.open() as backend:
        value = backend.get(key)
    if value is None:
        notify(f"there is no key {key!r}")
        return 1
    sys.stdout.buffer.write(value)
    sys.stdout.buffer.flush()
    return 0


@kv.command(epilog=examples("edgezero kv put greeting hello"), short_help="Set a value.")
@click.argument("key")
@click.argument("value")
@_store_options
@common_options
def put(store: _Store, key: str, value: str) -> None:
    """Set the value of a key: a text, @FILE for the content of a file, or - for standard input."""
    with store.open(writing=True) as backend:
        backend.set(key, _content(value))


def _content(value: str) -> bytes:
    if value == "-":
        return sys.stdin.buffer.read()
    if not value.startswith("@"):
        return os.fsencode(value)
    try:
        return Path(value[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {value[1:]}: {error.strerror}") from error


@kv.command(epilog=examples("edgezero kv delete notes/1"), short_help="Remove a key.")
@click.argument("key")
@_store_options
@common_options
def delete(store: _Store, key: str) -> None:
    """Remove a key; one that is not there is no error."""
    with store.open(writing=True) as backend:
        backend.delete(key)


@kv.command(epilog=examples("edgezero kv export > entries.json"), short_help="Write all entries.")
@click.option("--prefix", default="", help="Only keys that start with it.")
@_store_options
@common_options
def export(store: _Store, prefix: str) -> None:
    """Write all entries as one JSON object, keys in order.

    A value is its text, or {"base64": "..."} where it is not UTF-8.
    """
    import json

    with store.open() as backend:
        keys = _keys(backend, prefix)
        entries = {key: _shown(value) for key in keys if (value := backend.get(key)) is not None}
    click.echo(json.dumps(entries, indent=2, ensure_ascii=False))


def _shown(value: bytes) -> object:
    import base64

    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
