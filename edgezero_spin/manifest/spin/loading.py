"""Loading of manifests: ``spin.toml`` of either version, or a bare component.

In: a path. Out: a ``SpinManifest`` in its canonical form, or one error with everything
that is wrong. No wasm is opened and nothing is downloaded.

Source: contract spin-host.md, MAN-1 to MAN-5, MAN-90 to MAN-93.
"""

import json
import re
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.manifest.errors import InvalidManifestError, Problem, Problems
from edgezero_spin.manifest.spin.checks import check_values
from edgezero_spin.manifest.spin.normalize import normalize
from edgezero_spin.manifest.spin.schema import ManifestComponent, ManifestTrigger, SpinManifest
from edgezero_spin.manifest.spin.version1 import read_version1
from edgezero_spin.manifest.spin.version2 import read_version2
from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.manifest.toml_file import parse_toml, read_text

__all__ = ["bare_manifest", "load_builds", "load_spin_manifest", "parse_spin_manifest"]

_BUILD_KEY = re.compile(r"^component[.\[].*\.build(?:\.|$)")
_FILE_NAME = "spin.toml"
_READ = "Failed to read Spin app manifest from"
_LOAD = "Failed to load Spin app from"


def load_spin_manifest(path: str | Path, *, profile: str | None = None) -> SpinManifest:
    """Read and check the manifest of an application.

    Args:
        path: A manifest, a folder that holds ``spin.toml``, or a ``.wasm`` or ``.wat``
            file, which stands for an application that sends every request to it.
        profile: The build profile to apply, if any.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
        InvalidManifestError: It is not TOML, or breaks rules; it names them all.
    """
    path = Path(path)
    if path.is_dir():
        path /= _FILE_NAME
    if path.suffix in (".wasm", ".wat"):
        return bare_manifest(path, profile=profile)
    return parse_spin_manifest(read_text(path, heading=_READ), path, profile=profile)


def load_builds(path: Path, *, profile: str | None = None) -> SpinManifest:
    """Read a manifest for the sake of its build commands.

    Problems elsewhere are among its warnings, and what is wrong there has a neutral value.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
        InvalidManifestError: It is not TOML, a build command cannot be read, or no component
            has the profile.
    """
    try:
        return load_spin_manifest(path, profile=profile)
    except InvalidManifestError as error:
        problems = Problems(path, _READ)
        root = TableReader(parse_toml(read_text(path, heading=_READ), path), "", problems)
        read = read_version1 if root.value("spin_manifest_version") == "1" else read_version2
        manifest = normalize(read(root), profile, problems)
        if any(_concerns_builds(found) for found in problems.found):
            raise
        warnings = (f"{path}: {found}" for found in error.problems)
        return attrs.evolve(manifest, warnings=tuple(warnings))


def _concerns_builds(problem: Problem) -> bool:
    return not problem.key or _BUILD_KEY.search(problem.key) is not None


def parse_spin_manifest(text: str, path: Path, *, profile: str | None = None) -> SpinManifest:
    """Check the text of a manifest; ``path`` says where it stands.

    Raises:
        InvalidManifestError: It is not TOML, or breaks rules; it names them all.
    """
    problems = Problems(path, _READ)
    root = TableReader(parse_toml(text, path, heading=_READ), "", problems)
    manifest = read_version2(root) if _version_of(root, path) == 2 else read_version1(root)
    problems.raise_any()
    warnings = tuple(f"{path}: {warning}" for warning in problems.warnings)
    problems = Problems(path, _LOAD)
    manifest = normalize(manifest, profile, problems)
    check_values(manifest, problems)
    problems.raise_any()
    return attrs.evolve(manifest, warnings=warnings)


def _version_of(root: TableReader, path: Path) -> int:
    key = "spin_manifest_version" if "spin_manifest_version" in root else "spin_version"
    remedy = "Write `spin_manifest_version = 2` at the top of the file."
    if key not in root:
        reason = "missing field `spin_manifest_version`"
        raise InvalidManifestError(path, [Problem("", reason, remedy)], _READ)
    value: Any = root.value(key)
    if value == "1":
        return 1
    if value == 2 and type(value) is int and key == "spin_manifest_version":
        return 2
    shown = json.dumps(value, ensure_ascii=False, default=str)
    problem = Problem(key, f"invalid manifest version: {shown}", remedy)
    raise InvalidManifestError(path, [problem], _READ)


def bare_manifest(
    path: Path, *, name: str | None = None, profile: str | None = None
) -> SpinManifest:
    """Return an application that sends every request to one component (MAN-90).

    Args:
        path: The component.
        name: Of the application; the file's, without its suffix, when ``None``.
        profile: The build profile to apply, if any.

    Raises:
        InvalidManifestError: There is no such profile.
    """
    problems = Problems(path, _LOAD)
    manifest = SpinManifest(
        path=path.absolute(),
        name=path.stem if name is None else name,
        triggers=(
            ManifestTrigger(
                type="http", component=ManifestComponent(source=path.name), config={"route": "/..."}
            ),
        ),
    )
    manifest = normalize(manifest, profile, problems)
    problems.raise_any()
    return manifest
