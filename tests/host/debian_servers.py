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

__all__ = [
    "binary_of",
    "own",
    "run",
    "running_docker_registry",
    "running_mariadb",
    "running_mosquitto",
    "running_postgres",
    "running_server",
    "server_folder",
]


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


@contextmanager
def running_mariadb(*options: str) -> Iterator[int]:
    """Run a MariaDB server; yield its port.

    Its user ``spin`` has the password ``spin`` and the database ``spin_dev``.

    Args:
        options: Settings, ``name=value``.
    """
    install = binary_of("mariadb-install-db", "mariadb-server")
    server = binary_of("mariadbd", "mariadb-server")
    with server_folder() as folder:
        data, script = folder / "data", folder / "init.sql"
        script.write_text(
            "CREATE DATABASE spin_dev CHARACTER SET utf8mb4;\n"
            "CREATE USER spin@'%' IDENTIFIED BY 'spin';\n"
            "GRANT ALL ON *.* TO spin@'%';\n"
        )
        script.chmod(0o644)
        run(
            *(install, "--no-defaults", f"--datadir={data}", "--skip-test-db"),
            *("--auth-root-authentication-method=normal", "--skip-name-resolve"),
            *("--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0"),
        )
        port = free_port()
        settings = [
            f"port={port}",
            "bind-address=127.0.0.1",
            f"datadir={data}",
            f"socket={folder}/socket",
            f"init-file={script}",
            "skip-name-resolve",
            "innodb-buffer-pool-size=16M",
            "innodb-log-file-size=8M",
            "innodb-flush-log-at-trx-commit=0",
            *options,
        ]
        command = [server, "--no-defaults", *(f"--{setting}" for setting in settings)]
        with running_server(command, "ready for connections"):
            yield port


@contextmanager
def running_docker_registry() -> Iterator[str]:
    """An empty registry without TLS; yield its host and port."""
    binary = binary_of("docker-registry", "docker-registry", "/usr/bin")
    address = f"127.0.0.1:{free_port()}"
    with server_folder() as folder:
        config = folder / "registry.yml"
        config.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder / 'storage'}}}}}\n"
            f"http: {{addr: {address}}}\nlog: {{level: info, accesslog: {{disabled: true}}}}\n"
        )
        own(config)
        with running_server([binary, "serve", str(config)], "listening on"):
            yield address


@contextmanager
def running_mosquitto(
    *lines: str, login: tuple[str, str] | None = None, port: int | None = None
) -> Iterator[int]:
    """Run an MQTT broker; yield its port.

    Args:
        lines: More of its configuration.
        login: The one user and the password; ``None`` lets everybody in.
        port: Where to listen; ``None`` for a free one.
    """
    server = binary_of("mosquitto", "mosquitto")
    with server_folder() as folder:
        port = port or free_port()
        config = folder / "mosquitto.conf"
        settings = [f"listener {port} 127.0.0.1", "log_dest stderr", "persistence false", *lines]
        if login is None:
            settings.append("allow_anonymous true")
        else:
            passwords = folder / "passwords"
            run(binary_of("mosquitto_passwd", "mosquitto"), "-b", "-c", str(passwords), *login)
            settings += ["allow_anonymous false", f"password_file {passwords}"]
        config.write_text("\n".join(settings))
        config.chmod(0o644)
        with running_server([server, "-c", str(config)], "running"):
            yield port
