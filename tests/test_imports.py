"""What ``import edgezero_spin`` loads, seen in a process that loaded nothing else."""

import json
import subprocess
import sys

import pytest

from tests.source_tree import PACKAGE

# Tools, and libraries whose import alone would cost every component size and time.
HEAVY = [
    "apsw",
    "asyncio",
    "click",
    "componentize_py",
    "httpx",
    "logging",
    "rich",
    "sqlite3",
    "tomli_w",
    "uvloop",
    "wasmtime",
]


START = """
from edgezero_spin.cli.root import edgezero
edgezero.get_command(None, "up")
import edgezero_spin.host, edgezero_spin.host.http.server, edgezero_spin.project.app_source
"""
"""What `edgezero up` imports before it reads its manifest."""


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after one statement."""
    script = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(found.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import edgezero_spin",
        "from edgezero_spin import App",
        "import edgezero_spin.core",
        "import edgezero_spin.stores",
    ],
)
def test_importing_the_library_loads_no_tools(statement: str) -> None:
    """An app pays for nothing that only building and serving needs."""
    assert loaded_by(statement) & set(HEAVY) == set()


def test_the_package_alone_loads_none_of_its_rooms() -> None:
    """The command passes through it at every start; an app's first name loads them all."""
    assert not any(name.startswith("edgezero_spin.") for name in loaded_by("import edgezero_spin"))
    loaded = loaded_by("from edgezero_spin import NotFound")
    assert {"edgezero_spin.core", "edgezero_spin.guest", "edgezero_spin.stores"} <= loaded


def test_the_commands_load_no_more_than_help_needs() -> None:
    """All of them are imported to be listed; what they work with comes when one is run."""
    loaded = loaded_by(
        "from edgezero_spin.cli.root import COMMANDS, edgezero\n"
        "for name in COMMANDS: assert edgezero.get_command(None, name).name == name"
    )
    assert loaded & set(HEAVY) == {"click"}
    assert (
        loaded & {"attr", "attrs", "cattrs", "dataclasses", "socket", "subprocess", "tomllib"}
        == set()
    )
    rooms = {name.split(".")[1] for name in loaded if name.startswith("edgezero_spin.")}
    assert rooms == {"cli", "errors"}


def test_the_command_line_module_loads_no_tools() -> None:
    """The console script can start without click, and say what to install."""
    assert loaded_by("import edgezero_spin.cli") & set(HEAVY) == set()


def test_a_host_loads_no_client_that_it_may_never_need() -> None:
    """Registries and Vault are asked by one that a sixth of the start would go to."""
    assert loaded_by(START) & {"httpx", "rich", "urllib.request"} == set()


def test_a_start_reads_nothing_that_it_does_not_use() -> None:
    """No manifest of an app, no component without its compiled form, no other command, no store
    and no generation of WASI that the application may not have."""
    unused = {
        "apsw",
        "cattrs",
        "edgezero_spin.cli.new",
        "edgezero_spin.host.execution.concurrent",
        "edgezero_spin.host.factors.key_value.backends.sqlite",
        "edgezero_spin.host.factors.wasi_03",
        "edgezero_spin.manifest.app_manifest",
        "edgezero_spin.stores.key_value",
        "edgezero_spin.wasm.component.definitions",
        "edgezero_spin.wasm.component.reader",
        "edgezero_spin.wasm.fuse",
        "importlib.metadata",
    }
    assert loaded_by(START) & unused == set()


def test_no_benchmark_hides_a_standard_module() -> None:
    """A benchmark can be run as a file: its folder comes first on the path then."""
    benchmarks = {path.stem for path in (PACKAGE.parent / "benchmarks").glob("*.py")}
    assert benchmarks & sys.stdlib_module_names == set()
