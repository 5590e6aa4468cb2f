"""The handler on spin_sdk in docs/migrating.md does what the app beside it does."""

import asyncio
import re
from pathlib import Path

import pytest

from benchmarks.peers import PeerMissingError
from edgezero_spin.host import Host, HttpRequest
from tests.foreign.building import build_spin_sdk

pytestmark = pytest.mark.component

PAGE = Path(__file__).parents[2] / "docs" / "migrating.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
[HANDLER] = [text for text in PROGRAMS if "spin_sdk" in text]
MANIFEST = """\
spin_manifest_version = 2
application = { name = "notes" }

[[trigger.http]]
route = "/..."
component = "notes"

[component.notes]
source = "app.wasm"
key_value_stores = ["default"]
"""


def test_the_handler_on_spin_sdk_keeps_notes(tmp_path: Path) -> None:
    """It saves, shows and refuses notes with the statuses that the page's own test expects."""
    (tmp_path / "app.py").write_text(HANDLER, encoding="utf-8")
    (tmp_path / "spin.toml").write_text(MANIFEST, encoding="utf-8")
    try:
        build_spin_sdk(tmp_path, tmp_path / "app.wasm", "5.0.0")
    except PeerMissingError as error:
        pytest.skip(str(error))

    async def answers(host: Host) -> list[tuple[int, str]]:
        found = []
        for method, target, body in (
            ("PUT", "/notes/bread", b'{"title": "Bake bread"}'),
            ("GET", "/notes/bread", b""),
            ("GET", "/notes/milk", b""),
            ("PUT", "/notes/tea", b"{}"),
            ("DELETE", "/notes/tea", b""),
        ):
            response = await host.handle(HttpRequest(method, target, body=body))
            found.append((response.status, await response.text()))
        return found

    with Host.from_manifest(tmp_path / "spin.toml") as host:
        note = '{"title": "Bake bread"}'
        assert asyncio.run(answers(host)) == [
            (200, note),
            (200, note),
            (404, ""),
            (400, "a note has a title"),
            (405, ""),
        ]
