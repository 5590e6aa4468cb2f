"""Mounts: what answers everything below a path, an app of its own or an endpoint.

In: a prefix and an app or an endpoint, when the app is composed; a request that no route takes.
Out: the response of what is mounted there. The request keeps its whole path; what is mounted reads
``request.root_path`` to know which part of it is not its own.

Source: Starlette, ``Mount``.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from edgezero_spin.core.binding import Endpoint
from edgezero_spin.core.patterns import parse_pattern
from edgezero_spin.core.request import Request
from edgezero_spin.stores.declaration import StoreDeclaration, StoreIds

if TYPE_CHECKING:
    from edgezero_spin.core.app import App
    from edgezero_spin.core.response import Response

__all__ = ["Mount", "MountTarget", "find_mount", "merged_stores"]

MountTarget: TypeAlias = "App | Callable[[Request], Awaitable[Response]]"
"""An app, or an endpoint, that can be mounted."""


@attrs.frozen
class Mount:
    """One mount.

    Attributes:
        prefix: The path that it is mounted at, as a request has it.
        target: What is mounted.
        endpoint: What answers.
        name: What ``url_for`` knows it by.
    """

    prefix: str
    target: Any
    endpoint: Endpoint
    name: str

    @classmethod
    def at(cls, path: str, target: MountTarget, endpoint: Endpoint, name: str | None) -> "Mount":
        """Mount something.

        Raises:
            ValueError: The path has parameters, or ends with a slash.
        """
        static = parse_pattern(path).static_path
        if static is None or path.endswith("/"):
            raise ValueError(f"mount path {path!r}: write a path without parameters, as '/static'")
        return cls(static.decode("ascii"), target, endpoint, name or "")

    def path_of(self, name: str, values: Mapping[str, object]) -> str | None:
        """Return the path of ``name:route``, or of ``name`` with ``path=``; ``None`` if unknown."""
        own, colon, inner = name.partition(":")
        if own != self.name or not own:
            return None
        find = getattr(self.target, "path_of", None)
        if find is None:
            pattern = parse_pattern("/{*path}")
            found = pattern.path_with(values) if not colon and values.keys() == {"path"} else None
        else:
            found = find(inner, values)
        return None if found is None else self.prefix + found


def find_mount(mounts: list[Mount], request: Request) -> Mount | None:
    """Return the mount that the path lies below, that of the longest prefix."""
    path = request.local_path.decode("latin-1")
    for mount in sorted(mounts, key=lambda mount: -len(mount.prefix)):
        if path == mount.prefix or path.startswith(f"{mount.prefix}/"):
            return mount
    return None


def merged_stores(own: StoreDeclaration, other: StoreDeclaration) -> StoreDeclaration:
    """Return the stores of an app together with those of one that is mounted in it.

    Raises:
        ValueError: Both have a default store of one kind, and not the same.
    """
    return StoreDeclaration(
        **{kind: _merged(kind, getattr(own, kind), getattr(other, kind)) for kind in _KINDS}
    )


_KINDS = [field.name for field in attrs.fields(StoreDeclaration)]


def _merged(kind: str, own: StoreIds | None, other: StoreIds | None) -> StoreIds | None:
    if own is None or other is None:
        return own or other
    if own.default != other.default:
        raise ValueError(
            f"the mounted app has the default {kind} store {other.default!r}, this one "
            f"{own.default!r}; declare the same first id in both, {kind}=[{own.default!r}, ...]"
        )
    return StoreIds.of(tuple(dict.fromkeys((*own.ids, *other.ids))), own.default)
