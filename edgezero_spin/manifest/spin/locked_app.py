"""A locked application: everything resolved, ready to run, as ``spin.lock`` has it.

The JSON is the one that Spin reads and writes: empty values left out, keys of maps sorted,
unknown fields ignored when reading.

Source: contract spin-host.md, LOCK-1 to LOCK-38.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from edgezero_spin.manifest.spin.schema import Variable

__all__ = [
    "COMPONENT_HOST_REQUIREMENTS",
    "HOST_REQUIREMENTS",
    "MIDDLEWARE",
    "SERVICE_CHAINING",
    "ContentRef",
    "LockedApp",
    "LockedComponent",
    "LockedDependency",
    "LockedFiles",
    "LockedInheritance",
    "LockedTrigger",
    "LockedVariable",
    "path_of_url",
]

HOST_REQUIREMENTS = "host_requirements"
"""Member of ``must_understand``: the application's own requirements count."""

COMPONENT_HOST_REQUIREMENTS = "component_host_requirements"
"""Member of ``must_understand``: the requirements of components count."""

SERVICE_CHAINING = "local_service_chaining"
"""Feature: a component calls another without a socket."""

MIDDLEWARE = "middleware"
"""Feature: a trigger puts components before another."""

LockedInheritance = bool | tuple[str, ...]
"""What a dependency may use of its component: all, or the kinds named."""

_WASM = "application/wasm"


@attrs.frozen(kw_only=True)
class ContentRef:
    """Where some bytes are. At least one attribute is set.

    Attributes:
        source: A URL, normally ``file://``.
        inline: The bytes themselves.
        digest: ``sha256:`` and 64 hexadecimal digits.
    """

    source: str | None = None
    inline: bytes | None = None
    digest: str | None = None

    @property
    def path(self) -> Path | None:
        """Where they are on this disk; ``None`` where ``source`` is no ``file://`` URL."""
        return None if self.source is None else path_of_url(self.source)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON object; base64 is written without padding (LOCK-33)."""
        inline = None
        if self.inline is not None:
            inline = base64.b64encode(self.inline).decode("ascii").rstrip("=")
        return _present(source=self.source, inline=inline, digest=self.digest)


@attrs.frozen(kw_only=True)
class LockedVariable(Variable):
    """A variable of the application."""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON object."""
        secret = self.secret or None
        return _present(description=self.description, default=self.default, secret=secret)


@attrs.frozen(kw_only=True)
class LockedFiles:
    """Content at a place in the guest's file system.

    Attributes:
        content: A folder, or a file.
        path: Where the guest sees it.
    """

    content: ContentRef
    path: str

    def to_value(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {**self.content.to_value(), "path": self.path}


@attrs.frozen(kw_only=True)
class LockedDependency:
    """What satisfies an import of a component.

    Attributes:
        source: The wasm.
        export: The export to use; ``None`` lets the names decide.
        inherit: What it may use of its component.
    """

    source: ContentRef
    export: str | None = None
    inherit: LockedInheritance = False

    def to_value(self) -> dict[str, Any]:
        """Return the JSON object; ``export`` is there even when it is null."""
        value: dict[str, Any] = {
            "source": {"content_type": _WASM, **self.source.to_value()},
            "export": self.export,
        }
        if self.inherit is True:
            value["inherit"] = "All"
        elif self.inherit:
            value["inherit"] = {"Some": list(self.inherit)}
        return value


@attrs.frozen(kw_only=True)
class LockedTrigger:
    """What starts a component.

    Attributes:
        id: Its name.
        trigger_type: ``http``, ``redis`` or another.
        trigger_config: The keys of the manifest and ``component``, the id of its component.
        trigger_dependencies: Role to dependencies; empty in a lock made here, because they
            move to the component.
    """

    id: str
    trigger_type: str
    trigger_config: Mapping[str, Any]
    trigger_dependencies: Mapping[str, tuple[LockedDependency, ...]] = attrs.field(factory=dict)

    @property
    def component(self) -> str | None:
        """Id of the component, ``None`` where there is none."""
        component = self.trigger_config.get("component")
        return component if isinstance(component, str) else None

    def to_value(self) -> dict[str, Any]:
        """Return the JSON object."""
        value = {
            "id": self.id,
            "trigger_type": self.trigger_type,
            "trigger_config": _sorted(self.trigger_config),
        }
        return {**value, **_filled(trigger_dependencies=_roles(self.trigger_dependencies))}


@attrs.frozen(kw_only=True)
class LockedComponent:
    """One component.

    Attributes:
        id: Its name.
        metadata: ``description``, ``allowed_outbound_hosts``, ``key_value_stores``,
            ``databases`` and others; those without a value are left out.
        source: The wasm.
        env: Environment variables of the guest.
        files: What it sees of the disk.
        config: Name to template: the variables it may read.
        dependencies: Name of an import to what satisfies it.
        trigger_dependencies: Role to dependencies.
        host_requirements: Feature to ``required``.
    """

    id: str
    source: ContentRef
    metadata: Mapping[str, Any] = attrs.field(factory=dict)
    env: Mapping[str, str] = attrs.field(factory=dict)
    files: tuple[LockedFiles, ...] = ()
    config: Mapping[str, str] = attrs.field(factory=dict)
    dependencies: Mapping[str, LockedDependency] = attrs.field(factory=dict)
    trigger_dependencies: Mapping[str, tuple[LockedDependency, ...]] = attrs.field(factory=dict)
    host_requirements: Mapping[str, Any] = attrs.field(factory=dict)

    def labels(self, name: str) -> tuple[str, ...]:
        """Return a list of texts from the metadata, such as ``key_value_stores``."""
        found = self.metadata.get(name, ())
        return tuple(found) if isinstance(found, list | tuple) else ()

    @property
    def description(self) -> str:
        """The description, empty when there is none."""
        return str(self.metadata.get("description", ""))

    def to_value(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "id": self.id,
            **_filled(metadata=_sorted(self.metadata)),
            "source": {"content_type": _WASM, **self.source.to_value()},
            **_filled(
                env=_sorted(self.env),
                files=[item.to_value() for item in self.files],
                config=_sorted(self.config),
                dependencies={
                    name: item.to_value() for name, item in sorted(self.dependencies.items())
                },
                trigger_dependencies=_roles(self.trigger_dependencies),
                host_requirements=_sorted(self.host_requirements),
            ),
        }


@attrs.frozen(kw_only=True)
class LockedApp:
    """One application.

    Attributes:
        metadata: ``name``, ``version``, ``trigger``, ``triggers``, ``origin`` and others.
        variables: Of the application, by name.
        triggers: In order.
        components: In order.
        host_requirements: Feature to ``required``.
        must_understand: Which requirements a host may not skip.
    """

    metadata: Mapping[str, Any] = attrs.field(factory=dict)
    variables: Mapping[str, LockedVariable] = attrs.field(factory=dict)
    triggers: tuple[LockedTrigger, ...] = ()
    components: tuple[LockedComponent, ...] = ()
    host_requirements: Mapping[str, Any] = attrs.field(factory=dict)
    must_understand: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The application's name."""
        return str(self.metadata.get("name", ""))

    def component(self, id: str) -> LockedComponent | None:
        """Return a component by its id."""
        return next((item for item in self.components if item.id == id), None)

    def triggers_of(self, type: str) -> tuple[LockedTrigger, ...]:
        """Return the triggers of one type, in order."""
        return tuple(trigger for trigger in self.triggers if trigger.trigger_type == type)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "spin_lock_version": int(bool(self.must_understand or self.host_requirements)),
            **_filled(
                must_understand=list(self.must_understand),
                metadata=_sorted(self.metadata),
                host_requirements=_sorted(self.host_requirements),
                variables={name: item.to_value() for name, item in sorted(self.variables.items())},
            ),
            "triggers": [item.to_value() for item in self.triggers],
            "components": [item.to_value() for item in self.components],
        }

    def to_json(self) -> str:
        """Return the text of a ``spin.lock``, indented by two."""
        return json.dumps(self.to_value(), indent=2, ensure_ascii=False, allow_nan=False)


def path_of_url(url: str) -> Path | None:
    """Return what a ``file://`` URL names; ``None`` for any other text."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    path = unquote(parts.path)
    return Path(path) if parts.scheme == "file" and "\0" not in path else None


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _sorted(value: Any) -> Any:
    """Return tables with their keys in order, at every depth."""
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value


def _roles(roles: Mapping[str, tuple[LockedDependency, ...]]) -> dict[str, Any]:
    return {role: [item.to_value() for item in roles[role]] for role in sorted(roles)}
