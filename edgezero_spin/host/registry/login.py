"""Logins to registries: a name and a password, tried and kept where Spin keeps its own.

Source: contract spin-host.md, OCI-22 and OCI-23.
"""

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path

from edgezero_spin.errors import HostError
from edgezero_spin.host.registry.credentials import Credentials, spin_auth_path
from edgezero_spin.host.registry.session import OciSession, RegistryEndpoint
from edgezero_spin.manifest.decoding import decode_json
from edgezero_spin.manifest.spin import FetchError

__all__ = ["LoginError", "log_in", "registry_host"]

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?")


class LoginError(HostError):
    """A registry does not take a name and a password, or they cannot be kept."""


def registry_host(server: str) -> str:
    """Return the host of a registry that was named by host or URL.

    Raises:
        LoginError: It is neither. The message does not repeat it.
    """
    # The host of a URL, without its path.
    host = re.sub(r"^[A-Za-z]+://([^/?#]*).*", r"\1", server, flags=re.DOTALL)
    if _HOST.fullmatch(host) is None:
        raise LoginError("name the registry alone, such as ghcr.io or localhost:5000")
    return "index.docker.io" if host == "docker.io" else host


def log_in(server: str, credentials: Credentials, *, insecure: bool = False) -> Path:
    """Try credentials and keep them.

    Args:
        server: The registry, by host or URL.
        credentials: Who asks from now on.
        insecure: Ask without TLS.

    Returns:
        The file that holds them.

    Raises:
        LoginError: The registry cannot be asked or refuses them, or the file cannot be
            written.
    """
    host = registry_host(server)
    endpoint = RegistryEndpoint(host=host, plain=insecure, credentials=credentials)
    try:
        with (
            OciSession(endpoint, "") as session,
            session.answer("GET", endpoint.url, "API", expected_status=(200, 401, 403)) as response,
        ):
            status = response.status_code
    except FetchError as error:
        raise LoginError(str(error)) from error
    if status != 200:
        raise LoginError(
            f"the registry {host} does not take this password of {credentials.username!r}"
        )
    return _store(host, credentials)


def _store(host: str, credentials: Credentials) -> Path:
    """Add a login to Spin's file, which nobody else may read."""
    path = spin_auth_path()
    try:
        content = _read(path)
        content["auths"][host] = credentials.encoded
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file of this kind is for its owner alone from the start.
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=".registry-auth-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
            Path(part).replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(part).unlink()
    except OSError as error:
        raise LoginError(f"cannot write {path}: {error.strerror}") from error
    return path


def _read(path: Path) -> dict[str, dict[str, object]]:
    try:
        content = decode_json(path.read_bytes())
    except FileNotFoundError:
        return {"auths": {}}
    except ValueError:
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("auths"), dict):
        raise LoginError(f"{path} holds no logins of Spin; mend it or remove it")
    return content
