"""Engines, their fallbacks, and what they load."""

import ctypes
import importlib.metadata
import logging
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from edgezero_spin.host.errors import ComponentError, EngineError
from edgezero_spin.host.runtime import engine as engine_module
from edgezero_spin.host.runtime import pool
from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import TICK_S, EngineSettings, InstanceLimits, make_engine
from edgezero_spin.host.runtime.linking import link
from tests.host.runtime.wat import instance_of

EMPTY = "(component)"
SETTINGS = EngineSettings(pooling=False)


def test_text_and_binary_are_the_same_component(tmp_path: Path) -> None:
    """A component in text and its binary form have one digest, whatever the file is called."""
    text = tmp_path / "a.wat"
    text.write_text(EMPTY)
    binary = tmp_path / "b.wasm"
    binary.write_bytes(bytes(wasmtime.wat2wasm(EMPTY)))
    with make_engine(SETTINGS) as engine:
        assert load_component(engine, text).digest == load_component(engine, binary).digest


@pytest.mark.parametrize(
    ("name", "content", "problem", "remedy"),
    [
        ("m.wat", b"(module)", "cannot be adapted", "wasm-tools component new"),
        ("m.wasm", bytes(wasmtime.wat2wasm("(module)")), "cannot be adapted", "component new"),
        ("x.wasm", b"\x7fELF", "not a wasm file", "the build made"),
        ("e.wasm", b"", "not a wasm file", "the build made"),
        ("t.wat", b"(component", "not valid wasm text", "Correct the text"),
        ("s.wasm", b"\0asm\x0d", "cut short", "Build the component again"),
        ("c.wasm", b"\0asm\x0d\0\1\0garbage", "not a valid component", "Build it again"),
    ],
)
def test_files_that_are_no_component(
    tmp_path: Path, name: str, content: bytes, problem: str, remedy: str
) -> None:
    """Each kind of wrong file is named with what is wrong and what helps."""
    path = tmp_path / name
    path.write_bytes(content)
    with make_engine(SETTINGS) as engine, pytest.raises(ComponentError) as caught:
        load_component(engine, path)
    assert caught.value.path == path
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert str(path) in str(caught.value)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is a ComponentError too, with the system's reason."""
    with make_engine(SETTINGS) as engine, pytest.raises(ComponentError, match="No such file"):
        load_component(engine, tmp_path / "none.wasm")


def test_no_address_space_for_the_pool(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Without room for a pool the engine works one by one, and says so."""
    monkeypatch.setattr(engine_module, "can_reserve", lambda size: False)
    path = tmp_path / "a.wat"
    path.write_text(EMPTY)
    with caplog.at_level(logging.WARNING), make_engine(EngineSettings()) as engine:
        assert engine.pooling is False
        instance_of(link(engine, load_component(engine, path), {})).close()
    assert "one by one" in caplog.text
    assert "max_instances" in caplog.text


LIMITED = """
import pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (32 << 30, 32 << 30))
from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import make_engine
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.resources import ResourceTable
class State: table = ResourceTable()
with make_engine() as engine:
    component = load_component(engine, sys.argv[1])
    with link(engine, component, {}).instantiate(State()) as instance:
        print(engine.pooling, instance.call(None, "run"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits address space as Linux does")
def test_limited_address_space(tmp_path: Path) -> None:
    """Under ``ulimit -v`` the process goes on without a pool instead of ending."""
    path = tmp_path / "a.wat"
    path.write_text(
        """
(component
  (core module $module (memory 1) (func (export "run") (result i32) (i32.const 5)))
  (core instance $core (instantiate $module))
  (func (export "run") (result u32) (canon lift (core func $core "run"))))
"""
    )
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["False", "5"]
    assert "one by one" in run.stderr


def test_no_deadline_after_close() -> None:
    """A closed engine refuses deadlines instead of never keeping them."""
    engine = make_engine(SETTINGS)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.ticker.acquire()


def test_components_as_large_as_spin_takes(tmp_path: Path) -> None:
    """The pool's numbers are no smaller than Spin's: instances, memories, tables (ENG-3, ENG-5)."""
    modules = """
  (core module $wide
    (memory 1) (memory 1) (table 100000 funcref) (table 1 funcref)
    (func (export "run") (result i32) (i32.const 5)))
  (core module $tables (table 1 funcref) (table 1 funcref))
  (core module $small)
"""
    instances = ["(core instance $first (instantiate $wide))"]
    instances += ["(core instance (instantiate $wide))"] * 15  # 32 memories, 32 tables
    instances += ["(core instance (instantiate $tables))"] * 16  # 64 tables
    instances += ["(core instance (instantiate $small))"] * 168  # 200 instances
    path = tmp_path / "large.wat"
    path.write_text(
        f"""(component {modules} {"".join(instances)}
  (func (export "run") (result u32) (canon lift (core func $first "run"))))"""
    )
    with make_engine(EngineSettings(max_instances=32)) as engine:
        if not engine.pooling:
            pytest.skip("there is no address space for a pool")
        with instance_of(link(engine, load_component(engine, path), {})) as instance:
            assert instance.call(None, "run") == 5


def test_reserving_more_than_there_is() -> None:
    """The question whether a pool fits is answered, not crashed into."""
    assert pool.can_reserve(1 << 30)
    assert not pool.can_reserve(1 << 60)


SCAN = """
import os
from edgezero_spin.host.runtime.engine import EngineSettings, make_engine
with make_engine(EngineSettings(max_instances=2, scan_dirty_pages={})) as engine:
    open_files = [os.readlink(entry) for entry in map("/proc/self/fd/{{}}".format, {})]
    print(any(name.endswith("/pagemap") for name in open_files))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a Linux system call")
@pytest.mark.parametrize("asked", [True, False])
def test_scanning_dirty_pages(asked: bool) -> None:
    """The engine opens the kernel's page map when it is to scan for dirty pages."""
    version = importlib.metadata.version("wasmtime")
    known = (version, sys.platform, platform.machine()) in pool._PAGEMAP_SCAN_AT
    recent = tuple(map(int, platform.release().split(".")[:2])) >= (6, 7)
    listing = "[name for name in range(30) if os.path.lexists(f'/proc/self/fd/{name}')]"
    run = subprocess.run(
        [sys.executable, "-c", SCAN.format(asked, listing)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == str(asked and known and recent)


def test_unknown_layout_is_left_alone() -> None:
    """The setting is not written where the bytes around it are not the expected ones."""
    foreign = ctypes.create_string_buffer(b"\2" * 200, 200)
    pool._scan_dirty_pages(ctypes.addressof(foreign))
    assert foreign.raw == b"\2" * 200


@pytest.mark.parametrize(
    ("setting", "value"),
    [("max_instances", 0), ("max_memory_bytes", 0), ("memory_keep_resident_bytes", -1)],
)
def test_settings_out_of_range(setting: str, value: Any) -> None:
    """A setting outside its range is refused where it is made, by name."""
    with pytest.raises(ValueError, match=setting):
        EngineSettings(**{setting: value})


def test_memory_larger_than_32_bits() -> None:
    """4 GiB for one memory is the default, and more is refused with the reason."""  # ENG-7
    assert EngineSettings().max_memory_bytes == 4 << 30
    with pytest.raises(EngineError, match="4 GiB"):
        make_engine(EngineSettings(max_memory_bytes=(4 << 30) + 1))


@pytest.mark.parametrize("limits", [{"memory_bytes": 0}, {"deadline_s": 0}, {"fuel": -1}])
def test_limits_out_of_range(limits: dict[str, Any]) -> None:
    """A limit that would stop every instance at once is refused where it is made."""
    with pytest.raises(ValueError, match=next(iter(limits))):
        InstanceLimits(**limits)


def _clock_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "edgezero-epoch"]


def test_the_clock_runs_only_on_demand() -> None:
    """No thread before the first deadline, none after close."""
    engine = make_engine(SETTINGS)
    before = len(_clock_threads())
    engine.ticker.acquire()
    engine.ticker.acquire()
    assert len(_clock_threads()) == before + 1
    engine.ticker.release()
    engine.ticker.release()
    engine.close()
    engine.close()
    assert len(_clock_threads()) == before


def test_the_clock_rests_without_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """While no instance has a deadline the epoch stands still and nothing wakes up."""
    ticks: list[float] = []
    engine = make_engine(SETTINGS)
    monkeypatch.setattr(engine.native, "increment_epoch", lambda: ticks.append(time.monotonic()))
    engine.ticker.acquire()
    for _ in range(500):
        if ticks:
            break
        time.sleep(0.002)
    engine.ticker.release()
    engine.close()
    assert ticks


def test_the_clock_runs_no_faster_for_many_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that begins brings the ends of others no nearer (LIFE-6)."""
    ticks: list[float] = []
    with make_engine(SETTINGS) as engine:
        monkeypatch.setattr(
            engine.native, "increment_epoch", lambda: ticks.append(time.monotonic())
        )
        begin = time.monotonic()
        while time.monotonic() - begin < 20 * TICK_S:
            engine.ticker.acquire()
            time.sleep(TICK_S / 20)
            engine.ticker.release()
        took_s = time.monotonic() - begin
    assert 1 < len(ticks) <= took_s / TICK_S + 1
