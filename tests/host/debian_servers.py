"""Real servers from Debian's packages, on ports of this machine, for the tests that need one."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.host.redis_server import free_port

__all__ = ["binary_of", "own", "run", "running_postgres", "running_server", "server_folder"]


def binary_of(name: str, package: str, *folders: str) -> str:
    """Return the path of a server's program; skip the test where it is not installed."""
    for folder in folders:
        found = sorted(Path("/").glob(f"{folder.lstrip('/')}/{name}"))
        if found:
            return str(found[-1])
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {package})")
    return path


def _account() -> dict[str, Any]:
    """As whom a server runs: most refuse to be the superuser."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder of its own for a server, which the account that it runs as may write."""
    with tempfile.TemporaryDirectory(prefix="edgezero-server-") as name:
        own(Path(name))
        yield Path(name)


def own(path: Path) -> None:
    """Give a file or folder to the account that servers run as."""
    account = _account()
    if account:
        os.chown(path, account["user"], account["group"])


def run(*command: str) -> None:
    """Run a program to its end, as the account that servers run as."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **_account())
    assert done.returncode == 0, f"{command[0]} failed: {done.stdout}{done.stderr}"


@contextmanager
def running_server(command: Sequence[str], ready: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server from the moment that it prints it is ready."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **_account()
    )
    assert process.stdout is not None
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if ready in line:
                break
        else:
            raise AssertionError(f"{command[0]} did not start: {''.join(lines)}")
        # Nobody reads what it prints from here on, and a full pipe would stop it.
        os.set_blocking(process.stdout.fileno(), False)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def running_postgres(*options: str) -> Iterator[int]:
    """Run a PostgreSQL server; yield its port.

    Its user and its database ``postgres`` have that password, too.

    Args:
        options: Settings, ``name=value``.
    """
    places = ("/usr/lib/postgresql/*/bin",)
    initdb = binary_of("initdb", "postgresql", *places)
    postgres = binary_of("postgres", "postgresql", *places)
    with server_folder() as folder:
        secret, data = folder / "password", folder / "data"
        secret.write_text("postgres")
        secret.chmod(0o644)
        login = ["-U", "postgres", "--pwfile", str(secret), "-A", "scram-sha-256"]
        run(initdb, "-D", str(data), "--no-sync", "-E", "UTF8", "--locale=C", *login)
        port = free_port()
        settings = [
            f"port={port}",
            "listen_addresses=127.0.0.1,::1",
            "unix_socket_directories=",
            "fsync=off",
            "log_min_messages=log",
            "shared_buffers=16MB",
            *options,
        ]
        command = [postgres, "-D", str(data), *(f"--{setting}" for setting in settings)]
        with running_server(command, "ready to accept connections"):
            yield port
