"""The typed stores without an ``App``: for a handler that was written on another kit.

Source: design.md, "Without an App".
"""

import functools
import os
import sys
from collections.abc import Sequence

from edgezero_spin.core.unawaited import explain_unawaited
from edgezero_spin.stores import StoreDeclaration, Stores, open_on_platform
from edgezero_spin.stores.backend import StorePlatform

_IN_COMPONENT = sys.platform == "wasi"

if _IN_COMPONENT:
    # These need the bindings, which exist nowhere but in a component. What is not imported while
    # it is built, a handler cannot ask for.
    import edgezero_spin.stores.databases.mysql
    import edgezero_spin.stores.databases.postgres
    import edgezero_spin.stores.databases.redis
    import edgezero_spin.stores.databases.sqlite  # noqa: F401
    from edgezero_spin.guest.wasi02.databases import INTERFACES as INTERFACES_02
    from edgezero_spin.guest.wasi02.stores import platform as blocking_platform
    from edgezero_spin.guest.wasi03.databases import INTERFACES as INTERFACES_03
    from edgezero_spin.guest.wasi03.stores import platform as async_platform

    for interface in (*INTERFACES_02.values(), *INTERFACES_03.values()):
        interface.loaded()
    explain_unawaited()

__all__ = ["open_stores"]


def open_stores(
    *,
    kv: Sequence[str] = (),
    config: Sequence[str] = (),
    secrets: Sequence[str] = (),
    sqlite: Sequence[str] = (),
    redis: Sequence[str] = (),
    postgres: Sequence[str] = (),
    mysql: Sequence[str] = (),
    eager: bool = False,
    blocking: bool = False,
) -> Stores:
    """Open the component's stores and databases by logical id, inside any handler.

    The facades are coroutines. On WASI 0.3 (spin-sdk 4 and 5) they are awaited, and other
    requests go on meanwhile. On WASI 0.2 (spin-sdk 3), and with ``blocking``, a handler that is
    not ``async`` runs them with ``wait``::

        stores = open_stores(kv=["notes"], blocking=True)
        note = wait(stores.kv["notes"].get("1"))

    Args:
        kv: Logical ids of key-value stores, the first one the default.
        config: Logical ids of config stores, likewise.
        secrets: Logical ids of secret stores, likewise.
        sqlite: Logical ids of SQLite databases, likewise.
        redis: Variables with the addresses of Redis servers, likewise.
        postgres: The same of PostgreSQL servers.
        mysql: The same of MySQL servers.
        eager: Open all stores now instead of at first use; databases are not opened. Implies
            ``blocking``.
        blocking: Use the interfaces of WASI 0.2 in a component of WASI 0.3, too. All requests
            of the instance wait for such a call.

    Raises:
        RuntimeError: Called outside a component.
        ImportError: The component's world imports no such stores.
        StoreOpenError: ``eager`` is set and a store cannot be opened.
    """
    if not _IN_COMPONENT:
        raise RuntimeError(
            "open_stores works inside a component; natively, open stores on a MemoryPlatform "
            "with edgezero_spin.stores.open_stores"
        )
    declaration = StoreDeclaration.of(
        kv=kv,
        config=config,
        secrets=secrets,
        sqlite=sqlite,
        redis=redis,
        postgres=postgres,
        mysql=mysql,
    )
    return open_on_platform(
        declaration, _platform(declaration, blocking or eager), lambda: os.environ, eager=eager
    )


@functools.lru_cache(maxsize=16)
def _platform(declaration: StoreDeclaration, blocking: bool) -> StorePlatform:
    if not blocking:
        try:
            return async_platform(declaration)
        except ImportError:
            # A world of WASI 0.2; what it lacks, the other platform says.
            pass
    return blocking_platform(declaration)
