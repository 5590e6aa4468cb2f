"""Worlds that mix the generations of WASI in a way that no component can serve."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edgezero_spin

WORLDS = """\
package test:mixed;

world two-handlers {
  import wasi:clocks/monotonic-clock@0.3.0;
  export wasi:http/handler@0.3.0;
  export wasi:http/incoming-handler@0.2.0;
}

world stores-of-the-other {
  import wasi:clocks/monotonic-clock@0.3.0;
  import fermyon:spin/key-value@2.0.0;
  export wasi:http/handler@0.3.0;
}
"""

APP = """\
from edgezero_spin import App, run_app

app = App(kv=["default"])


@app.get("/")
async def hello() -> str:
    return "hello"


IncomingHandler = run_app(app)
"""


@pytest.mark.parametrize(
    ("world", "sentence"),
    [
        (
            "two-handlers",
            "ImportError: the world of this component exports the handlers of WASI 0.2 and 0.3, "
            "and hosts take a component with one of them",
        ),
        (
            "stores-of-the-other",
            "ImportError: the app declares key-value or config stores, but the world of this "
            "component does not import spin:key-value/key-value@3.0.0",
        ),
    ],
)
def test_a_mixed_world_is_refused_while_it_is_built(
    world: str, sentence: str, tmp_path: Path
) -> None:
    """The build fails with one sentence that says what to do."""
    (tmp_path / "wit").mkdir()
    (tmp_path / "wit" / "world.wit").write_text(WORLDS)
    (tmp_path / "app.py").write_text(APP)
    tool = Path(sys.executable).with_name("componentize-py")
    # By itself: every folder beside it would be searched for componentize-py.toml, too.
    package = Path(edgezero_spin.__file__).parent
    shutil.copytree(package, tmp_path / "library" / package.name)
    paths = ["-p", ".", "-p", "library"]
    command = ["componentize", "app", *paths, "-o", "a.wasm"]
    done = subprocess.run(
        [tool, "-q", "-d", "wit", "-w", f"test:mixed/{world}", *command],
        cwd=tmp_path,
        env={**os.environ, "VIRTUAL_ENV": sys.prefix, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert sentence in done.stderr, done.stderr[-2000:]
