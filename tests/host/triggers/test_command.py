"""The command trigger: a program is run once, and the application ends with it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.errors import HostError
from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.triggers.command.trigger import CommandTriggerKind
from edgezero_spin.host.triggers.trigger import ApplicationFailedError
from tests.host.support import Capture, HostLog

MANIFEST = """spin_manifest_version = 2
[application]
name = "program"
[[trigger.command]]
component = "program"
[component.program]
source = "program.wat"
environment = { A = "b" }
"""
# Prints its arguments, and ends by its first one's second letter.
PROGRAM_01 = """(module
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $args (i32.const 64) (i32.const 1024)))
    (i32.store (i32.const 16) (i32.const 1024))
    (i32.store (i32.const 20) (i32.load (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32)))
    ;; Nothing is there to read.
    (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 32)))
    (if (i32.load (i32.const 32)) (then unreachable))
    (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 2)) (then (call $exit (i32.const 0))))
    (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 1)) (then (call $exit (i32.const 3))))))"""

PROGRAM = """(component
  (core module $m {task_return}
    (func (export "run") (result i32) {body})
    (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
  {before}
  (core instance $i (instantiate $m {given}))
  (func $run {word} (result (result)) (canon lift (core func $i "run") {how}))
  (instance $x (export "run" (func $run)))
  (export "wasi:cli/run@{version}" (instance $x)))"""


def program(version: str, body: str) -> str:
    """A component that runs, of WASI 0.2 or 0.3; its body gives 0 for success, 1 for an error."""
    if version.startswith("0.2"):
        parts = dict.fromkeys(("task_return", "before", "given", "word", "how"), "")
        return PROGRAM.format(version=version, body=body, **parts)
    return PROGRAM.format(
        version=version,
        body=f"(call $return {body}) (i32.const 0)",
        task_return='(import "host" "return" (func $return (param i32)))',
        before="(core func $return (canon task.return (result (result))))",
        given='(with "host" (instance (export "return" (func $return))))',
        word="async",
        how='async (callback (core func $i "callback"))',
    )


def run(folder: Path, shared: Engine, text: str, *arguments: str) -> tuple[bool, bytes]:
    """Run a program; return whether it ended its application, and what it printed."""
    (folder / "program.wat").write_text(text)
    (folder / "spin.toml").write_text(MANIFEST)
    printed: Any = Capture()
    with Host.from_manifest(
        folder / "spin.toml",
        engine=shared,
        settings=HostSettings(cache_dir=None),
        state_dir="",
        log_dir="",
        echo_to=printed,
        triggers=[CommandTriggerKind(arguments)],
    ) as host:
        assert not host.takes_requests
        ended = asyncio.run(host.run_triggers())
    return ended, printed.content


def test_a_program_has_its_arguments_and_no_input(shared_engine: Engine, tmp_path: Path) -> None:
    """The first one is the id of its component; exit with status 0 is success."""  # CMD-2
    ended, printed = run(tmp_path, shared_engine, PROGRAM_01, "-x", "two words")
    assert ended
    assert printed == b"program\0-x\0two words\0"
    assert run(tmp_path, shared_engine, PROGRAM_01) == (True, b"program\0")


@pytest.mark.parametrize("version", ["0.2.0", "0.2.6", "0.3.0"])
def test_a_component_of_each_wasi(version: str, shared_engine: Engine, tmp_path: Path) -> None:
    """It returns ok, an error, or traps; the host fails with the latter two."""  # CMD-3
    assert run(tmp_path, shared_engine, program(version, "(i32.const 0)")) == (True, b"")
    with HostLog() as log:
        for body in ("(i32.const 1)", "unreachable"):
            with pytest.raises(ApplicationFailedError, match="'program': guest call failed"):
                run(tmp_path, shared_engine, program(version, body))
    assert log.content.count(b"(command)") == log.content.count(b"Error processing command") == 1


def test_a_status_is_told(shared_engine: Engine, tmp_path: Path) -> None:
    """Of a program that exits with another one than 0."""
    with HostLog(), pytest.raises(ApplicationFailedError, match="exited with status 3"):
        run(tmp_path, shared_engine, PROGRAM_01, "x")


@pytest.mark.parametrize(
    ("text", "manifest", "problem"),
    [
        ("(component)", MANIFEST, "component is not a command component: it exports no wasi:cli"),
        (program("0.3.1-rc-1", "(i32.const 0)"), MANIFEST, "not a command component"),
        (
            "(component)",
            MANIFEST.replace("[component", "x = 1\n[component"),
            "unknown key 'x' (known: component)",
        ),
    ],
)
def test_what_cannot_be_run(
    text: str, manifest: str, problem: str, shared_engine: Engine, tmp_path: Path
) -> None:
    """Is refused before anything runs."""  # TRG-2, TRG-11
    (tmp_path / "program.wat").write_text(text)
    (tmp_path / "spin.toml").write_text(manifest)
    with pytest.raises(HostError) as caught:
        Host.from_manifest(tmp_path, engine=shared_engine, state_dir="", log_dir="")
    assert problem in str(caught.value)


def test_the_first_of_several_is_run(shared_engine: Engine, tmp_path: Path) -> None:
    """A line says which."""  # CMD-1
    more = '[[trigger.command]]\ncomponent = "other"\n[component.other]\nsource = "gone.wat"\n'
    (tmp_path / "program.wat").write_text(program("0.2.0", "(i32.const 0)"))
    (tmp_path / "spin.toml").write_text(MANIFEST + more)
    with (
        HostLog() as log,
        Host.from_manifest(tmp_path, engine=shared_engine, state_dir="", log_dir="") as host,
    ):
        assert asyncio.run(host.run_triggers())
    assert b"only the first command trigger is run, of component 'program'" in log.content
