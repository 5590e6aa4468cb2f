"""``edgezero componentize`` as a person runs it: one file out, or one clear refusal."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.running import edgezero, refusal

APP = """\
from edgezero_spin import App, run_app

app = App()


@app.get("/")
def hello() -> str:
    return "hello"


IncomingHandler = run_app(app)
other = 3
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with one app."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "said"),
    [
        pytest.param("nothing:app", "No module named 'nothing'", id="unknown module"),
        pytest.param("app:nothing", "has no attribute 'nothing'", id="unknown attribute"),
        pytest.param("app:other", "other is a int, not an edgezero_spin.App", id="not an app"),
        pytest.param("app.py", "No module named 'app.py'", id="a file name"),
        pytest.param("app:", "module or module:attribute", id="nothing"),
    ],
)
def test_what_is_not_an_app_is_refused(project: Path, target: str, said: str) -> None:
    """The message names what was asked for and what is wrong with it; no file appears."""
    before = sorted(path.name for path in project.iterdir())
    done = edgezero("componentize", target, "-o", "app.wasm", cwd=project)
    message = refusal(done)
    assert message.startswith(f"[edgezero] Error: cannot build {target}: ")
    assert message.count("\n") == 1
    assert said in message
    assert done.stdout == ""
    after = sorted(path.name for path in project.iterdir() if path.name != "__pycache__")
    assert after == before


def test_a_failing_import_shows_the_apps_own_traceback(project: Path) -> None:
    """The frames shown are the app's, none of the tool's, and the last line is the error."""
    (project / "helper.py").write_text("def load():\n    return 1 / 0\n")
    (project / "app.py").write_text("import helper\n\nhelper.load()\n" + APP)
    done = edgezero("componentize", "app:app", "-o", "app.wasm", cwd=project)
    assert done.returncode == 1
    assert f'File "{project / "app.py"}", line 3, in <module>' in done.stderr
    assert f'File "{project / "helper.py"}", line 2, in load' in done.stderr
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    for tool in ("componentize_py", "edgezero_spin/project", "importlib", "<string>"):
        assert tool not in done.stderr


MANIFEST = """\
[app]
name = "x"

[[triggers.http]]
path = "/"
methods = ["GET"]
handler = "{handler}"
"""


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        pytest.param("handlers:gone", "module 'handlers' has no 'gone'", id="function"),
        pytest.param("nowhere:root", "'nowhere'", id="module"),
        pytest.param("handlers:NUMBER", "is not a function", id="no function"),
        pytest.param("handlers::root", "invalid handler path", id="spelling"),
    ],
)
def test_a_handler_that_edgezero_toml_gets_wrong_is_one_line(
    project: Path, handler: str, said: str
) -> None:
    """File, key and what is wrong; no frame of a traceback adds to that."""
    (project / "handlers.py").write_text("NUMBER = 1\n")
    (project / "edgezero.toml").write_text(MANIFEST.format(handler=handler))
    (project / "app.py").write_text(
        'from edgezero_spin import App\n\napp = App.from_manifest("edgezero.toml")\n'
    )
    message = refusal(edgezero("componentize", "app:app", "-o", "app.wasm", cwd=project))
    assert message.count("\n") == 1
    assert "edgezero.toml: triggers.http[0].handler: " in message
    assert said in message


def test_a_module_to_include_that_is_nowhere_is_named(project: Path) -> None:
    """Said before anything is compiled."""
    done = edgezero("componentize", "app", "-o", "a.wasm", "--include", "no.where", cwd=project)
    assert "--include no.where: no such module" in refusal(done)


def test_edgezero_toml_names_what_travels(project: Path) -> None:
    """``include`` there has the same effect as the flag, and the same refusal."""
    (project / "edgezero.toml").write_text('[adapters.spin.build]\ninclude = ["no.where"]\n')
    message = refusal(edgezero("componentize", "app", "-o", "app.wasm", cwd=project))
    assert "no.where: no such module" in message
    assert "`include` in edgezero.toml" in message


def test_an_unknown_world_is_refused_with_the_known_ones(project: Path) -> None:
    """A world that is not ours is a failure that lists ours."""
    done = edgezero("componentize", "app", "-o", "app.wasm", "--world", "mars", cwd=project)
    message = refusal(done)
    assert "mars" in message
    assert "http-trigger, http-trigger-stores" in message


def test_a_folder_that_is_not_there_is_named(project: Path) -> None:
    """The component has nowhere to go: said before anything is compiled."""
    done = edgezero("componentize", "app:app", "-o", "gone/app.wasm", cwd=project)
    assert str(project / "gone") in refusal(done)


@pytest.mark.component
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_a_compilation_that_is_stopped(
    number: signal.Signals, status: int, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing runs on, and neither a component nor a temporary file is left."""
    temporary = tmp_path_factory.mktemp("temporary")
    command = [sys.executable, "-m", "edgezero_spin.cli", "componentize", "app:app", "-o", "x.wasm"]
    child = subprocess.Popen(
        command,
        cwd=project,
        env={**os.environ, "TMPDIR": str(temporary)},
        # A shell has what it runs in the background ignore Ctrl-C, and this test as well then.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    while not any(temporary.glob("*/tmp/*")):
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(number)
    assert child.wait() == status
    assert list(temporary.iterdir()) == []
    assert not (project / "x.wasm").exists()


@pytest.mark.component
def test_one_line_about_the_component(project: Path) -> None:
    """Success is a whole file and one line with its name, sizes, world and time."""
    (project / "app.wasm").write_bytes(b"the one before")
    done = edgezero("componentize", "app:app", "-o", "app.wasm", cwd=project)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    path, sizes, world, seconds = line.split("  ")
    written = (project / "app.wasm").stat().st_size
    size, _, bundled = sizes.partition(", for later imports ")
    assert (path, size) == ("app.wasm", f"{written / 1_000_000:.1f} MB")
    # The standard library, and nothing else for an app that imports nothing.
    assert 1.0 < float(bundled.removesuffix(" MB")) < 2.0
    assert world == "world http-trigger"
    assert float(seconds.removesuffix(" s")) > 0
    assert (project / "app.wasm").read_bytes()[:4] == b"\0asm"
    assert sorted(path.suffix for path in project.iterdir() if path.is_file()) == [".py", ".wasm"]


def test_a_missing_tool_says_what_to_install(project: Path, tmp_path: Path) -> None:
    """Without componentize-py the message names the extra that brings it."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    # A module of that name which cannot be imported, found before the installed one.
    (blocked / "componentize_py.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'componentize_py'\", name='componentize_py')"
    )
    done = edgezero(
        *("componentize", "app:app", "-o", "app.wasm"),
        cwd=project,
        env={"PYTHONPATH": str(blocked)},
    )
    assert 'pip install "edgezero-spin[tools]"' in refusal(done)
