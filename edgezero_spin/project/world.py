"""Worlds of components: generated from what an app answers and uses, on either WASI.

In: the needs of an app. Out: the text of its world, in WIT, and what a person calls it. Config
stores are backed by key-value, secrets by variables.

A new need is one row for each WASI in ``INTERFACES``, a name in ``Need`` and in ``App.needs``,
and the WIT of its interfaces in ``edgezero_spin/wit/deps``. A trigger is a need whose row exports;
where componentize-py should look for another class than the interface is called after,
``edgezero_spin/componentize-py.toml`` says which.

Source: design.md, "Worlds"; our own.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal, get_args

import attrs

__all__ = [
    "DEFAULT_WASI",
    "FIXED_WORLDS",
    "GENERATED_WORLD",
    "INTERFACES",
    "SPIN_FOR",
    "TRIGGER_EXPORTS",
    "WASI_VERSIONS",
    "Interfaces",
    "Need",
    "Wasi",
    "oldest_spin",
    "world_name",
    "world_text",
]

Wasi = Literal["0.2", "0.3"]
"""A generation of WASI: its interfaces, and the host that they need."""

WASI_VERSIONS: tuple[Wasi, ...] = get_args(Wasi)

DEFAULT_WASI: Wasi = "0.2"
"""What runs wherever Spin 2 or later does, in SpinKube and the clouds, too. With 0.3 a Spin 4.1
keeps an instance for many requests, which answers several times as many; nothing older runs it."""

SPIN_FOR: Mapping[Wasi, str] = MappingProxyType({"0.2": "2.0", "0.3": "4.1"})
"""The oldest Spin that runs components of a generation."""

Need = Literal[
    "http",
    "key_value",
    "variables",
    "outbound_http",
    "sqlite",
    "redis",
    "postgres",
    "mysql",
    "redis_trigger",
    "mqtt_trigger",
    "cron_trigger",
]
"""One thing that an app answers (``http``, triggers) or uses; ``App.needs`` names an app's."""


@attrs.frozen
class Interfaces:
    """The interfaces that serve one need.

    Attributes:
        name: What a person reads: ``http-trigger``, ``key-value``.
        imports: Those that a component imports, those whose types they use included.
        exports: Those that it exports.
        functions: Functions that it exports by themselves, as WIT has them.
        uses: Types that those have, from interfaces and under a name of their own.
        types: The interfaces whose types alone exports and functions use.
        spin: The oldest Spin that has them; empty for every one that runs this WASI.
    """

    name: str
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    spin: str = ""

    @property
    def export_names(self) -> tuple[str, ...]:
        """The names of all that it exports."""
        return (*self.exports, *(text.partition(": ")[0] for text in self.functions))

    @property
    def type_names(self) -> tuple[str, ...]:
        """The names under which types alone are imported."""
        own = [part.split()[-1] for text in self.uses for part in _used(text).split(",")]
        return (*self.types, *own)


def _used(text: str) -> str:
    """Return what stands between the braces of a ``use``."""
    return text.partition("{")[2].rstrip("}")


_CLOCK = "wasi:clocks/monotonic-clock@0.3.0"
_CRON = "handle-cron-event: {}func(metadata: cron-metadata) -> result<_, cron-error>"
_MQTT = (
    "handle-message: {}func(message: list<u8>, metadata: mqtt-metadata) -> result<_, mqtt-error>"
)
_AS_CRON = "{metadata as cron-metadata, error as cron-error}"
_AS_MQTT = "{metadata as mqtt-metadata, error as mqtt-error}"
_RDBMS_TYPES = "fermyon:spin/rdbms-types@2.0.0"

INTERFACES: Mapping[Wasi, Mapping[Need, Interfaces]] = MappingProxyType(
    {
        "0.2": {
            "http": Interfaces("http-trigger", exports=("wasi:http/incoming-handler@0.2.0",)),
            "key_value": Interfaces("key-value", ("fermyon:spin/key-value@2.0.0",)),
            "variables": Interfaces("variables", ("fermyon:spin/variables@2.0.0",)),
            "outbound_http": Interfaces("outbound-http", ("wasi:http/outgoing-handler@0.2.0",)),
            "sqlite": Interfaces("sqlite", ("fermyon:spin/sqlite@2.0.0",)),
            "redis": Interfaces("redis", ("fermyon:spin/redis@2.0.0",)),
            "postgres": Interfaces("postgres", ("spin:postgres/postgres@4.0.0",), spin="3.4"),
            "mysql": Interfaces("mysql", ("fermyon:spin/mysql@2.0.0", _RDBMS_TYPES)),
            "redis_trigger": Interfaces(
                "redis-trigger",
                exports=("fermyon:spin/inbound-redis",),
                types=("fermyon:spin/redis-types",),
            ),
            "mqtt_trigger": Interfaces(
                "mqtt-trigger",
                functions=(_MQTT.format(""),),
                uses=(f"spin:mqtt-trigger/spin-mqtt-types.{_AS_MQTT}",),
                types=("spin:mqtt-trigger/spin-mqtt-types",),
            ),
            "cron_trigger": Interfaces(
                "cron-trigger",
                functions=(_CRON.format(""),),
                uses=(f"fermyon:spin-cron/cron-types@2.0.0.{_AS_CRON}",),
                types=("fermyon:spin-cron/cron-types@2.0.0",),
            ),
        },
        "0.3": {
            "http": Interfaces("http-service", (_CLOCK,), ("wasi:http/handler@0.3.0",)),
            "key_value": Interfaces("key-value", ("spin:key-value/key-value@3.0.0",)),
            "variables": Interfaces("variables", ("spin:variables/variables@3.0.0",)),
            "outbound_http": Interfaces("outbound-http", ("wasi:http/client@0.3.0",)),
            "sqlite": Interfaces("sqlite", ("spin:sqlite/sqlite@3.1.0",)),
            "redis": Interfaces("redis", ("spin:redis/redis@3.0.0",)),
            "postgres": Interfaces("postgres", ("spin:postgres/postgres@4.2.0",)),
            "mysql": Interfaces("mysql", ("spin:mysql/mysql@3.0.0",)),
            "redis_trigger": Interfaces(
                "redis-trigger",
                exports=("spin:redis/inbound-redis@3.0.0",),
                types=("spin:redis/redis@3.0.0",),
            ),
            "mqtt_trigger": Interfaces(
                "mqtt-trigger",
                functions=(_MQTT.format("async "),),
                uses=(f"spin:mqtt-trigger/spin-mqtt-types@3.0.0.{_AS_MQTT}",),
                types=("spin:mqtt-trigger/spin-mqtt-types@3.0.0",),
            ),
            "cron_trigger": Interfaces(
                "cron-trigger",
                functions=(_CRON.format("async "),),
                uses=(f"spin:cron/cron-types@3.0.0.{_AS_CRON}",),
                types=("spin:cron/cron-types@3.0.0",),
            ),
        },
    }
)
"""The interfaces of each need, by WASI."""

TRIGGER_EXPORTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        need.removesuffix("_trigger"): frozenset(
            name for rows in INTERFACES.values() for name in rows[need].export_names
        )
        for need in get_args(Need)
        if need.endswith("_trigger")
    }
)
"""The exports of components by the kind of trigger that calls them, of either WASI."""

FIXED_WORLDS: tuple[str, ...] = tuple(
    f"{trigger}{more}"
    for trigger in ("http-trigger", "http-service")
    for more in ("", "-stores", "-platform", "-otel")
)
"""The worlds of ``edgezero_spin/wit/world.wit``, for plain componentize-py."""

GENERATED_WORLD = "edgezero:component/component"
"""The name of the world that ``world_text`` writes."""


def world_text(needs: Collection[Need], wasi: Wasi = DEFAULT_WASI) -> str:
    """Return the world that imports and exports exactly what ``needs`` ask for, as WIT."""
    package, _, world = GENERATED_WORLD.partition("/")
    rows = [row for need, row in INTERFACES[wasi].items() if need in needs]
    lines = [f"  use {types};" for row in rows for types in row.uses]
    lines += [f"  import {name};" for row in rows for name in row.imports]
    lines += [f"  export {name};" for row in rows for name in (*row.exports, *row.functions)]
    return "\n".join([f"package {package};", "", f"world {world} {{", *lines, "}", ""])


def world_name(needs: Collection[Need], wasi: Wasi = DEFAULT_WASI) -> str:
    """Return what a person calls that world: ``http-trigger + key-value``."""
    return " + ".join(row.name for need, row in INTERFACES[wasi].items() if need in needs)


def oldest_spin(needs: Collection[Need], wasi: Wasi = DEFAULT_WASI) -> str:
    """Return the oldest Spin that runs components of that world."""
    found = [row.spin for need, row in INTERFACES[wasi].items() if need in needs and row.spin]
    return max([SPIN_FOR[wasi], *found], key=lambda text: tuple(map(int, text.split("."))))
