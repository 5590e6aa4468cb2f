"""Hosts to serve a component on: ours as a program would embed it, jco, and wasmtime's own."""

import contextlib
import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import uvicorn

from benchmarks.peers import PeerMissingError, jco_serve, wasmtime_serve
from edgezero_spin.host.host import Host

__all__ = ["Server", "embedded", "jco", "listening", "manifest", "wasmtime"]


@attrs.frozen
class Server:
    """A component that answers on loopback.

    Attributes:
        name: Which host serves it.
        port: Where.
    """

    name: str
    port: int

    @property
    def url(self) -> str:
        """The base of its URLs."""
        return f"http://127.0.0.1:{self.port}"


MANIFEST = """\
spin_manifest_version = 2

[application]
name = "guest"

[[trigger.http]]
route = "/..."
component = "guest"

[component.guest]
source = {source}
{grants}
"""


def manifest(component: Path, folder: Path, grants: str = "") -> Path:
    """Write a ``spin.toml`` for one component on every route; return its path."""
    path = folder / "spin.toml"
    text = MANIFEST.format(source=json.dumps(str(component)), grants=grants)
    path.write_text(text, encoding="utf-8")
    return path


@contextlib.contextmanager
def listening(host: Host) -> Iterator[int]:
    """Serve a host on a port of loopback from a thread; yield the port."""
    config = uvicorn.Config(
        host.asgi(), host="127.0.0.1", port=0, log_level="warning", server_header=False
    )
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    # From here on connections wait in the backlog, so nobody has to wait for the thread.
    listener.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextlib.contextmanager
def embedded(component: Path, grants: str = "") -> Iterator[Server]:
    """The host of this package, in this process; ``grants`` are lines of the manifest."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Host.from_manifest(manifest(component, Path(folder), grants)) as host,
        listening(host) as port,
    ):
        yield Server("embedded", port)


@contextlib.contextmanager
def jco(component: Path) -> Iterator[Server]:
    """``jco serve``; skipped where npm is missing."""
    try:
        serving = jco_serve(component)
        port = serving.__enter__()
    except PeerMissingError as error:
        pytest.skip(f"jco: {error}")
    try:
        yield Server("jco", port)
    finally:
        serving.__exit__(None, None, None)


@contextlib.contextmanager
def wasmtime(component: Path) -> Iterator[Server]:
    """Serve a component of WASI 0.3 by ``wasmtime serve``, which reuses instances as Spin does."""
    serving = wasmtime_serve(component)
    try:
        port = serving.__enter__()
    except PeerMissingError as error:
        pytest.skip(str(error))
    try:
        yield Server("wasmtime", port)
    finally:
        serving.__exit__(None, None, None)
