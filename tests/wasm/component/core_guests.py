"""Core modules with the sections that bindings generators leave in them."""

import subprocess
import sysconfig
from pathlib import Path

import wasmtime

from edgezero_spin.wasm.binary import number_bytes, section_bytes, text_bytes, vector_bytes

__all__ = ["TOOL", "core", "embedded", "producers"]

TOOL = Path(sysconfig.get_path("scripts")) / "wasm-tools"


def core(text: str) -> bytes:
    """Return a core module given as text."""
    return bytes(wasmtime.wat2wasm(text))


def embedded(text: str, wit: str | Path, world: str, folder: Path) -> bytes:
    """Return a core module with the section of a world.

    Args:
        text: The module.
        wit: The world's package as text, or the folder of it.
        world: The world.
        folder: Where files may be put.
    """
    if isinstance(wit, str):
        (folder / "world.wit").write_text(wit)
        wit = folder / "world.wit"
    module, made = folder / "module.wasm", folder / "embedded.wasm"
    module.write_bytes(core(text))
    subprocess.run(
        [TOOL, "component", "embed", "--world", world, wit, module, "-o", made], check=True
    )
    return made.read_bytes()


def producers(*tools: tuple[str, str]) -> bytes:
    """Return a producers section that names tools and their releases."""
    pairs = vector_bytes(text_bytes(name) + text_bytes(release) for name, release in tools)
    content = number_bytes(1) + text_bytes("processed-by") + pairs
    return section_bytes(0, text_bytes("producers") + content)
