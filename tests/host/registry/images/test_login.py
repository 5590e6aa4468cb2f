"""Log in to a registry on this machine."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.registry.credentials import Credentials, find_credentials, spin_auth_path
from edgezero_spin.host.registry.login import LoginError, log_in, registry_host
from tests.host.registry.oci_server import Registry

ME = Credentials("me", "s3:cret")


@pytest.fixture
def registry(registry: Registry) -> Registry:
    """One that knows one user."""
    registry.users = {"me": "s3:cret"}
    return registry


@pytest.mark.parametrize("basic", [False, True])
def test_a_login_is_tried_and_kept(registry: Registry, basic: bool) -> None:
    """Where Spin looks for it, beside others, for its owner alone (OCI-22, OCI-23)."""
    registry.basic = basic
    path = spin_auth_path()
    path.parent.mkdir(parents=True)
    path.write_text('{"auths": {"ghcr.io": "eDp5"}, "more": 1}')
    assert log_in(registry.host, ME, insecure=True) == path
    assert find_credentials(registry.host) == ME
    content = json.loads(path.read_text())
    assert content["auths"]["ghcr.io"] == "eDp5"
    assert content["more"] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("basic", [False, True])
def test_a_wrong_password_is_not_kept(registry: Registry, basic: bool) -> None:
    """Nor shown."""
    registry.basic = basic
    registry.open_to_all = not basic
    with pytest.raises(LoginError) as caught:
        log_in(registry.host, Credentials("me", "wr0ngone"), insecure=True)
    assert f"{registry.host} does not take this password of 'me'" in str(caught.value)
    assert "wr0ngone" not in str(caught.value) + repr(caught.value)
    assert not spin_auth_path().exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"auths": []}'])
def test_a_file_that_is_broken_is_left(registry: Registry, content: str) -> None:
    """It may hold other logins."""
    path = spin_auth_path()
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(LoginError, match="holds no logins of Spin; mend it or remove it"):
        log_in(registry.host, ME, insecure=True)
    assert path.read_text() == content


def test_a_folder_that_cannot_be_written(registry: Registry, tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "config").write_text("")
    with pytest.raises(LoginError, match=r"cannot write .*registry-auth\.json: "):
        log_in(registry.host, ME, insecure=True)


def test_a_registry_that_is_not_there() -> None:
    """The reason is the system's, the password not in it."""
    with pytest.raises(LoginError, match="the registry localhost:1 cannot be asked"):
        log_in("localhost:1", ME)


@pytest.mark.parametrize(
    ("server", "host"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io:444/v2/", "ghcr.io:444"),
        ("localhost:5000", "localhost:5000"),
        ("[::1]:5000", "[::1]:5000"),
        # OCI-28
        ("docker.io", "index.docker.io"),
    ],
)
def test_names_of_registries(server: str, host: str) -> None:
    """By host or by URL."""
    assert registry_host(server) == host


@pytest.mark.parametrize(
    "server",
    [
        "",
        "ghcr.io/acme",
        "me:s3cret@ghcr.io",
        "https://me:s3cret@ghcr.io",
        "a b",
        "-x",
        "https://[x",
    ],
)
def test_what_names_no_registry(server: Any) -> None:
    """It is not repeated: a password may be in it."""
    with pytest.raises(LoginError, match="name the registry alone") as caught:
        registry_host(server)
    assert "s3cret" not in str(caught.value)
