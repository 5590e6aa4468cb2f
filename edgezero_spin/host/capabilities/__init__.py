"""What a component can import, one module per host capability.

``host_interfaces`` gathers the tables for the linker. What a component may do with them is
decided by its ``Grants``, per call; an interface that is not here answers with a trap that
names it, when it is called and not before.
"""

from edgezero_spin.host.capabilities import (
    key_value,
    key_value_3,
    legacy,
    legacy_http,
    not_provided,
    outbound_http,
    outbound_redis,
    sqlite,
    sqlite_3_1,
    variables,
    wasi_03_cli,
    wasi_03_clocks,
    wasi_03_http,
    wasi_03_random,
    wasi_03_sockets,
    wasi_cli,
    wasi_clocks,
    wasi_config,
    wasi_filesystem,
    wasi_http,
    wasi_io,
    wasi_keyvalue,
    wasi_random,
    wasi_sockets,
)
from edgezero_spin.host.interface import Interface

__all__ = ["host_interfaces"]


def host_interfaces() -> dict[str, Interface]:
    """Every interface of this host by name, as ``linking.link`` takes them."""
    tables = (
        wasi_io.ERROR,
        wasi_io.POLL,
        wasi_io.STREAMS,
        *wasi_cli.INTERFACES,
        *wasi_clocks.INTERFACES,
        *wasi_random.INTERFACES,
        *wasi_filesystem.INTERFACES,
        *wasi_sockets.INTERFACES,
        wasi_http.TYPES,
        *wasi_03_cli.INTERFACES_03,
        *wasi_03_clocks.INTERFACES_03,
        *wasi_03_random.INTERFACES_03,
        *wasi_03_sockets.INTERFACES_03,
        wasi_03_http.TYPES_03,
        outbound_http.OUTGOING_HANDLER,
        key_value.KEY_VALUE,
        key_value_3.KEY_VALUE_3,
        *wasi_keyvalue.INTERFACES,
        *sqlite.INTERFACES,
        sqlite_3_1.SQLITE_3_1,
        outbound_redis.REDIS,
        outbound_redis.REDIS_3,
        variables.VARIABLES,
        variables.VARIABLES_3,
        wasi_config.WASI_CONFIG,
        *legacy.INTERFACES,
        legacy_http.LEGACY_HTTP,
        *not_provided.INTERFACES,
    )
    return {table.name: table for table in tables}
