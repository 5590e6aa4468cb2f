"""The operator's rules for the connections of an application.

In: the tables ``[outbound_networking]``, ``[[client_tls]]`` and those of each service
(``[outbound_http]``, ``[outbound_pg]`` and others) of ``runtime-config.toml``. Out:
``NetworkRules``, with the certificates read. Which destinations a component may name is the
manifest's business, not this one's.

Source: contract spin-host.md, NET-40 to NET-44; contract services.md, SVC-4.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgezero_spin.host.factors.outbound_networking.blocked import BlockedNetworks, parse_blocked
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.runtime_config import RuntimeConfig
from edgezero_spin.manifest.spin.host_names import parse_host_name
from edgezero_spin.manifest.spin.identifiers import kebab_fault
from edgezero_spin.manifest.table_reader import TableReader

if TYPE_CHECKING:
    from edgezero_spin.host.factors.tls import ClientTls, TlsFiles

__all__ = ["NetworkRules", "read_network_rules"]

MAX_HTTP_CONNECTIONS = 256
"""Where the operator sets no limit, so that a component cannot use up all descriptors."""

MOST = 2**31 - 1


@attrs.frozen(kw_only=True)
class NetworkRules:
    """The rules of one application; the slots count for all its instances.

    Attributes:
        blocked: Networks that are never connected to.
        pooling: Whether HTTP connections are kept for the next request.
        http_slots: Connections for HTTP.
        redis_slots: Connections to Redis servers.
        postgres_slots: Connections to PostgreSQL servers.
        mysql_slots: Connections to MySQL servers.
        mqtt_slots: Connections to MQTT brokers.
        max_mqtt_payload: Bytes of an MQTT message; ``None`` for any number.
        socket_slots: Sockets of ``wasi:sockets``.
        tls: Whom to trust instead, by component and host.
        warnings: Remarks for people.
    """

    blocked: BlockedNetworks = attrs.field(factory=BlockedNetworks)
    pooling: bool = True
    http_slots: ConnectionSlots = attrs.field(
        factory=lambda: ConnectionSlots(MAX_HTTP_CONNECTIONS, kind="http")
    )
    redis_slots: ConnectionSlots = attrs.field(factory=lambda: ConnectionSlots(kind="redis"))
    postgres_slots: ConnectionSlots = attrs.field(factory=lambda: ConnectionSlots(kind="pg"))
    mysql_slots: ConnectionSlots = attrs.field(factory=lambda: ConnectionSlots(kind="mysql"))
    mqtt_slots: ConnectionSlots = attrs.field(factory=lambda: ConnectionSlots(kind="mqtt"))
    max_mqtt_payload: int | None = None
    socket_slots: ConnectionSlots = attrs.field(
        factory=lambda: ConnectionSlots(kind="wasi-sockets")
    )
    tls: "ClientTls" = attrs.field(factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def slots(self) -> tuple[ConnectionSlots, ...]:
        """The slots of every kind."""
        return (
            *(self.http_slots, self.redis_slots, self.postgres_slots),
            *(self.mysql_slots, self.mqtt_slots, self.socket_slots),
        )


def read_network_rules(config: RuntimeConfig | None) -> NetworkRules:
    """Read the tables; without a file nothing is limited but the sum of HTTP connections.

    Raises:
        InvalidManifestError: A table cannot be used; every fault is named.
    """
    if config is None:
        return NetworkRules()
    problems = Problems(config.path, "failed to parse runtime-config at")
    root = TableReader(config.others, "", problems)
    networking = root.table("outbound_networking")
    blocked = _blocked(networking)
    max_sockets = networking.optional_integer("max_socket_connections", 0, MOST)
    max_total = networking.optional_integer("max_total_connections", 0, MOST)
    networking.refuse_rest()
    pooling, max_http = _http(root)
    max_redis = _max_connections(root.table("outbound_redis"))
    max_postgres = _max_connections(root.table("outbound_pg"))
    max_mysql = _max_connections(root.table("outbound_mysql"))
    mqtt = root.table("outbound_mqtt")
    max_payload = mqtt.optional_integer("max_payload_size_bytes", 0, MOST)
    max_mqtt = _max_connections(mqtt)
    tls = _client_tls(root, config.path.parent)
    problems.raise_any()
    total = None if max_total is None else ConnectionSlots(max_total)
    max_http = MAX_HTTP_CONNECTIONS if max_http is None else max_http
    return NetworkRules(
        blocked=blocked,
        pooling=pooling,
        http_slots=ConnectionSlots(max_http, total, "http"),
        redis_slots=ConnectionSlots(max_redis, total, "redis"),
        postgres_slots=ConnectionSlots(max_postgres, total, "pg"),
        mysql_slots=ConnectionSlots(max_mysql, total, "mysql"),
        mqtt_slots=ConnectionSlots(max_mqtt, total, "mqtt"),
        max_mqtt_payload=max_payload,
        socket_slots=ConnectionSlots(max_sockets, total, "wasi-sockets"),
        tls=tls,
        warnings=tuple(f"{config.path}: {warning}" for warning in problems.warnings),
    )


def _blocked(networking: TableReader) -> BlockedNetworks:
    # One word is as good as a list of one.
    word = isinstance(networking.value("block_networks"), str)
    entries = (networking.text("block_networks"),) if word else networking.texts("block_networks")
    try:
        return parse_blocked(entries)
    except ValueError as error:
        networking.problem("block_networks", str(error), 'Write "10.0.0.0/8", or "private".')
        return BlockedNetworks()


def _max_connections(table: TableReader) -> int | None:
    """Read a table that sets one limit (SVC-4)."""
    limit = table.optional_integer("max_connections", 0, MOST)
    table.refuse_rest()
    return limit


def _http(root: TableReader) -> tuple[bool, int | None]:
    """Whether connections are kept, and how many there may be."""
    table = root.optional_table("outbound_http")
    if table is None:
        return True, None
    # A table without the key switches it off (NET-40).
    pooling = table.flag("connection_pooling")
    limit = table.optional_integer("max_connections", 0, MOST)
    old = table.optional_integer("max_concurrent_requests", 0, MOST)
    table.refuse_rest()
    if limit is not None and old is not None:
        table.problem(
            "max_concurrent_requests",
            "cannot set both `max_connections` and `max_concurrent_requests`",
            "Use `max_connections` only.",
        )
    elif old is not None:
        limit = old + 1
        root.problems.warn(
            table.place("max_concurrent_requests"),
            "deprecated; 0 means one request at a time",
            "Use `max_connections`, where 0 means none.",
        )
    return pooling, limit


def _client_tls(root: TableReader, base: Path) -> "ClientTls":
    tables = root.tables("client_tls")
    if not tables:
        return {}
    # Loading OpenSSL takes time that an application without such a table need not spend.
    from edgezero_spin.host.factors.tls import load_tls

    found: ClientTls = {}
    for table in tables:
        components = _components(table)
        hosts = _hosts(table)
        files = _tls_files(table, base)
        table.refuse_rest()
        if files is None:
            continue
        try:
            context = load_tls(files)
        except ValueError as error:
            root.problems.add(table.key, str(error))
            continue
        for component in components:
            for host in hosts:
                # The first entry for a component and a host counts.
                found.setdefault((component, host), context)
    return found


def _components(table: TableReader) -> tuple[str, ...]:
    ids = _filled(table, "component_ids")
    for id in ids:
        fault = kebab_fault(id)
        if fault is not None:
            table.problem("component_ids", f"{id!r} is not a component id: {fault}")
    return ids


def _hosts(table: TableReader) -> tuple[str, ...]:
    """Hosts as they are compared."""
    hosts = []
    for text in _filled(table, "hosts"):
        try:
            hosts.append(str(parse_host_name(text)))
        except ValueError as error:
            table.problem(
                "hosts",
                f"invalid TLS 'host' {text!r}: {error}",
                "Write a name or an address, without a port.",
            )
    return tuple(hosts)


def _filled(table: TableReader, name: str) -> tuple[str, ...]:
    if name not in table:
        table.missing(name)
    elif table.value(name) == []:
        table.problem(name, f"'{name}' list may not be empty")
    return table.texts(name)


def _tls_files(table: TableReader, base: Path) -> "TlsFiles | None":
    from edgezero_spin.host.factors.tls import TlsFiles

    def path(name: str) -> Path | None:
        text = table.optional_text(name, blank=False)
        return None if text is None else base / text

    roots = path("ca_roots_file")
    certificate, key = path("client_cert_file"), path("client_private_key_file")
    # Naming one kind of roots leaves the others out (NET-44).
    said = "ca_use_platform_roots" in table or "ca_use_webpki_roots" in table
    platform = table.flag("ca_use_platform_roots", default=not said and roots is None)
    webpki = table.flag("ca_use_webpki_roots")
    if (certificate is None) != (key is None):
        given, missing = "client_cert_file", "client_private_key_file"
        if certificate is None:
            given, missing = missing, given
        table.problem(given, f"{given} specified without {missing}", f"Add `{missing}`.")
        return None
    if not (platform or webpki or roots is not None):
        table.problem(
            "ca_roots_file", "nobody is trusted", "Add `ca_roots_file`, or switch roots on."
        )
        return None
    return TlsFiles(
        platform_roots=platform, webpki_roots=webpki, roots=roots, certificate=certificate, key=key
    )
