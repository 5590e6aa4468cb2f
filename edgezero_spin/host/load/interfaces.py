"""What a component can import, one module per host capability.

``host_interfaces`` gathers the tables for the linker. What a component may do with them is
decided by its ``Grants``, per call; an interface that is not here answers with a trap that
names it, when it is called and not before.
"""

from edgezero_spin.host.compat import spin_1 as legacy
from edgezero_spin.host.compat import spin_1_http as legacy_http
from edgezero_spin.host.compat import wasi_01
from edgezero_spin.host.factors.key_value import interface as key_value
from edgezero_spin.host.factors.key_value import interface_3 as key_value_3
from edgezero_spin.host.factors.key_value import wasi_keyvalue
from edgezero_spin.host.factors.outbound_http import interface as outbound_http
from edgezero_spin.host.factors.postgres import interface as postgres
from edgezero_spin.host.factors.redis import interface as outbound_redis
from edgezero_spin.host.factors.sqlite import interface as sqlite
from edgezero_spin.host.factors.sqlite import interface_3_1 as sqlite_3_1
from edgezero_spin.host.factors.unavailable import interface as not_provided
from edgezero_spin.host.factors.variables import interface as variables
from edgezero_spin.host.factors.variables import wasi_config
from edgezero_spin.host.factors.wasi import cli as wasi_cli
from edgezero_spin.host.factors.wasi import clocks as wasi_clocks
from edgezero_spin.host.factors.wasi import filesystem as wasi_filesystem
from edgezero_spin.host.factors.wasi import http as wasi_http
from edgezero_spin.host.factors.wasi import io as wasi_io
from edgezero_spin.host.factors.wasi import random as wasi_random
from edgezero_spin.host.factors.wasi import sockets as wasi_sockets
from edgezero_spin.host.factors.wasi_03 import cli as wasi_03_cli
from edgezero_spin.host.factors.wasi_03 import clocks as wasi_03_clocks
from edgezero_spin.host.factors.wasi_03 import filesystem as wasi_03_filesystem
from edgezero_spin.host.factors.wasi_03 import http as wasi_03_http
from edgezero_spin.host.factors.wasi_03 import random as wasi_03_random
from edgezero_spin.host.factors.wasi_03 import sockets as wasi_03_sockets
from edgezero_spin.host.runtime.interface import Interface

__all__ = ["host_interfaces"]


def host_interfaces() -> dict[str, Interface]:
    """Every interface of this host by name, as ``linking.link`` takes them."""
    tables: tuple[Interface, ...] = (
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
        *wasi_03_filesystem.INTERFACES_03,
        *wasi_03_sockets.INTERFACES_03,
        *wasi_03_http.INTERFACES_03,
        outbound_http.OUTGOING_HANDLER,
        key_value.KEY_VALUE,
        key_value_3.KEY_VALUE_3,
        *wasi_keyvalue.INTERFACES,
        *sqlite.INTERFACES,
        sqlite_3_1.SQLITE_3_1,
        *postgres.INTERFACES,
        outbound_redis.REDIS,
        outbound_redis.REDIS_3,
        variables.VARIABLES,
        variables.VARIABLES_3,
        wasi_config.WASI_CONFIG,
        *legacy.INTERFACES,
        legacy_http.LEGACY_HTTP,
        wasi_01.INTERFACE,
        *not_provided.INTERFACES,
    )
    return {table.name: table for table in tables}
