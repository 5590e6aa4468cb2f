"""Folders with applications of the probe, and what to ask of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["component", "do", "probe_manifest", "told"]

HEAD = """\
spin_manifest_version = 2
[application]
name = "probe"
version = "1.2.3"
"""


def do(*call: Any) -> list[tuple[str, str]]:
    """The header that says what the probe is to do: a name and its arguments."""
    return [("do", json.dumps(call))]


def told(body: bytes) -> Any:
    """What the probe said."""
    return json.loads(body)


def component(probe: Path, id: str, route: str | None = "/...", grants: str = "") -> str:
    """The tables of one component and its route, a private one for ``None``."""
    shown = "{ private = true }" if route is None else json.dumps(route)
    return f"""
[[trigger.http]]
route = {shown}
component = "{id}"

[component.{id}]
source = {json.dumps(str(probe))}
{grants}
"""


def probe_manifest(
    folder: Path,
    probe: Path,
    grants: str = "",
    *,
    more: str = "",
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write a ``spin.toml`` for one component at ``/...``; return the folder."""
    text = HEAD + more + component(probe, "probe", "/...", grants)
    (folder / "spin.toml").write_text(text, encoding="utf-8")
    for name, content in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder
