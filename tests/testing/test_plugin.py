"""The pytest plugin, in real runs of pytest in scratch folders."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from tests.host.support import SCRIPT

ROOT = Path(__file__).parents[2]

MANIFEST = """\
spin_manifest_version = 2
application = {name = "kit"}
[variables]
token = {required = true}
[[trigger.http]]
route = "/..."
component = "kit"
[component.kit]
source = "app.wasm"
key_value_stores = ["notes"]
[component.kit.variables]
token = "{{ token }}"
[component.kit.build]
command = "cp script.wat app.wasm && echo edgezero componentize app:app >> builds.txt"
watch = ["app.py"]
"""

# Natively the app answers as the guest does in wasm.
APP = """\
import sys
from edgezero_spin import App, Kv, Secrets
app = App("kit", kv=["notes"], secrets=["default"])

@app.get("/h")
async def hello() -> str:
    return "hello"

@app.get("/note/{id}")
async def note(id: str, kv: Kv) -> str:
    print("looking for", id, file=sys.stderr)
    return await kv.default.get(id)

@app.get("/token")
async def token(secrets: Secrets) -> str:
    return await secrets.default.require_str("token")
"""

CONFTEST = """\
import pytest

@pytest.fixture
def spin_preload():
    return {"variables": {"token": "from conftest"}, "kv": {"notes": {"a": 1}}}
"""

HELLO = """\
def test_hello(spin_app):
    assert spin_app.get("/h").text == "hello"
"""


@attrs.frozen
class Ran:
    """One run of pytest."""

    status: int
    text: str


@attrs.frozen
class Scratch:
    """A project in a scratch folder."""

    folder: Path

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def builds(self) -> int:
        """How often the component was built."""
        log = self.folder / "builds.txt"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def run(self, *arguments: str, cache: Path | None = None) -> Ran:
        """Run pytest as a person would, with the usual cache or one of its own."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "edgezero_spin_pytest"),
                *("-p", "no:cacheprovider", "--strict-markers", "-W", "error", *arguments),
            ],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PYTEST_ADDOPTS": "",
                # Hypothesis alone takes three times as long to load as all the rest.
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                **({} if cache is None else {"XDG_CACHE_HOME": str(cache)}),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A project whose component is the script guest."""
    made = Scratch(tmp_path)
    made.write("spin.toml", MANIFEST)
    made.write("app.py", APP)
    made.write("pytest.ini", "[pytest]\n")
    made.write("tests/conftest.py", CONFTEST)
    shutil.copy(SCRIPT, tmp_path / "script.wat")
    return made


def test_tests_run_natively_by_default(scratch: Scratch) -> None:
    """No component is needed, and none is built."""
    scratch.write("tests/test_app.py", HELLO)
    ran = scratch.run("-v")
    assert ran.status == 0, ran.text
    assert "test_app.py::test_hello PASSED" in ran.text
    assert scratch.builds() == 0


def test_both_modes_run_each_test_twice(scratch: Scratch) -> None:
    """Ids tell the runs apart, the component is built once, and other tests run once."""
    scratch.write(
        "tests/test_app.py", HELLO + "\ndef test_plain():\n    pass\n" + HELLO.replace("_h", "_2h")
    )
    ran = scratch.run("-v", "--spin-mode", "both")
    assert ran.status == 0, ran.text
    for line in (
        "test_hello[native] PASSED",
        "test_hello[component] PASSED",
        "test_2hello[component] PASSED",
        "test_plain PASSED",
    ):
        assert line in ran.text
    assert "5 passed" in ran.text
    assert scratch.builds() == 1
    # Nothing has changed, so nothing is built; a flag builds nevertheless.
    assert scratch.run("--spin-mode", "component").status == 0
    assert scratch.builds() == 1
    assert scratch.run("--spin-mode", "component", "--spin-build").status == 0
    assert scratch.builds() == 2
    os.utime(scratch.folder / "app.wasm", (1, 1))
    stale = scratch.run("--spin-mode", "component", "--spin-no-build")
    assert stale.status == 1
    assert "is older than" in stale.text
    assert scratch.run("--spin-mode", "component").status == 0
    assert scratch.builds() == 3


def test_marks_fill_stores_and_choose_modes(scratch: Scratch) -> None:
    """Marks add to what the conftest gives; a mode that a mark excludes is left out."""
    scratch.write(
        "tests/test_app.py",
        """\
import pytest

@pytest.mark.spin(kv={"notes": {"b": "raw"}}, secrets={"token": "from mark"})
@pytest.mark.spin_native_only
def test_stores(spin_app, spin_mode):
    assert spin_mode == spin_app.mode == "native"
    assert dict(spin_app.kv["notes"]) == {"a": b"1", "b": b"raw"}
    assert spin_app.get("/token").text == "from mark"

@pytest.mark.spin_native_only
def test_variables(spin_app):
    assert spin_app.get("/token").text == "from conftest"

@pytest.mark.spin_component_only
def test_wasm(spin_app):
    assert spin_app.get("/t").failure
""",
    )
    ran = scratch.run("--spin-mode", "both")
    assert ran.status == 0, ran.text
    assert "3 passed, 3 deselected" in ran.text


def test_what_the_app_wrote_is_shown_when_a_test_fails(scratch: Scratch) -> None:
    """Standard error of the app is among what pytest captured, in both modes."""
    scratch.write(
        "tests/test_app.py",
        """\
import pytest

def test_fails(spin_app, spin_mode):
    spin_app.get("/note/x" if spin_mode == "native" else "/w")
    assert False
""",
    )
    ran = scratch.run("--spin-mode", "both")
    assert ran.status == 1
    assert "looking for x" in ran.text
    assert ran.text.count("Captured stderr call") == 2


def test_fuel_and_stats(scratch: Scratch) -> None:
    """A test over its budget fails with the figure, and the summary shows what was used."""
    scratch.write(
        "tests/test_app.py",
        """\
import pytest

@pytest.mark.spin_fuel(max=10_000_000)
def test_enough(spin_app):
    spin_app.get("/h")

@pytest.mark.spin_fuel(max=10)
def test_too_much(spin_app):
    spin_app.get("/h")
""",
    )
    ran = scratch.run("--spin-mode", "both", "--spin-stats")
    assert ran.status == 1, ran.text
    assert "1 failed, 3 passed" in ran.text
    assert re.search(
        r"BudgetError: the component used [\d,]+ instructions, [\d,]+ more than the 10 that",
        ran.text,
    )
    rows = re.findall(r"^ +([\d,]+) +(\d+) +([\d.]+|-)  (\S+)$", ran.text, re.MULTILINE)
    assert [row[3].rpartition("::")[2] for row in rows] == [
        "test_enough[component]",
        "test_too_much[component]",
    ]
    assert rows[0][0] == rows[1][0]
    assert int(rows[0][1]) > 5
    # Without tests on a component the section says how to get some.
    assert "no test asked a component" in scratch.run("--spin-stats").text


def test_memory_that_cannot_be_measured(scratch: Scratch) -> None:
    """The summary says why a column is empty, and has the others."""
    scratch.write(
        "tests/conftest.py",
        CONFTEST
        + """
from pathlib import Path
from edgezero_spin.testing import memory_map
memory_map.MAPS = Path("/nowhere/maps")
""",
    )
    scratch.write("tests/test_app.py", HELLO)
    ran = scratch.run("--spin-mode", "component", "--spin-stats")
    assert ran.status == 0, ran.text
    assert re.search(r"^ +[\d,]+ +\d+ +-  tests/test_app\.py::test_hello$", ran.text, re.MULTILINE)
    assert "peak memory is read from /proc/self/maps, which this system has not" in ran.text


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        pytest.param({"spin.toml": None}, (), "there is no spin.toml in", id="no manifest"),
        pytest.param(
            {"spin.toml": MANIFEST.replace("app:app", "app:application")},
            (),
            "application is not an App (apps there: app)",
            id="wrong app",
        ),
        pytest.param(
            {"spin.toml": MANIFEST.replace("edgezero componentize app:app", "make")},
            (),
            "set spin_app = module:app in pytest's settings",
            id="no app",
        ),
        pytest.param(
            {"spin.toml": MANIFEST.replace("cp script.wat app.wasm", "echo 'what a pity'; false")},
            ("--spin-mode", "component"),
            "what a pity",
            id="build fails",
        ),
        pytest.param(
            {},
            ("--spin-mode", "component", "--spin-no-build"),
            "there is no component at",
            id="none",
        ),
        pytest.param(
            {"tests/conftest.py": ""}, (), "give variables={'token': ...}", id="no variable"
        ),
        pytest.param(
            {"pytest.ini": "[pytest]\nspin_mode = wasm\n"},
            (),
            "native, component or both",
            id="mode",
        ),
    ],
)
def test_what_is_missing_is_said(
    scratch: Scratch, change: dict[str, str | None], arguments: tuple[str, ...], message: str
) -> None:
    """A slip in the project fails with what is wrong and what to do."""
    scratch.write("tests/test_app.py", HELLO)
    for name, text in change.items():
        if text is None:
            (scratch.folder / name).unlink()
        else:
            scratch.write(name, text)
    ran = scratch.run(*arguments)
    assert ran.status in (1, 4), ran.text
    assert message in " ".join(ran.text.split()), ran.text


WRONG = {
    "@pytest.mark.spin({'notes': {}})\ndef test_1(spin_app): pass": (
        "@pytest.mark.spin takes its arguments by name, such as kv=..., got {'notes': {}}"
    ),
    "@pytest.mark.spin(kvs={})\ndef test_2(spin_app): pass": (
        "@pytest.mark.spin: a client has no argument 'kvs' (there are: kv, config,"
    ),
    "class Test3:\n    @pytest.fixture\n    def spin_preload(self): pass\n"
    "    def test_3(self, spin_app): pass": (
        "the fixture spin_preload gives the arguments of a client by their names"
    ),
    "@pytest.mark.spin(kv={'nope': {}})\ndef test_4(spin_app): pass": (
        "UnknownLabelError: no key-value store has the label 'nope' (there are: notes); add"
    ),
    "@pytest.mark.spin_fuel(max='1')\ndef test_5(spin_app): pass": (
        "write the instructions as @pytest.mark.spin_fuel(max=1_000_000)"
    ),
    "@pytest.fixture(scope='module')\ndef mine(spin_app): return spin_app\n"
    "def test_6(mine): pass": "You tried to access the function scoped fixture",
}


def test_wrong_use_is_explained(scratch: Scratch) -> None:
    """What is wrong and what to write, without a traceback of the kit, in both modes alike."""
    scratch.write("tests/test_app.py", "\n\n".join(["import pytest", *WRONG]))
    scratch.write(
        "tests/test_without.py",
        "import pytest\n\n@pytest.mark.spin_fuel(max=1)\ndef test_without(): pass\n",
    )
    ran = scratch.run("--spin-mode", "both")
    assert ran.status == 1, ran.text
    assert " passed" not in ran.text
    said = " ".join(ran.text.partition("short test summary")[0].split())
    for message in WRONG.values():
        assert said.count(message) == 2, message
    assert "counts what `spin_app` uses, which this test does not take" in said
    assert "edgezero_spin/" not in said
    assert "During handling" not in said


def test_a_failure_is_shown_where_the_test_made_it_happen(scratch: Scratch) -> None:
    """No frames of the kit between the test and the message."""
    scratch.write(
        "tests/test_app.py",
        """\
def test_it(spin_app):
    spin_app.get("/h").json()

def test_that(spin_app):
    spin_app.kv["nope"]
""",
    )
    ran = scratch.run()
    assert "test_app.py:2: KitError" in ran.text, ran.text
    assert "test_app.py:5: UnknownLabelError" in ran.text
    assert "edgezero_spin/testing" not in ran.text


@pytest.mark.parametrize("flags", [(), ("--spin-build",)], ids=["when stale", "in any case"])
def test_workers_build_once(scratch: Scratch, flags: tuple[str, ...]) -> None:
    """With pytest-xdist one worker builds and the others wait; the summary has all tests."""
    scratch.write("spin.toml", MANIFEST.replace('command = "cp', 'command = "sleep 0.5 && cp'))
    tests = (HELLO.replace("_hello", f"_hello_{number}") for number in range(4))
    scratch.write("tests/test_app.py", "\n".join(tests))
    shutil.copy(scratch.folder / "script.wat", scratch.folder / "app.wasm")
    os.utime(scratch.folder / "app.wasm", (1, 1) if not flags else None)
    ran = scratch.run("-p", "xdist", "-n", "2", "--spin-mode", "both", "--spin-stats", *flags)
    assert ran.status == 0, ran.text
    assert "8 passed" in ran.text
    assert len(re.findall(r"^ +[\d,]+ .*\[component\]$", ran.text, re.MULTILINE)) == 4
    assert scratch.builds() == 1


def test_settings_name_the_app_and_the_manifest(scratch: Scratch) -> None:
    """Tests may live elsewhere than their application."""
    app = scratch.folder / "service"
    app.mkdir()
    (scratch.folder / "app.py").rename(app / "main.py")
    (scratch.folder / "spin.toml").unlink()
    scratch.write("service/spin.toml", MANIFEST.replace("edgezero componentize", "make"))
    scratch.write(
        "pytest.ini", "[pytest]\nspin_manifest = service/spin.toml\nspin_app = main:app\n"
    )
    scratch.write("tests/test_app.py", HELLO)
    ran = scratch.run()
    assert ran.status == 0, ran.text


def test_projects_side_by_side(scratch: Scratch) -> None:
    """Two applications with an app.py each do not get in each other's way."""
    for name in ("one", "two"):
        scratch.write(f"{name}/spin.toml", MANIFEST)
        scratch.write(f"{name}/app.py", APP.replace('"hello"', f'"{name}"'))
        scratch.write(
            f"{name}/test_{name}.py",
            f"def test_it(spin_app):\n    assert spin_app.get('/h').text == {name!r}\n",
        )
        scratch.write(f"{name}/conftest.py", CONFTEST)
    ran = scratch.run()
    assert ran.status == 0, ran.text
    assert "2 passed" in ran.text


CHAINED = """\
spin_manifest_version = 2
application = {name = "kit"}
[[trigger.http]]
route = "/..."
component = "front"
[[trigger.http]]
route = {private = true}
component = "back"
[component.front]
source = "app.wasm"
allowed_outbound_hosts = ["http://back.spin.internal"]
[component.front.build]
command = "edgezero componentize app:app"
[component.back]
source = "back/app.wasm"
[component.back.build]
command = "edgezero componentize app:app"
workdir = "back"
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\nspin_app = app:app\n"),
        ("edgezero.toml", "[adapters.spin.adapter]\ncomponent = 'front'\n"),
    ],
)
def test_components_that_call_each_other(scratch: Scratch, name: str, text: str) -> None:
    """Each is found where its build command finds it, also under the same name."""
    scratch.write("spin.toml", CHAINED)
    scratch.write("pytest.ini", "[pytest]\n")
    scratch.write(name, text)
    scratch.write("tests/conftest.py", "")
    scratch.write(
        "app.py",
        """\
from edgezero_spin import App, Outbound
app = App("front")

@app.get("/h")
async def hello(outbound: Outbound) -> str:
    answer = await outbound.send("GET", "http://back.spin.internal/h")
    return "front and " + await answer.text()
""",
    )
    scratch.write("back/app.py", APP.replace('"hello"', '"back"'))
    scratch.write(
        "tests/test_app.py",
        """\
from app import app

def test_both(spin_app):
    assert spin_app.app is app
    assert spin_app.get("/h").text == "front and back"
""",
    )
    ran = scratch.run()
    assert ran.status == 0, ran.text


def test_a_run_without_spin_tests_pays_next_to_nothing(scratch: Scratch) -> None:
    """The plugin loads neither the package nor an engine, and takes less than 50 ms."""
    scratch.write(
        "tests/test_plain.py",
        """\
import sys

def test_plain():
    assert "edgezero_spin_pytest" in sys.modules
    assert not {"edgezero_spin", "wasmtime", "attrs"} & set(sys.modules)
""",
    )
    scratch.write("tests/conftest.py", "")
    assert scratch.run().status == 0


def test_a_build_that_fails_is_tried_once(scratch: Scratch) -> None:
    """Every test on the component fails, with what the one build said."""
    failing = "echo tried >> builds.txt; echo no compiler >&2; exit 3"
    command = "cp script.wat app.wasm && echo edgezero componentize app:app >> builds.txt"
    path = scratch.folder / "spin.toml"
    path.write_text(path.read_text().replace(command, failing))
    scratch.write("test_more.py", HELLO + HELLO.replace("test_hello", "test_again"))
    ran = scratch.run("--spin-mode", "component")
    assert ran.status == 1
    assert scratch.builds() == 1
    assert ran.text.count("no compiler") >= 2


@pytest.mark.parametrize("mode", ["both", "component", "native"])
def test_a_component_that_no_test_asked_is_told_of(scratch: Scratch, mode: str) -> None:
    """Whoever asks for tests of the component learns that there are none."""
    told = "The component was not tested"
    for path in scratch.folder.glob("test_*.py"):
        path.unlink()
    scratch.write("test_none.py", "def test_nothing():\n    pass\n")
    ran = scratch.run("--spin-mode", mode)
    assert (ran.status, told in ran.text) == (0, mode != "native")
    scratch.write("conftest.py", CONFTEST)
    scratch.write("test_hello.py", HELLO)
    ran = scratch.run("--spin-mode", mode)
    assert (ran.status, told in ran.text) == (0, False), ran.text


def test_what_takes_long_is_told(scratch: Scratch) -> None:
    """The build and the compilation each have a line on the terminal, once, past the capture."""
    hurry = """
from edgezero_spin.host.runtime import compiling
from edgezero_spin.testing import building

building._QUIET_S = compiling._QUIET_S = 0.0
"""
    scratch.write("tests/conftest.py", CONFTEST + hurry)
    scratch.write("tests/test_app.py", HELLO + HELLO.replace("test_hello", "test_again"))
    ran = scratch.run("--spin-mode", "component", cache=scratch.folder / "cache")
    assert ran.status == 0, ran.text
    told = [line for line in ran.text.splitlines() if line.startswith("[edgezero] ")]
    assert told == [
        "[edgezero] building kit: cp script.wat app.wasm && "
        "echo edgezero componentize app:app >> builds.txt",
        "[edgezero] compiling app.wasm; this takes a while, once for each version of it",
    ]
    # What is there already takes no time.
    scratch.write("tests/conftest.py", CONFTEST)
    ran = scratch.run("--spin-mode", "component", cache=scratch.folder / "cache")
    assert (ran.status, "[edgezero]" in ran.text) == (0, False)
