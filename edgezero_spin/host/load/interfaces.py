"""Interfaces that components can import from this host.

In: the name of an interface. Out: its table of functions, for the linker. What a component may do
with them is decided by its ``Grants``, per call; an interface that is not here answers with a trap
that names it, when it is called and not before.

The factors behind most interfaces are imported when the first component asks for one of them: a
hello needs a fifth of them, and importing all is a tenth of a start.
"""

import threading
from collections.abc import Callable, Iterator, Mapping

from edgezero_spin.host.runtime.interface import Interface

__all__ = ["HostInterfaces"]

Tables = tuple[Interface, ...]


def _wasi_02() -> Tables:
    from edgezero_spin.host.factors.outbound_http import interface as outbound_http
    from edgezero_spin.host.factors.wasi import cli, clocks, filesystem, http, io, random, sockets

    return (
        io.ERROR,
        io.POLL,
        io.STREAMS,
        *cli.INTERFACES,
        *clocks.INTERFACES,
        *random.INTERFACES,
        *filesystem.INTERFACES,
        *sockets.INTERFACES,
        http.TYPES,
        outbound_http.OUTGOING_HANDLER,
    )


def _wasi_03() -> Tables:
    from edgezero_spin.host.factors.wasi_03 import cli, clocks, filesystem, http, random, sockets

    modules = (cli, clocks, random, filesystem, sockets, http)
    return tuple(table for module in modules for table in module.INTERFACES_03)


def _key_value() -> Tables:
    from edgezero_spin.host.factors.key_value import interface, wasi_keyvalue

    return (interface.KEY_VALUE, interface.KEY_VALUE_3, *wasi_keyvalue.INTERFACES)


def _variables() -> Tables:
    from edgezero_spin.host.factors.variables import interface

    return (interface.VARIABLES, interface.VARIABLES_3, interface.WASI_CONFIG)


def _sqlite() -> Tables:
    from edgezero_spin.host.factors.sqlite import interface

    return interface.INTERFACES


def _redis() -> Tables:
    from edgezero_spin.host.factors.redis import interface

    return (interface.REDIS, interface.REDIS_3)


def _postgres() -> Tables:
    from edgezero_spin.host.factors.postgres import interface

    return interface.INTERFACES


def _mysql() -> Tables:
    from edgezero_spin.host.factors.mysql import interface

    return interface.INTERFACES


def _mqtt() -> Tables:
    from edgezero_spin.host.factors.mqtt import interface

    return interface.INTERFACES


def _llm() -> Tables:
    from edgezero_spin.host.factors.llm import interface

    return interface.INTERFACES


def _otel() -> Tables:
    from edgezero_spin.host.factors import otel

    return otel.OTEL


def _otel_off() -> Tables:
    from edgezero_spin.host.factors import otel

    return otel.OTEL_OFF


def _wasi_01() -> Tables:
    from edgezero_spin.host.compat import wasi_01

    return (wasi_01.INTERFACE,)


def _others() -> Tables:
    from edgezero_spin.host.compat import spin_1, spin_1_http

    return (*spin_1.INTERFACES, spin_1_http.LEGACY_HTTP)


# The first beginning that fits a name says which tables it is in. What Spin has without a version
# is of Spin 1.
_BEGINNINGS: tuple[tuple[str, Callable[[], Tables]], ...] = (
    ("wasi_snapshot_preview1", _wasi_01),
    ("wasi:keyvalue/", _key_value),
    ("wasi:config/", _variables),
    ("wasi:otel/", _otel),
    ("wasi:", _wasi_02),
    ("spin:key-value/", _key_value),
    ("fermyon:spin/key-value@", _key_value),
    ("spin:variables/", _variables),
    ("fermyon:spin/variables@", _variables),
    ("spin:sqlite/", _sqlite),
    ("fermyon:spin/sqlite@", _sqlite),
    ("spin:redis/", _redis),
    ("fermyon:spin/redis@", _redis),
    ("spin:postgres/", _postgres),
    ("fermyon:spin/postgres", _postgres),
    ("spin:mysql/", _mysql),
    ("fermyon:spin/mysql", _mysql),
    ("spin:mqtt/", _mqtt),
    ("fermyon:spin/mqtt@", _mqtt),
    ("fermyon:spin/llm", _llm),
    ("spin:", _others),
    ("fermyon:spin/", _others),
)
_ALL = (
    *(_wasi_01, _wasi_02, _wasi_03, _key_value, _variables),
    *(_sqlite, _redis, _postgres, _mysql, _mqtt, _llm, _otel, _others),
)


def _home_of(name: str) -> Callable[[], Tables] | None:
    if name.startswith("wasi:") and name.endswith("@0.3"):
        return _wasi_03
    return next((home for begins, home in _BEGINNINGS if name.startswith(begins)), None)


class HostInterfaces(Mapping[str, Interface]):
    """Every interface of this host by name, as ``linking.link`` takes them."""

    def __init__(self, *, wasi_otel: bool = False) -> None:
        """Import nothing yet.

        Args:
            wasi_otel: Whether calls of the experimental ``wasi:otel`` do what they should.
        """
        self._otel = _otel if wasi_otel else _otel_off
        self._tables: dict[str, Interface] = {}
        self._read: set[Callable[[], Tables]] = set()
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Interface:
        home = _home_of(name)
        if home is None:
            raise KeyError(name)
        self._import(home)
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        for home in _ALL:
            self._import(home)
        return iter(self._tables)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _import(self, home: Callable[[], Tables]) -> None:
        with self._lock:
            if home not in self._read:
                tables = self._otel() if home is _otel else home()
                self._tables.update({table.name: table for table in tables})
                self._read.add(home)
