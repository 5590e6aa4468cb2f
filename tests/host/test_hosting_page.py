"""The program in docs/hosting.md that asks a host without a server does what the page says."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from tests.host.support import SCRIPT

PAGE = Path(__file__).parents[2] / "docs" / "hosting.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
[PROGRAM] = [text for text in PROGRAMS if "ResponseAborted" in text]


def test_the_program_prints_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads an application and returns the status and the text of one answer."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(PROGRAM, str(PAGE), "exec"), names)
    assert asyncio.run(names["ask"](str(SCRIPT), "/h")) == (200, "hello")
