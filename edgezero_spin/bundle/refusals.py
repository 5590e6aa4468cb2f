"""Refusals of threads, sockets and processes, which a component can import and not use.

Each function here changes one module of the standard library, so that its first use says
what to do instead. The kinds of error stay those that CPython raises for WASI.
"""

import errno
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, NoReturn

from edgezero_spin.bundle.unavailable import PAGE

__all__ = ["PATCHES"]

_SOCKETS = (
    "socket: a component has no sockets of its own; take an Outbound parameter and send HTTP "
    f"requests with it ({PAGE})"
)
_THREADS = (
    "threading: a component has one thread; call the function itself, or await coroutines "
    f"together ({PAGE})"
)
_PROCESSES = (
    "subprocess: a component cannot start processes; send the work to another service with an "
    f"Outbound parameter ({PAGE})"
)


def _no_sockets(*args: Any, **kwargs: Any) -> NoReturn:
    raise OSError(errno.ENOTSUP, _SOCKETS)


def _no_threads(*args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError(_THREADS)


def _no_processes(*args: Any, **kwargs: Any) -> NoReturn:
    raise OSError(errno.ENOTSUP, _PROCESSES)


def _sockets(module: Any) -> None:
    for name in (
        *("create_connection", "create_server", "getaddrinfo", "gethostbyaddr", "gethostbyname"),
        *("gethostbyname_ex", "getnameinfo", "socketpair"),
    ):
        if hasattr(module, name):
            setattr(module, name, _no_sockets)
    for name in ("bind", "connect", "connect_ex", "listen"):
        setattr(module.socket, name, _no_sockets)


def _threads(module: Any) -> None:
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        if hasattr(module, name):
            setattr(module, name, _no_threads)
    if hasattr(module, "_start_joinable_thread"):
        module._start_joinable_thread = _no_threads


def _processes(module: Any) -> None:
    module.Popen.__init__ = _no_processes
    module.Popen.__del__ = lambda self: None


PATCHES: Final[dict[str, Callable[[ModuleType], None]]] = {
    "_thread": _threads,
    "threading": _threads,
    "socket": _sockets,
    "subprocess": _processes,
}
"""What is done to a module when it has been loaded, by its name."""
