"""The WIT that the wheel carries: an ABI, so exact; and worlds, so least privilege."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edgezero_spin
from edgezero_spin.project.world import WORLDS, Capabilities, world_for
from tests.guest.wit_text import package_interfaces, package_of

# What a world of each WASI imports always, for key-value, for variables and for requests.
IMPORTS = {
    "0.2": (
        None,
        "fermyon:spin/key-value@2.0.0",
        "fermyon:spin/variables@2.0.0",
        "wasi:http/outgoing-handler@0.2.0",
    ),
    "0.3": (
        "wasi:clocks/monotonic-clock@0.3.0",
        "spin:key-value/key-value@3.0.0",
        "spin:variables/variables@3.0.0",
        "wasi:http/client@0.3.0",
    ),
}

WIT = Path(edgezero_spin.__file__).parent / "wit"


@pytest.fixture(scope="module")
def spin_sdk_wit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The WIT folder of the published spin-sdk 5.0.0."""
    folder = tmp_path_factory.mktemp("spin-sdk")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "download", "--quiet", "--no-deps", "--dest", str(folder), "spin-sdk==5.0.0"],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder / "spin_sdk" / "wit"


def test_our_interfaces_are_those_of_spin_sdk(spin_sdk_wit: Path) -> None:
    """Every interface that both carry is the same, item by item: else they would not merge."""
    theirs: dict[str, Path] = {}
    for entry in sorted((spin_sdk_wit / "deps").iterdir()):
        theirs.setdefault(package_of(entry), entry)
    compared = []
    for folder in sorted((WIT / "deps").iterdir()):
        package = package_of(folder)
        reference = package_interfaces(theirs[package])
        for name, body in package_interfaces(folder).items():
            assert body == reference[name], f"{package} {name}"
            compared.append(f"{package} {name}")
    assert len(compared) == 17, compared


def test_the_file_names_say_package_and_version() -> None:
    """A folder `wasi-io@0.2.0` holds the package `wasi:io@0.2.0` and nothing else."""
    for folder in sorted((WIT / "deps").iterdir()):
        assert package_of(folder) == folder.name.replace("-", ":", 1)


def test_there_is_one_world_for_each_combination_of_needs() -> None:
    """`world_for` names a world that stands in the WIT, and imports what is needed and no more."""
    text = (WIT / "world.wit").read_text(encoding="utf-8")
    worlds = {m[1]: m[2] for m in re.finditer(r"world ([\w-]+) \{(.*?)\n\}", text, re.DOTALL)}

    # There so that spin-sdk 3 builds with this package installed; see tests/foreign.
    assert worlds.pop("spin-http").strip() == ""

    def imports(world: str) -> set[str]:
        body = worlds[world]
        found = set(re.findall(r"import ([^;]+);", body))
        for included in re.findall(r"include ([\w-]+);", body):
            found |= imports(included)
        return found

    assert len(WORLDS) == len(worlds) == 16
    for wasi, needs in WORLDS:
        name = world_for(needs, wasi).removeprefix("edgezero:spin/").removesuffix("@0.1.0")
        always, key_value, variables, outbound = IMPORTS[wasi]
        expected = {always} if always else set()
        expected |= {key_value} if needs.key_value else set()
        expected |= {variables} if needs.variables else set()
        expected |= {outbound} if needs.outbound_http else set()
        assert imports(name) == expected


def test_an_app_without_stores_gets_the_smallest_world() -> None:
    """No declaration, no right."""
    assert world_for(Capabilities()) == "edgezero:spin/http-trigger@0.1.0"
