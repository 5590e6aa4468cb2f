"""The program in docs/embedding.md that replaces applications does what the page says."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgezero_spin.manifest.spin import load_spin_manifest, lock_application
from tests.host.support import SCRIPT

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
[PROGRAM] = [text for text in PROGRAMS if "Switch" in text]


def test_the_program_follows_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that come, change and go start, replace and stop applications."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names: dict[str, Any] = {}
    exec(compile(PROGRAM, str(PAGE), "exec"), names)
    folder = tmp_path / "apps"
    folder.mkdir()
    app = lock_application(load_spin_manifest(SCRIPT)).to_json()

    def write(name: str, version: int) -> None:
        path = folder / f"{name}.lock"
        path.write_text(app.replace('"name": "script"', f'"name": "{name}-{version}"'))
        os.utime(path, ns=(version, version))

    async def scenario() -> None:
        apps = names["Apps"](folder)
        transport = httpx.ASGITransport(app=apps)
        async with httpx.AsyncClient(transport=transport, base_url="http://apps") as client:

            async def name_of(path: str) -> str:
                response = await client.get(f"{path}/.well-known/spin/info")
                return str(response.json()["name"]) if response.is_success else response.text

            write("one", 1)
            write("two", 1)
            await apps.look()
            assert [await name_of("/one"), await name_of("/two")] == ["one-1", "two-1"]
            assert (await client.get("/one/h")).text == "hello"
            write("one", 2)
            (folder / "two.lock").unlink()
            await apps.look()
            assert await name_of("/one") == "one-2"
            assert await name_of("/two") == "no such application\n"
            (folder / "one.lock").unlink()
            await apps.look()
            assert apps.running == {}
        apps.engine.close()

    asyncio.run(scenario())
