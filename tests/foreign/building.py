"""Components of other kits: compiled with those kits, in folders of their own."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import attr
import attrs
import cattr
import cattrs

import edgezero_spin
from benchmarks.peers import FOLDER, _jco, build_spin_sdk

__all__ = ["build_javascript", "build_spin_sdk", "build_spin_sdk_with_stores"]

WIT = Path(edgezero_spin.__file__).parent / "wit"

# componentize-js merges the world with that of its engine, which is of this release.
_WASI = "0.2.10"

_SCRIPT = """\
import { componentize } from "@bytecodealliance/componentize-js";
import { writeFile } from "node:fs/promises";
const options = { sourcePath: "app.js", witPath: "wit", worldName: "javascript" };
const { component } = await componentize(options);
await writeFile("app.wasm", component);
"""


def build_javascript(guest: Path, folder: Path) -> Path:
    """Compile ``app.js`` for the world in ``world.wit``; return the component.

    Raises:
        PeerMissingError: npm is missing, or cannot install what this takes.
    """
    node, jco = _jco()
    worlds = jco.parent.parent / "lib" / "wit" / "builtin"
    packages = folder / "wit" / "deps"
    packages.mkdir(parents=True)
    shutil.copyfile(guest / "world.wit", folder / "wit" / "world.wit")
    shutil.copyfile(guest / "app.js", folder / "app.js")
    shutil.copytree(WIT / "deps" / "fermyon-spin@2.0.0", packages / "fermyon-spin")
    for package in sorted((worlds / "0.2.12").iterdir()):
        if package.name == "wasi-sockets":
            continue
        (packages / package.name).mkdir()
        lines = (package / "package.wit").read_text(encoding="utf-8").splitlines()
        kept = "\n".join(line for line in lines if "wasi:sockets" not in line)
        text = kept.replace("@0.2.12", f"@{_WASI}")
        (packages / package.name / "package.wit").write_text(text, encoding="utf-8")
    (folder / "node_modules").symlink_to(FOLDER / "jco" / "node_modules")
    (folder / "build.mjs").write_text(_SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [str(node), "build.mjs"], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr[-3000:])
    return folder / "app.wasm"


def build_spin_sdk_with_stores(guest: Path, folder: Path) -> Path:
    """Compile a spin-sdk app that imports this package, WIT and all; return the component."""
    app = folder / "app"
    shutil.copytree(guest, app, ignore=shutil.ignore_patterns("__pycache__"))
    unwanted = shutil.ignore_patterns("__pycache__")
    for module in (edgezero_spin, attr, attrs, cattr, cattrs):
        source = Path(module.__file__ or "").parent
        shutil.copytree(source, app / source.name, ignore=unwanted)
    extensions = importlib.util.find_spec("typing_extensions")
    if extensions is not None and extensions.origin is not None:
        shutil.copy(extensions.origin, app)
    output = folder / "app.wasm"
    build_spin_sdk(app, output)
    return output
