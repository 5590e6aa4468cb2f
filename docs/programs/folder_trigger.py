"""A kind of trigger of our own: files that appear in a folder.

    python folder_trigger.py SPIN_TOML

Each table names a folder, and the component takes the content of every new file:

    [[trigger.folder]]
    path = "inbox"
    component = "worker"
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import attrs

from edgezero_spin.host import Host
from edgezero_spin.host.http.server import serve
from edgezero_spin.host.triggers import (
    Delivery,
    EventComponent,
    EventFunction,
    EventSink,
    Listener,
    LoadableComponent,
    TriggerConfigError,
    TriggerDeclarations,
    TriggerEntry,
    check_export_names,
    event_component,
)
from edgezero_spin.wasm.component.types import ListType, Primitive

# What a component has to export: here, the function that takes messages of Redis.
FUNCTION = EventFunction(
    "fermyon:spin/inbound-redis",
    "handle-message",
    (ListType(Primitive.U8),),
    "handle-message: func(message: payload) -> result<_, error>",
)


@attrs.frozen
class NewFile:
    """A file that appeared."""

    path: Path


class FolderTrigger:
    """The kind ``folder``; a ``Trigger``."""

    kind = "folder"

    def configure(self, declared: TriggerDeclarations) -> "FolderTriggers":
        """Read the tables, and refuse what cannot be used with what to write."""
        problems = [
            f'trigger {entry.id!r}: path is missing; write path = "inbox"'
            for entry in declared.entries
            if not isinstance(entry.settings.get("path"), str)
        ]
        if problems:
            raise TriggerConfigError(*problems)
        return FolderTriggers(declared.entries)


@attrs.frozen
class FolderTriggers:
    """The tables of one application; a ``ConfiguredTrigger``."""

    entries: tuple[TriggerEntry, ...]
    kind = "folder"

    @property
    def components(self) -> Sequence[tuple[str, str]]:
        return [(entry.id, entry.component or "") for entry in self.entries]

    def resolved(self, render: Callable[[str], str]) -> Self:
        return self

    def check_exports(self, component_id: str, exports: Callable[[], Sequence[str]]) -> None:
        check_export_names(component_id, self.kind, exports(), [FUNCTION])

    def load(self, component: LoadableComponent) -> EventComponent:
        return event_component(component, self.kind, [FUNCTION])

    def deliveries(self, event: object) -> Sequence[Delivery] | None:
        if not isinstance(event, NewFile):
            return None
        content = event.path.read_bytes()
        return [
            Delivery(entry.component or "", (content,), f"file {event.path.name}")
            for entry in self.entries
            if Path(entry.settings["path"]) == event.path.parent
        ]

    @property
    def listeners(self) -> Sequence[Listener]:
        folders = dict.fromkeys(Path(entry.settings["path"]) for entry in self.entries)
        return [Folder(path) for path in folders]


@attrs.frozen
class Folder:
    """Looks into one folder; a ``Listener``."""

    path: Path

    @property
    def name(self) -> str:
        return f"folder trigger at {self.path}"

    async def run(self, events: EventSink) -> None:
        known: set[Path] = set()
        events.say(f"Looking into {self.path}")
        while True:
            for path in sorted(set(self.path.iterdir()) - known):
                known.add(path)
                await events.deliver(NewFile(path))
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    with Host.from_manifest(sys.argv[1], triggers=[FolderTrigger()]) as host:
        serve(host, "127.0.0.1:0", say=print)
