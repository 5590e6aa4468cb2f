"""Plugins: programs of this machine as commands of ``edgezero``."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.running import edgezero, refusal

SHOWS_ITSELF = f"""\
#!{sys.executable}
import json, os, sys
spin = {{name: value for name, value in os.environ.items() if name.startswith("SPIN_")}}
print(json.dumps({{"argv": sys.argv, "env": spin, "typed": sys.stdin.read()}}))
sys.exit(7)
"""


def program(path: Path, text: str = SHOWS_ITSELF, mode: int = 0o755) -> Path:
    """Write an executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A machine whose PATH has one folder of plugins, and nothing that Spin installed."""
    return {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "SPIN_DATA_DIR": str(tmp_path / "data"),
    }


@pytest.mark.parametrize(
    "place", ["bin/spin-greet", "bin/edgezero-greet", "data/plugins/greet/greet"]
)
def test_a_plugin_gets_what_is_typed_and_spins_variables(
    place: str, env: dict[str, str], tmp_path: Path
) -> None:
    """Its arguments untouched, standard input, its status; as Spin starts it."""
    # CLI-5, CLI-33, CLI-35
    path = program(tmp_path / place)
    words = ["-v", "--help", "a b", "--", "--x=1", "-C"]
    done = edgezero("greet", *words, env=env, typed="typed\n")
    assert done.returncode == 7, done.stderr
    said = json.loads(done.stdout)
    assert said["argv"] == [str(path), *words]
    assert said["typed"] == "typed\n"
    spin = said["env"]
    assert spin["SPIN_VERSION"] == "4.1.0"
    numbers = [spin[f"SPIN_VERSION_{part}"] for part in ("MAJOR", "MINOR", "PATCH", "PRE")]
    assert numbers == ["4", "1", "0", ""]
    assert Path(spin["SPIN_BIN_PATH"]).name == "edgezero"
    assert {"SPIN_COMMIT_SHA", "SPIN_COMMIT_DATE", "SPIN_BRANCH", "SPIN_BUILD_DATE"} <= spin.keys()
    assert spin["SPIN_TARGET_TRIPLE"].count("-") >= 2
    assert spin["SPIN_DEBUG"] == "false"


def test_the_flags_before_a_plugin_are_ours(env: dict[str, str], tmp_path: Path) -> None:
    """`-C` is where it runs."""
    program(tmp_path / "bin" / "spin-where", "#!/bin/sh\npwd\n")
    (tmp_path / "inner").mkdir()
    done = edgezero("-C", tmp_path / "inner", "where", env=env)
    assert done.stdout == f"{tmp_path / 'inner'}\n"


def test_ours_comes_first(env: dict[str, str], tmp_path: Path) -> None:
    """A built-in command before any plugin, `edgezero-` before `spin-`."""
    program(tmp_path / "bin" / "spin-build", "#!/bin/sh\necho plugin\n")
    program(tmp_path / "bin" / "spin-b", "#!/bin/sh\necho plugin\n")
    program(tmp_path / "bin" / "spin-x", "#!/bin/sh\necho spin\n")
    program(tmp_path / "bin" / "edgezero-x", "#!/bin/sh\necho edgezero\n")
    assert "Usage: edgezero build" in edgezero("build", "--help", env=env).stdout
    assert "Usage: edgezero build" in edgezero("b", "--help", env=env).stdout
    assert edgezero("x", env=env).stdout == "edgezero\n"
    listed = edgezero("plugins", "list", env=env).stdout.splitlines()
    assert f"x  {tmp_path / 'bin' / 'edgezero-x'}" in listed
    named = edgezero("plugins", "list", "--filter", "x", "--format", "json", env=env).stdout
    assert json.loads(named) == [{"name": "x", "path": str(tmp_path / "bin" / "edgezero-x")}]
    assert any("spin-build (not run: edgezero has a command of that name)" in it for it in listed)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("buidl", "'buidl' is not a command of edgezero, and no program edgezero-buidl or"),
        ("buidl", "Did you mean `build`"),
        ("../x", "'../x' is not a command"),
        ("plain", "bin/spin-plain is not executable: chmod +x"),
        ("stored", "data/plugins/stored/stored is not executable: chmod +x"),
        ("folder", "'folder' is not a command"),
        ("", "'' is not a command"),
    ],
)
def test_what_is_no_command_is_wrong_usage(
    name: str, says: str, env: dict[str, str], tmp_path: Path
) -> None:
    """The commands with a similar name are offered; a path or a plain file is not a plugin."""
    # PLG-4
    program(tmp_path / "bin" / "spin-plain", mode=0o644)
    program(tmp_path / "data" / "plugins" / "stored" / "stored", mode=0o644)
    (tmp_path / "bin" / "spin-folder").mkdir()
    program(tmp_path / "x")
    done = edgezero(name, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_program_that_cannot_be_run_is_one_error(env: dict[str, str], tmp_path: Path) -> None:
    """What the system says of it, with its name."""
    path = program(tmp_path / "bin" / "spin-odd", "neither script nor program")
    assert f"cannot run {path}: Exec format error" in refusal(edgezero("odd", env=env))
    path = program(tmp_path / "bin" / "spin-old", "#!/no/such/interpreter\n")
    message = refusal(edgezero("old", env=env))
    assert f"cannot run {path}: the interpreter that its first line names" in message


def test_nothing_is_downloaded(env: dict[str, str]) -> None:
    """The other commands of `spin plugins` are named, with who does them."""
    done = edgezero("plugins", "install", "js2wasm", "-y", env=env)
    assert done.returncode == 2
    assert "use `spin plugins install`" in done.stderr
    assert edgezero("plugin", "list", "--installed", env=env).stdout == "No plugins found\n"
