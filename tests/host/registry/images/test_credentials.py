"""Logins that other programs left on this machine."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.registry.credentials import (
    Credentials,
    decode_auth,
    docker_credentials,
    find_credentials,
    spin_auth_path,
)

HOST = "registry.example:5000"
ME = Credentials("me", "s3:cret")


def encoded(user: str = "me", password: str = "s3:cret") -> str:
    """As both programs write it."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def spin(value: Any) -> None:
    """What ``spin registry login`` writes."""
    write(spin_auth_path(), value)


def docker(home: Path, value: Any) -> None:
    """What ``docker login`` writes."""
    write(home / "docker" / "config.json", value)


def test_nobody_logged_in() -> None:
    """Registries are asked without a name."""
    assert find_credentials(HOST) is None


def test_spins_own_login(home: Path) -> None:
    """It is in the user's configuration folder, and counts before Docker's (OCI-23)."""
    docker(home, {"auths": {HOST: {"auth": encoded("docker", "x")}}})
    assert find_credentials(HOST) == Credentials("docker", "x")
    spin({"auths": {HOST: encoded()}})
    assert spin_auth_path() == home / "config" / "fermyon" / "registry-auth.json"
    assert find_credentials(HOST) == ME
    assert find_credentials("other.example") is None


@pytest.mark.parametrize(
    "value", ["{", "[]", '{"auths": 1}', {"auths": {HOST: 1}}, {"auths": {HOST: "%"}}]
)
def test_a_broken_file_of_spin_says_nothing(home: Path, value: Any) -> None:
    """Docker's login is used, as Spin does."""
    spin(value)
    docker(home, {"auths": {HOST: {"auth": encoded()}}})
    assert find_credentials(HOST) == ME


@pytest.mark.parametrize("name", [HOST, f"https://{HOST}", f"https://{HOST}/v1/"])
def test_dockers_names_of_a_registry(home: Path, name: str) -> None:
    """Docker's own registry is known by a URL (OCI-28)."""
    docker(home, {"auths": {name: {"auth": encoded()}}})
    assert docker_credentials(HOST) == ME


@pytest.mark.parametrize(
    "value",
    [
        "{",
        "[]",
        {"auths": []},
        {"auths": {HOST: []}},
        {"auths": {HOST: {"auth": 1}}},
        {"auths": {}},
    ],
)
def test_a_broken_file_of_docker_says_nothing(home: Path, value: Any) -> None:
    """Most images are open to everybody."""
    docker(home, value)
    assert docker_credentials(HOST) is None


HELPER = """#!/bin/sh
read server
echo "$server" >> "$(dirname "$0")/asked"
[ "$server" = "SERVER" ] && echo '{"Username": "me", "Secret": "s3:cret"}'
"""


@pytest.mark.parametrize(
    ("config", "server", "asked"),
    [
        ({"credHelpers": {HOST: "test"}}, HOST, [HOST]),
        ({"credsStore": "test"}, HOST, [HOST]),
        (
            {"credsStore": "test", "auths": {f"https://{HOST}/v1/": {}}},
            f"https://{HOST}/v1/",
            [f"https://{HOST}/v1/"],
        ),
        ({"credsStore": "test", "auths": {HOST: {}}}, HOST, [HOST]),
    ],
)
def test_a_helper_is_asked_by_the_name_it_knows(
    home: Path, monkeypatch: pytest.MonkeyPatch, config: Any, server: str, asked: list[str]
) -> None:
    """Which is the one that Docker noted; asking may take a while, so it is asked once."""
    helper = home / "docker-credential-test"
    helper.write_text(HELPER.replace("SERVER", server))
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(home), prepend=":")
    docker(home, config)
    assert docker_credentials(HOST) == ME
    assert (home / "asked").read_text().split() == asked


def test_a_helper_that_is_missing(home: Path) -> None:
    """It has no login to give."""
    docker(home, {"credsStore": "no-such-helper"})
    assert docker_credentials(HOST) is None


@pytest.mark.parametrize("text", ["", "%", base64.b64encode(b"no colon").decode(), "/w=="])
def test_what_is_no_login(text: str) -> None:
    """Neither base64 nor a name and a password."""
    assert decode_auth(text) is None


def test_a_password_is_not_shown() -> None:
    """Not where somebody prints the object."""
    assert "s3" not in repr(ME)
    assert ME.basic == f"Basic {encoded()}"
