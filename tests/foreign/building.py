"""Components of other kits: compiled with those kits, in folders of their own."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import attr
import attrs
import cattr
import cattrs

import edgezero_spin
from benchmarks.peers import PeerMissingError, build_spin_sdk, install_packages

__all__ = [
    "build_javascript",
    "build_javascript_by_sdk",
    "build_rust",
    "build_spin_sdk",
    "build_spin_sdk_with_stores",
]

# Both packages have a command of this name, of which npm links one only.
_J2W = "node_modules/@spinframework/build-tools/dist/index.js"
_J2W_OF_SDK = "node_modules/@fermyon/spin-sdk/bin/j2w.mjs"


def build_javascript(guest: Path, folder: Path) -> Path:
    """Build a project as ``spin new -t http-js`` leaves it; return the component.

    Raises:
        PeerMissingError: npm is missing, or cannot install what this takes.
    """
    _bundle(guest, folder)
    return _j2w(folder, _J2W, "--initLocation", f"http://{guest.name}.localhost")


def build_javascript_by_sdk(guest: Path, folder: Path) -> Path:
    """Build the same project by ``@fermyon/spin-sdk`` itself; return the component.

    Raises:
        PeerMissingError: As ``build_javascript``.
    """
    _bundle(guest, folder)
    return _j2w(folder, _J2W_OF_SDK, "--trigger-type", "spin-http")


def build_rust(
    guest: Path,
    folder: Path,
    release: str | None = None,
    *,
    features: Sequence[str] = (),
    wit: Sequence[str] = (),
) -> Path:
    """Compile a crate to a core module; return its path.

    It takes minutes, and is done where ``RUST_SDK`` names a folder for what cargo makes.

    Args:
        guest: The crate.
        folder: Where it is built.
        release: Of Rust's spin-sdk, in the place of the one that the crate names.
        features: Of the crate.
        wit: Packages that this library ships, which the crate finds in its folder ``wit``.

    Raises:
        PeerMissingError: There is no such folder, or no tool chain.
    """
    target = os.environ.get("RUST_SDK")
    if not target or shutil.which("cargo") is None:
        raise PeerMissingError("needs cargo, and a folder for it: RUST_SDK=/path/to/folder")
    crate = folder / "crate"
    shutil.copytree(guest, crate)
    cargo = crate / "Cargo.toml"
    wanted = cargo.read_text()
    if release is not None:
        wanted = re.sub(r"(?m)^spin-sdk = .*$", f'spin-sdk = "={release}"', wanted)
    cargo.write_text(wanted, encoding="utf-8")
    shipped = Path(edgezero_spin.__file__ or "").parent / "wit" / "deps"
    for package in wit:
        shutil.copytree(shipped / package, crate / "wit" / "deps" / package)
        (crate / "wit" / "empty.wit").write_text("package test:empty;\n", encoding="utf-8")
    argv = ["cargo", "build", "-q", "--release", "--target", "wasm32-wasip1"]
    with_features = [part for feature in features for part in ("--features", feature)]
    done = subprocess.run(
        [*argv, "--target-dir", target, *with_features],
        cwd=crate,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    name = re.search(r'(?m)^name = "(.*)"$', wanted)
    assert name is not None, wanted
    built = Path(target, "wasm32-wasip1", "release", f"{name[1]}.wasm")
    return Path(shutil.copy(built, folder / "app.wasm"))


def _bundle(guest: Path, folder: Path) -> None:
    """Copy a project to where its packages are, and make one script of it and them.

    The registry has ``@fermyon/spin-sdk``, the last one in a single package, but not one of
    the packages per service that follow it; they import the same interfaces. ``overrides``
    leave out what only its documentation and its webpack projects need, a git repository
    among it, and take the smallest jco that the build tools accept.
    """
    packages = install_packages(guest / "package.json")
    shutil.copytree(guest, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(packages)
    for source in (packages / "@fermyon" / "spin-sdk" / "bin" / "wit").glob("*.wit"):
        if source.name == "spin.wit":
            continue
        # WIT has no such names for its numbers any more.
        text = source.read_text(encoding="utf-8")
        renamed = text.replace("float32", "f32").replace("float64", "f64")
        (folder / "wit" / source.name).write_text(renamed, encoding="utf-8")
    _node(folder, "build.mjs")


def _j2w(folder: Path, script: str, *options: str) -> Path:
    output = folder / "app.wasm"
    said = _node(folder, script, "-i", "build/bundle.js", "-o", output.name, *options)
    # That of the build tools ends with status 0 whatever happened.
    assert output.exists(), said
    return output


def _node(folder: Path, *arguments: str) -> str:
    """Run a script in the project; return what it complained of."""
    argv = ["node", *arguments]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stderr[-3000:]
    assert done.returncode == 0, said
    return said


def build_spin_sdk_with_stores(
    guest: Path, folder: Path, release: str = "3.4.1", trigger: str = "http"
) -> Path:
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
    build_spin_sdk(app, output, release, trigger)
    return output
