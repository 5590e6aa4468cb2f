"""Credentials for registries: logins of Spin, Docker and compatible tools.

In: a registry's host. Out: ``Credentials``, or ``None`` for anonymous access.

Source: contract spin-host.md, OCI-23; https://github.com/docker/docker-credential-helpers.
"""

import base64
import binascii
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.manifest.decoding import decode_json

__all__ = ["Credentials", "decode_auth", "docker_credentials", "find_credentials", "spin_auth_path"]

HELPER_TIMEOUT_S = 30.0


@attrs.frozen
class Credentials:
    """Who asks a registry."""

    username: str
    password: str = attrs.field(repr=False)

    @property
    def encoded(self) -> str:
        """``user:password`` in base64."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header."""
        return f"Basic {self.encoded}"


def find_credentials(host: str) -> Credentials | None:
    """Return the login for a registry: Spin's own, else Docker's."""
    return _spin_credentials(host) or docker_credentials(host)


def decode_auth(text: str) -> Credentials | None:
    """Read ``user:password`` in base64, with padding or without; ``None`` for anything else."""
    try:
        whole = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    username, colon, password = whole.partition(":")
    return Credentials(username, password) if colon else None


def spin_auth_path() -> Path:
    """Where ``spin registry login`` writes."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "fermyon" / "registry-auth.json"


def _spin_credentials(host: str) -> Credentials | None:
    auths = _table(_json_file(spin_auth_path()).get("auths"))
    entry = auths.get(host)
    return decode_auth(entry) if isinstance(entry, str) else None


def docker_credentials(host: str) -> Credentials | None:
    """Look credentials up where ``docker login`` leaves them."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    config = _json_file(folder / "config.json")
    auths = _table(config.get("auths"))
    helpers = _table(config.get("credHelpers"))
    names = (host, f"https://{host}", f"https://{host}/v2/", f"https://{host}/v1/")
    # Helpers are slow to ask; Docker notes which names it has given to them.
    noted = [name for name in names if name in auths or name in helpers] or [host]
    for name in noted:
        helper = helpers.get(name) or config.get("credsStore")
        found = _from_helper(helper, name) if isinstance(helper, str) and helper else None
        entry = _table(auths.get(name)).get("auth")
        if found is None and isinstance(entry, str):
            found = decode_auth(entry)
        if found is not None:
            return found
    return None


def _from_helper(helper: str, name: str) -> Credentials | None:
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=name,
            capture_output=True,
            text=True,
            timeout=HELPER_TIMEOUT_S,
            check=True,
        )
        found = decode_json(done.stdout)
        username, password = found["Username"], found["Secret"]
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        # It has none, or cannot be asked; most packages are open to everybody.
        return None
    # Such a user name says that the secret is a token for another protocol.
    if username == "<token>" or not isinstance(username, str) or not isinstance(password, str):
        return None
    return Credentials(username, password)


def _json_file(path: Path) -> dict[str, Any]:
    """Read an object; a file that is missing or broken says nothing."""
    try:
        return _table(decode_json(path.read_bytes()))
    except (OSError, ValueError):
        return {}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
