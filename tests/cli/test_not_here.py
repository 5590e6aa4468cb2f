"""Flags and variables of ``spin up`` that this host cannot do, in a process of their own."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.cli.not_here import check_environment
from tests.cli.running import edgezero, get, refusal, running
from tests.host.support import SCRIPT


@pytest.mark.parametrize("command", ["up", "watch"])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ["--experimental-wasm-feature", "function-references"],
            "function-references: this host's engine runs without",
        ),
        (["--experimental-wasm-feature", "x"], "'x' is not one of"),
    ],
)
def test_flags_that_are_refused(tmp_path: Path, command: str, flags: list[str], says: str) -> None:
    """Status 2, and one line that says why (CLI-11, ENG-10)."""
    done = edgezero(command, *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["watch", "serve"])
def test_commands_on_files_take_no_image(tmp_path: Path, command: str) -> None:
    """They say which one does."""
    done = edgezero(command, "--from-registry", "localhost:1/x:1", cwd=tmp_path)
    assert done.returncode == 2
    assert "`edgezero up` runs what is in a registry" in done.stderr
    message = refusal(edgezero(command, "-f", "localhost:1/x:1", cwd=tmp_path))
    assert "an application in a registry is run by `edgezero up --from-registry`" in message


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"SPIN_OUTBOUND_H2C_PRIOR_KNOWLEDGE": "localhost:8080"},
            "SPIN_OUTBOUND_H2C_PRIOR_KNOWLEDGE is set: this host sends requests over HTTP/1.1",
        ),
        ({"SPIN_WASMTIME_TOTAL_TABLES": "many"}, "SPIN_WASMTIME_TOTAL_TABLES is 'many'; it can"),
    ],
)
def test_variables_that_are_refused(tmp_path: Path, variables: dict[str, str], says: str) -> None:
    """What an application would run differently for (OUTH-19, ENG-2)."""
    (tmp_path / "a.wat").write_text(SCRIPT.read_text())
    done = edgezero("up", "-f", "a.wat", "--disable-cache", cwd=tmp_path, env=variables)
    assert done.returncode in (1, 2)
    assert says in done.stderr.splitlines()[-1]


def test_a_feature_that_is_always_on_is_accepted(tmp_path: Path) -> None:
    """Nothing changes by it."""
    (tmp_path / "a.wat").write_text(SCRIPT.read_text())
    feature = ["--experimental-wasm-feature", "reference-types"]
    with running("-f", tmp_path / "a.wat", "--format", "json", "--quiet", *feature) as (told, _):
        assert get(told["base_url"] + "/h") == (200, b"hello")


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """The library's log, as it was afterwards."""
    log = logging.getLogger("edgezero_spin")
    level, handlers = log.level, log.handlers[:]
    yield log
    log.setLevel(level)
    log.handlers[:] = handlers


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("debug", logging.DEBUG),
        ("trace", logging.DEBUG),
        ("INFO", logging.INFO),
        ("spin_core=debug, warn", logging.WARNING),
        ("error,wasmtime=trace", logging.ERROR),
        ("off", 60),
    ],
)
def test_the_level_of_the_log(log: logging.Logger, value: str, level: int) -> None:
    """That for everything is heard; those for parts of Spin name nothing here (CLI-36)."""
    check_environment({"RUST_LOG": value})
    assert log.level == level
    assert len(log.handlers) == 1


@pytest.mark.parametrize("value", ["", "spin_core=debug", "loud"])
def test_what_is_no_level(log: logging.Logger, value: str) -> None:
    """The log stays as it is."""
    check_environment({"RUST_LOG": value})
    assert (log.level, log.handlers) == (logging.NOTSET, [])
