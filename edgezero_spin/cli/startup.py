"""The lines that a server prints when it starts, as Spin prints them.

Source: contract spin-host.md, OUT-4 to OUT-7.
"""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgezero_spin.host.load.application import PublicRoute

__all__ = ["startup_json", "startup_lines"]


def startup_lines(base_url: str, routes: "Iterable[PublicRoute]") -> Iterator[str]:
    """Yield the lines that name the address and the public routes, without line ends.

    Args:
        base_url: ``http://127.0.0.1:3000``, with the port that is really bound.
        routes: In the order in which they are tried.
    """
    yield ""
    yield f"Serving {base_url}"
    yield "Available Routes:"
    for route in routes:
        # `/` is the address itself, and `/...` that with everything below.
        path = "" if route.path == "/" else route.path
        yield f"  {route.id}: {base_url}{path}{' (wildcard)' if route.wildcard else ''}"
        if route.description:
            yield f"    {route.description}"


def startup_json(base_url: str, routes: "Iterable[PublicRoute]") -> str:
    """Return the same for programs, as one JSON object."""
    entries = []
    for route in routes:
        entry: dict[str, object] = {
            "id": route.id,
            "route": route.path,
            "wildcard": route.wildcard,
        }
        if route.description:
            entry["description"] = route.description
        entries.append(entry)
    return json.dumps({"base_url": base_url, "routes": entries}, indent=2, ensure_ascii=False)
