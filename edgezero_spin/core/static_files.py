"""Static files: a folder as an endpoint to be mounted.

In: a folder, and a request below the path that it is mounted at. Out: the file, as
``Response.file`` sends it. What the request names can be no other file than one of that folder: no
``..``, no hidden file, and no link that leads out of it unless that is asked for.

A component finds the folder below a mount of ``spin.toml``, or among the files that travel in its
snapshot.

Source: Starlette, ``StaticFiles``, for the names.
"""

import os
import stat
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from edgezero_spin.core.errors import MethodNotAllowed, RouteNotFound
from edgezero_spin.core.percent import percent_decode
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response

__all__ = ["static_files"]

_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_WELL_KNOWN = ".well-known"
_INDEX = "index.html"
_MISSING = "404.html"


def static_files(
    directory: "str | os.PathLike[str]",
    *,
    html: bool = False,
    max_age_s: int | None = None,
    follow_symlink: bool = False,
) -> _Endpoint:
    """Return the endpoint: ``app.mount("/static", static_files("static"))``.

    It answers ``GET`` and ``HEAD``, ranges and conditional requests.

    Args:
        directory: The folder. A relative path is tried in the folder of the calling module first,
            then in the current folder.
        html: Whether a folder is answered by its ``index.html``, and what is missing by the
            ``404.html`` of the folder itself.
        max_age_s: Seconds for which a browser need not ask again; not said when ``None``.
        follow_symlink: Whether links may lead out of the folder. In a component the host decides.

    Raises:
        ValueError: ``max_age_s`` is negative.
    """
    if max_age_s is not None and max_age_s < 0:
        raise ValueError(f"max_age_s must be at least 0, got {max_age_s}")
    folder = os.fspath(directory)
    beside = os.path.dirname(sys._getframe(1).f_globals.get("__file__") or "")
    folders = [os.path.join(beside, folder), folder] if beside else [folder]
    # The host of a component follows no link out of a mount.
    follow_symlink = follow_symlink or sys.platform == "wasi"
    headers = {} if max_age_s is None else {"cache-control": f"public, max-age={max_age_s}"}

    async def endpoint(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(request.method, ["GET"])
        found = _names(request.local_path)
        root = next((each for each in folders if _is_folder(each)), folder)
        path = None if found is None else _inside(root, found[0], follow_symlink)
        if path is not None and found is not None:
            if html and _is_folder(path):
                if not request.raw_path.endswith(b"/"):
                    return _with_slash(request)
                path = _inside(root, [*found[0], _INDEX], follow_symlink)
            elif found[1]:
                path = None
        if path is not None and _is_file(path):
            return Response.file(path, headers=headers)
        missing = _inside(root, [_MISSING], follow_symlink) if html else None
        if missing is not None and _is_file(missing):
            response = Response.file(missing)
            response.status = 404
            return response
        raise RouteNotFound(request.raw_path.decode("ascii", "backslashreplace"))

    return endpoint


def _with_slash(request: Request) -> Response:
    query = f"?{request.query_string}" if request.query_string else ""
    # With one slash at its front: two would name another host.
    target = "/" + request.raw_path.decode("latin-1").lstrip("/")
    return Response.redirect(f"{target}/{query}")


def _names(path: bytes) -> tuple[list[str], bool] | None:
    """Return the steps of a path below the folder, and whether it ends with a slash.

    ``None`` for a path that no file of the folder has.
    """
    try:
        names = percent_decode(path).decode().split("/")[1:]
    except UnicodeDecodeError:
        return None
    ends = names[-1:] == [""]
    if ends:
        names.pop()
    for name in names:
        hidden = name.startswith(".") and name != _WELL_KNOWN
        if not name or hidden or "\\" in name or not name.isprintable():
            return None
        if os.name == "nt" and ":" in name:
            return None
    return names, ends


def _inside(root: str, names: list[str], follow_symlink: bool) -> str | None:
    path = os.path.join(root, *names)
    if follow_symlink:
        return path
    real, base = os.path.realpath(path), os.path.realpath(root)
    return path if real == base or real.startswith(base.rstrip(os.sep) + os.sep) else None


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return 0


def _is_file(path: str) -> bool:
    return stat.S_ISREG(_mode(path))


def _is_folder(path: str) -> bool:
    return stat.S_ISDIR(_mode(path))
