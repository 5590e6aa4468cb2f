"""The WIT that the wheel carries: an ABI, so exact; and worlds, so least privilege."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edgezero_spin
from edgezero_spin.project.world import (
    FIXED_WORLDS,
    INTERFACES,
    oldest_spin,
    world_name,
    world_text,
)
from tests.guest.wit_text import package_interfaces, package_of

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
    of_plugins = set()
    for folder in sorted((WIT / "deps").iterdir()):
        package = package_of(folder)
        if package not in theirs:
            of_plugins.add(package)
            continue
        reference = package_interfaces(theirs[package])
        for name, body in package_interfaces(folder).items():
            assert body == reference[name], f"{package} {name}"
            compared.append(f"{package} {name}")
    assert len(compared) == 33, compared
    # Those of the trigger plugins, which spin-sdk does not carry.
    assert of_plugins == {
        "fermyon:spin-cron@2.0.0",
        "spin:cron@3.0.0",
        "spin:mqtt-trigger",
        "spin:mqtt-trigger@3.0.0",
    }


def test_the_file_names_say_package_and_version() -> None:
    """A folder `wasi-io@0.2.0` holds the package `wasi:io@0.2.0` and nothing else."""
    for folder in sorted((WIT / "deps").iterdir()):
        assert package_of(folder) == folder.name.replace("-", ":", 1)


def _worlds(text: str) -> dict[str, str]:
    text = re.sub(r"//[^\n]*", "", text)
    return {m[1]: m[2] for m in re.finditer(r"world ([\w-]+) \{(.*?)\n\}", text, re.DOTALL)}


def _named(body: str, keyword: str) -> list[str]:
    return sorted(re.findall(rf"{keyword} ([^;]+);", body))


def test_the_fixed_worlds_are_few_and_import_what_the_rows_say() -> None:
    """Nothing, stores, or everything that an app can need, for each WASI."""
    worlds = _worlds((WIT / "world.wit").read_text(encoding="utf-8"))

    # There so that spin-sdk 3 builds with this package installed; see tests/foreign.
    assert worlds.pop("spin-http").strip() == worlds.pop("spin-redis").strip() == ""
    assert tuple(worlds) == FIXED_WORLDS

    def imports(world: str) -> set[str]:
        found = set(_named(worlds[world], "import"))
        return found.union(*(imports(name) for name in _named(worlds[world], "include")))

    for rows, trigger in zip(INTERFACES.values(), ("http-trigger", "http-service"), strict=True):
        # Types that another interface uses come with it.
        needed = {
            need: {name for name in row.imports if "-types@" not in name}
            for need, row in rows.items()
        }
        assert _named(worlds[trigger], "export") == list(rows["http"].exports)
        assert imports(trigger) == needed["http"]
        stores = needed["http"] | needed["key_value"] | needed["variables"]
        assert imports(f"{trigger}-stores") == stores
        platform = set().union(*needed.values())
        assert imports(f"{trigger}-platform") == platform
        otel = {f"wasi:otel/{name}@0.2.0-rc.2" for name in ("tracing", "metrics", "logs")}
        assert imports(f"{trigger}-otel") == platform | otel


def test_a_world_has_what_is_needed_and_no_more() -> None:
    """No declaration, no right."""
    (body,) = _worlds(world_text({"http"})).values()
    assert (_named(body, "import"), _named(body, "export")) == (
        [],
        ["wasi:http/incoming-handler@0.2.0"],
    )
    (body,) = _worlds(world_text({"sqlite", "http", "mysql"})).values()
    assert _named(body, "import") == [
        "fermyon:spin/mysql@2.0.0",
        "fermyon:spin/rdbms-types@2.0.0",
        "fermyon:spin/sqlite@2.0.0",
    ]
    (body,) = _worlds(world_text(["variables", "http"], "0.3")).values()
    assert _named(body, "import") == [
        "spin:variables/variables@3.0.0",
        "wasi:clocks/monotonic-clock@0.3.0",
    ]


def test_the_interfaces_of_every_need_are_carried() -> None:
    """What a generated world names stands in `deps`."""
    carried = {
        f"{package}/{name}{at}{version}"
        for folder in (WIT / "deps").iterdir()
        for package, at, version in [package_of(folder).partition("@")]
        for name in package_interfaces(folder)
    }
    for rows in INTERFACES.values():
        for row in rows.values():
            assert carried >= {*row.imports, *row.exports, *row.types}


def test_the_generations_serve_the_same_needs() -> None:
    """One app module builds for both."""
    first, second = INTERFACES.values()
    assert list(first) == list(second)


def test_a_person_reads_names_in_the_order_of_the_table() -> None:
    """Whatever the order of the needs."""
    assert world_name(["sqlite", "key_value", "http"]) == "http-trigger + key-value + sqlite"
    assert world_name({"http"}, "0.3") == "http-service"


def test_the_needs_decide_about_the_oldest_spin() -> None:
    """The newest of what each interface needs, and of the WASI."""
    assert oldest_spin({"http"}) == "2.0"
    assert oldest_spin({"http", "postgres"}) == "3.4"
    assert oldest_spin({"http", "postgres"}, "0.3") == "4.1"
