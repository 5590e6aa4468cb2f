"""Write configuration to a Fermyon Cloud key-value store, by way of the ``spin`` command.

Entries travel as arguments, so they go in chunks that fit a command line everywhere. All
chunks are formed before the first is sent. Each is one run of ``spin``; the first that fails
ends the push, and the error says which keys are there, which are not, and what to do.

Source: contract edgezero.md, CLD-1 to CLD-15, PSH-21, PSH-22.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import attrs

from edgezero_spin.manifest.app_config import ConfigEntry
from edgezero_spin.manifest.errors import tell_problems
from edgezero_spin.project.config_changes import ConfigPushError, all_of, shown_key
from edgezero_spin.project.redaction import without_values

__all__ = ["MAX_ARGUMENT_BYTES", "CloudPushError", "CloudTarget", "chunk_entries"]

MAX_ARGUMENT_BYTES: Final = 96 * 1024
"""Bytes of entries in the arguments of one run, each with the byte that ends it."""

_Chunk = tuple[ConfigEntry, ...]


@attrs.frozen(kw_only=True)
class CloudPushError(ConfigPushError):
    """A run of ``spin cloud key-value set`` failed.

    Attributes:
        label: The store's label.
        status: Exit status of the run; -1 when a signal ended it.
        said: What it wrote to standard error, values hidden.
        trouble: What that means, where it is known.
        committed: Keys of the runs before it.
        failed: Keys of this run. Whether some of them are stored is not known.
        left: Keys that no run was started for.
    """

    application: str
    label: str
    status: int
    said: str
    trouble: Literal["login", "link"] | None
    committed: tuple[str, ...]
    failed: tuple[str, ...]
    left: tuple[str, ...]

    def __str__(self) -> str:
        text = f"{self._cause()}\n{self.said.strip()}"
        if not self.committed and not self.left:
            return text
        return "\n".join(
            [
                text,
                f"Committed (safe to skip on retry): {_listed(self.committed)}",
                f"Failed chunk: {_listed(self.failed)}",
                f"Not attempted (re-push these): {_listed(self.left)}",
                "Resume: run the same push again; it is idempotent.",
            ]
        )

    def _cause(self) -> str:
        if self.trouble == "login":
            return "not logged in to Fermyon Cloud: run `spin cloud login`, then push again"
        if self.trouble == "link":
            command = (
                f"spin cloud link key-value --app {self.application} "
                f"--store <store-name> {self.label}"
            )
            return f"the label `{self.label}` has no cloud store yet: run `{command}`"
        total = len(self.committed) + len(self.failed) + len(self.left)
        return (
            f"`{_shape(self.application, self.label)}` with {len(self.failed)} pairs failed "
            f"(status {self.status}) after committing {len(self.committed)} of {total} entries"
        )


@attrs.frozen
class CloudTarget:
    """The store that a label of an application is linked to; a ``ConfigTarget``.

    Attributes:
        application: ``[application].name`` of ``spin.toml``.
    """

    application: str
    label: str

    def check(self, entries: tuple[ConfigEntry, ...]) -> None:
        """Refuse entries that cannot be arguments."""
        chunk_entries(entries)

    def preview(
        self, store_id: str, entries: tuple[ConfigEntry, ...], whole: ConfigEntry | None = None
    ) -> list[str]:
        """Return the command that a push would run; nothing is asked of the cloud."""
        written = (*entries, *all_of(whole))
        chunks = chunk_entries(written)
        shape = _shape(self.application, self.label)
        head = (
            f"would shell `{shape}` for {len(written)} entries across {len(chunks)} invocation(s)"
        )
        return [head, *(f"would set `{shown_key(entry.key)}`" for entry in written)]

    def write(self, entries: tuple[ConfigEntry, ...], whole: ConfigEntry | None = None) -> str:
        """Send every chunk, one after another.

        Raises:
            CloudPushError: A run failed; those before it stand.
            ConfigPushError: An entry cannot be an argument, or ``spin`` cannot be started.
        """
        chunks = chunk_entries((*entries, *all_of(whole)))
        for index, chunk in enumerate(chunks):
            done = _run(self._arguments(chunk))
            if done.returncode:
                said = done.stderr.decode(errors="replace")
                raise CloudPushError(
                    application=self.application,
                    label=self.label,
                    status=max(done.returncode, -1),
                    # It may quote its arguments, and so their values.
                    said=without_values(said, (entry.value for entry in chunk)),
                    trouble=_trouble(said),
                    committed=_keys(chunks[:index]),
                    failed=_keys([chunk]),
                    left=_keys(chunks[index + 1 :]),
                )
        return (
            f"pushed {len(entries)} entries to Fermyon Cloud KV store linked to "
            f"app {self.application} label {self.label}"
        )

    def stored(self, keys: tuple[str, ...]) -> Mapping[str, bytes]:
        """Refuse: the ``spin`` command can write to a cloud store and not read it."""
        raise ConfigPushError(
            "what a Fermyon Cloud store holds cannot be read with the spin command: compare the "
            "local store with --local, or push again, which writes the same entries over it"
        )

    def _arguments(self, chunk: _Chunk) -> list[str]:
        pairs = [_pair(entry) for entry in chunk]
        fixed = ["--app", self.application, "--label", self.label]
        return ["spin", "cloud", "key-value", "set", *fixed, *pairs]


def chunk_entries(entries: Iterable[ConfigEntry]) -> list[_Chunk]:
    """Divide entries into runs whose arguments fit, in order.

    Raises:
        ConfigPushError: Entries cannot be arguments; it names them all.
    """
    faults: list[str] = []
    chunks: list[list[ConfigEntry]] = []
    used = MAX_ARGUMENT_BYTES
    for entry in entries:
        size = len(_pair(entry).encode())
        fault = _fault(entry, size)
        if fault is not None:
            faults.append(fault)
        elif used + size + 1 > MAX_ARGUMENT_BYTES:
            chunks.append([entry])
            used = size + 1
        else:
            chunks[-1].append(entry)
            used += size + 1
    if faults:
        raise ConfigPushError(tell_problems("cannot push to Fermyon Cloud", faults))
    return [tuple(chunk) for chunk in chunks]


def _fault(entry: ConfigEntry, size: int) -> str | None:
    key = shown_key(entry.key)
    if "=" in entry.key:
        return f"key `{key}` contains `=`, where the spin command would cut it; rename it"
    if entry.key.startswith("-"):
        return f"key `{key}` starts with `-`, which the spin command takes for a flag; rename it"
    if "\0" in entry.key or "\0" in entry.value:
        return f"key `{key}` or its value holds a NUL character, which no argument can"
    if size >= MAX_ARGUMENT_BYTES:
        return (
            f"key `{key}` takes {size} bytes with its value, and the "
            f"safe-argv-per-invocation cap is {MAX_ARGUMENT_BYTES}"
        )
    return None


def _run(arguments: list[str]) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise ConfigPushError(
            "`spin` is not on PATH: install it from https://spinframework.dev/"
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise ConfigPushError(f"failed to invoke `spin cloud key-value set`: {reason}") from error


def _trouble(said: str) -> Literal["login", "link"] | None:
    """Tell what a run complains of; any link will do, but a missing login comes first."""
    said = said.lower()
    if "not logged in" in said or "authentication" in said:
        return "login"
    return "link" if "link" in said else None


def _shape(application: str, label: str) -> str:
    return f"spin cloud key-value set --app {application} --label {label} KEY=VALUE [...]"


def _pair(entry: ConfigEntry) -> str:
    return f"{entry.key}={entry.value}"


def _keys(chunks: Iterable[_Chunk]) -> tuple[str, ...]:
    return tuple(entry.key for chunk in chunks for entry in chunk)


def _listed(keys: tuple[str, ...]) -> str:
    return json.dumps(keys, ensure_ascii=False)
