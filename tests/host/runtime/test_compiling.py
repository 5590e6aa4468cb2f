"""Waiting for a compilation: what it returns, what is said, and that Ctrl-C ends it."""

import contextlib
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime

from edgezero_spin.host.runtime import compiling as compiling_module
from edgezero_spin.host.runtime.compiling import LOGGER, compiling

MANIFEST = """\
spin_manifest_version = 2
application.name = "a"
[[trigger.http]]
route = "/..."
component = { source = "app.wasm" }
"""


HELLO = Path(__file__).parents[2] / "foreign" / "guests" / "hello.wat"


@pytest.fixture(scope="module")
def slow_component() -> bytes:
    """A component that takes the engine many seconds: functions of very many instructions.

    It has a handler, and an export that reaches the functions: without the one it would be
    refused, without the other nothing of them would be compiled.
    """
    step = "i32.const 5 i32.mul i32.const 3 i32.add\n" * 60_000
    names = [f"$f{number}" for number in range(24)]
    functions = "".join(
        f"(func {name} (param i32) (result i32) local.get 0 {step})" for name in names
    )
    calls = " ".join(f"call {name}" for name in names)
    slow = f"""
      (core module $Slow {functions}
        (func (export "slow") (param i32) (result i32) local.get 0 {calls}))
      (core instance $slow (instantiate $Slow))
      (func (export "slow") (param "x" s32) (result s32)
        (canon lift (core func $slow "slow")))
    )"""
    text = HELLO.read_text(encoding="utf-8").rstrip()
    return bytes(wasmtime.wat2wasm(text.removesuffix(")") + slow))


def test_what_it_returns_and_raises() -> None:
    """The caller gets the result, or the very error."""
    assert compiling(Path("a"), lambda: 7) == 7
    error = ValueError("x")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="x") as caught:
        compiling(Path("a"), fail)
    assert caught.value is error


@pytest.mark.parametrize("error", [None, TimeoutError("of its own")])
def test_what_takes_long_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    """A line names the file while it goes on; what is quick is not told."""
    caplog.set_level(logging.INFO, LOGGER)
    compiling(Path("quick.wasm"), lambda: None)
    assert not caplog.records
    monkeypatch.setattr(compiling_module, "_QUIET_S", 0.01)
    monkeypatch.setattr(compiling_module, "_WAIT_S", 0.01)
    told = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.set()

    handler = Handler()
    logging.getLogger(LOGGER).addHandler(handler)

    def compile_() -> str:
        assert told.wait(30)
        if error is not None:
            raise error
        return "done"

    try:
        if error is None:
            assert compiling(Path("x/app.wasm"), compile_) == "done"
        else:
            with pytest.raises(TimeoutError, match="of its own"):
                compiling(Path("x/app.wasm"), compile_)
    finally:
        logging.getLogger(LOGGER).removeHandler(handler)
    [record] = caplog.records
    assert record.getMessage().startswith("compiling app.wasm; ")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let processes that begin here be interrupted.

    A shell without job control has what it runs in the background ignore SIGINT, and all that
    begins below it inherits that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("command", ["up", "watch"])
def test_ctrl_c_ends_a_start_that_compiles(
    slow_component: bytes, tmp_path: Path, command: str
) -> None:
    """The process ends long before the compilation would, and leaves no folder behind."""
    (tmp_path / "app" / "tmp").mkdir(parents=True)
    (tmp_path / "app" / "app.wasm").write_bytes(slow_component)
    (tmp_path / "app" / "spin.toml").write_text(MANIFEST)
    with interruptible():
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "edgezero_spin.cli",
                command,
                "--disable-cache",
                "--listen",
                "[::1]:0",
            ],
            cwd=tmp_path / "app",
            env={"PATH": "", "TMPDIR": str(tmp_path / "app" / "tmp")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    with process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("compiling app.wasm" in line for line in lines)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert list((tmp_path / "app" / "tmp").iterdir()) == []
