"""Modules that cannot work inside a component, and what to use instead.

One table for everybody who has to say it: the build, the component itself and the testing kit.

Source: CPython's configuration for ``wasm32-wasi`` as componentize-py 0.25 bundles it; WASI 0.2.
"""

from typing import Final

__all__ = ["COMPILED", "NOT_BUNDLED", "PAGE", "UNAVAILABLE", "why_unavailable"]

PAGE: Final = "see docs/inside-a-component.md"

COMPILED: Final = (
    "it is a compiled extension module, and a component runs Python code only; use a library, "
    "or a release of it, that is written in Python"
)

_HTTP = "a component has no sockets; take an Outbound parameter and send HTTP requests with it"
_TLS = (
    "TLS is the host's part; take an Outbound parameter and send requests to https:// URLs with it"
)
_PROCESSES = (
    "a component cannot start processes; do the work in the handler, or send it to another "
    "service with an Outbound parameter"
)
_TERMINAL = "a component has no terminal and no screen"
_NATIVE = "it is compiled code or calls it, and a component runs Python code only"
_COMPRESSION = f"{_NATIVE}; use zlib or gzip"
_TOOL = (
    "it is a tool for developers and is not bundled; import it at the top of a module, "
    "and it is part of the component"
)

UNAVAILABLE: Final[dict[str, str]] = {
    **dict.fromkeys(("ftplib", "imaplib", "poplib", "smtplib", "telnetlib", "nntplib"), _HTTP),
    **dict.fromkeys(("ssl", "_ssl"), _TLS),
    **dict.fromkeys(("multiprocessing", "_multiprocessing", "pty", "_posixsubprocess"), _PROCESSES),
    **dict.fromkeys(
        (
            *("curses", "_curses", "readline", "termios", "tty", "msvcrt"),
            *("tkinter", "_tkinter", "turtle", "turtledemo", "idlelib", "webbrowser"),
        ),
        _TERMINAL,
    ),
    **dict.fromkeys(("ctypes", "_ctypes", "fcntl", "resource", "winreg", "winsound"), _NATIVE),
    **dict.fromkeys(
        ("_interpreters", "_interpqueues", "_remote_debugging"),
        "a component has one interpreter and one thread",
    ),
    **dict.fromkeys(
        ("_dbm", "_gdbm"), "a component has no such database; use a KeyValueStore or sqlite3"
    ),
    **dict.fromkeys(("mmap", "syslog", "nis"), "WASI has no such system call"),
    **dict.fromkeys(("pwd", "grp", "crypt", "spwd"), "a component has no users"),
    **dict.fromkeys(("bz2", "_bz2", "lzma", "_lzma", "_zstd"), _COMPRESSION),
    **dict.fromkeys(("ensurepip", "venv", "pip"), "nothing is installed inside a component"),
}
"""Why a module does not work in any component, by its name."""

NOT_BUNDLED: Final[frozenset[str]] = frozenset(
    {
        *("_pyrepl", "antigravity", "bdb", "cProfile", "code", "cmd", "compileall"),
        *("doctest", "lib2to3", "modulefinder", "pdb", "pickletools", "profile", "pstats"),
        *("py_compile", "pyclbr", "pydoc", "pydoc_data", "rlcompleter", "tabnanny", "test"),
        *("this", "timeit", "trace", "zipapp", "__hello__", "__phello__"),
        *("_aix_support", "_android_support", "_apple_support", "_ios_support", "_osx_support"),
        *("_pydatetime", "_pydecimal", "_pyio", "_py_abc"),
        *("xmlrpc", "wsgiref", "mailbox", "site", "_sitebuiltins"),
    }
)
"""Modules of the standard library that work, and that no request needs."""


def why_unavailable(name: str) -> str | None:
    """Return why a module cannot be imported in a component, as the rest of a sentence.

    Args:
        name: Its full name. A submodule shares the reason of its package.

    Returns:
        ``None`` if nothing is known against it.
    """
    root = name.partition(".")[0]
    return UNAVAILABLE.get(root) or (_TOOL if root in NOT_BUNDLED else None)
