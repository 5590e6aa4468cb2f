"""What ``pip install edgezero-spin[tools]`` puts on a disk."""

import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
# Of 123 MB that `du` counts in a new environment: what others wrote, without compiled modules.
LIMIT_MB = 115
_BLOCK = 4096


def needed(requirements: list[str]) -> dict[str, Distribution]:
    """Return the distributions that requirements lead to, by name, as they are installed here."""
    found: dict[str, Distribution] = {}
    asked = [(Requirement(text), frozenset({""})) for text in requirements]
    while asked:
        requirement, extras = asked.pop()
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": name}) for name in extras):
            continue
        name = requirement.name.lower().replace("_", "-")
        if name not in found or requirement.extras:
            found[name] = distribution(name)
            inner = frozenset(requirement.extras or {""})
            asked += [(Requirement(text), inner) for text in found[name].requires or ()]
    return found


def size_mb(of: Distribution) -> float:
    """Return what its files take, in blocks as a disk has them, compiled modules left out."""
    files = [Path(str(of.locate_file(file))) for file in of.files or () if file.suffix != ".pyc"]
    sizes = [file.stat().st_size for file in files if file.exists()]
    return sum(-(-size // _BLOCK) * _BLOCK for size in sizes) / 1e6


def test_the_tools_are_no_larger_than_they_have_to_be() -> None:
    """Compiler, engine and servers; a library that brings much for little shows here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tools = needed([*project["dependencies"], *project["optional-dependencies"]["tools"]])
    sizes = {name: size_mb(found) for name, found in tools.items()}
    assert {"wasmtime", "componentize-py", "attrs", "h11"} <= sizes.keys()
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:8]
    assert sum(sizes.values()) < LIMIT_MB, largest
