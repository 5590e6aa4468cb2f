"""WIT packages on this disk: binary ones as they are, text by way of ``wasm-tools``.

In: a folder of WIT text, or a file in either form. Out: the package in the binary format.

Source: WebAssembly/component-model, ``design/mvp/WIT.md``; Spin takes folders of text.
"""

import shutil
import subprocess
from pathlib import Path

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.children import search_path
from edgezero_spin.wasm.binary import MODULE

__all__ = ["MAX_PACKAGE_BYTES", "read_package", "read_wit"]

MAX_PACKAGE_BYTES = 64 * 1024 * 1024
"""Bytes of a package; those of Spin's own worlds have 200 000."""

_MAGIC = MODULE[:4]


def read_wit(path: Path) -> bytes:
    """Return a package in the binary format.

    Args:
        path: A folder with WIT text and its dependencies in ``deps``, a file of text, or one in
            the binary format.

    Raises:
        ProjectError: It cannot be read, or is text and there is no ``wasm-tools`` to read it.
    """
    if path.is_dir() or path.suffix == ".wit":
        return _encode(path)
    content = read_package(path)
    if not content.startswith(_MAGIC):
        raise ProjectError(f"{path} is not a WIT package: it is neither a folder nor wasm")
    return content


def read_package(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        ProjectError: It cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PACKAGE_BYTES + 1)
    except OSError as error:
        raise ProjectError(f"cannot read the WIT package {path}: {error.strerror}") from error
    if len(content) > MAX_PACKAGE_BYTES:
        raise ProjectError(f"the WIT package {path} is larger than {MAX_PACKAGE_BYTES} bytes")
    return content


def _encode(path: Path) -> bytes:
    if not path.exists():
        raise ProjectError(f"cannot read the WIT package {path}: No such file or directory")
    tool = shutil.which("wasm-tools", path=search_path())
    if tool is None:
        raise ProjectError(
            f"{path} is WIT text, which wasm-tools reads, and that is not on PATH: install it "
            "(https://github.com/bytecodealliance/wasm-tools), or name a package that "
            "`wasm-tools component wit --wasm` wrote"
        )
    command = [tool, "component", "wit", "--wasm", str(path.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise ProjectError(f"{tool} cannot be run: {error.strerror or error}") from error
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().removeprefix("error: ")
        raise ProjectError(f"{path} is not a WIT package: {reason}")
    return done.stdout
