"""Components of either generation of WASI that call each other, without a socket."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.host import Host
from edgezero_spin.testing import ComponentClient
from tests.component.conftest import Build
from tests.component.hosts_03 import Asked, Asking

MANIFEST = """\
spin_manifest_version = 2

[application]
name = "both"

[[trigger.http]]
route = "/forward"
component = "old"

[[trigger.http]]
route = "/..."
component = "new"

[component.old]
source = {old}
allowed_outbound_hosts = ["http://*.spin.internal"]

[component.new]
source = {new}
allowed_outbound_hosts = ["http://*.spin.internal", "http://nobody.spin.internal"]
"""


@pytest.fixture(scope="module")
def manifest(build: Build, raw_03: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application of a component of WASI 0.2, a proxy, and one of WASI 0.3."""
    path = tmp_path_factory.mktemp("both") / "spin.toml"
    old = json.dumps(str(build("outbound")))
    path.write_text(MANIFEST.format(old=old, new=json.dumps(str(raw_03))))
    return path


@pytest.fixture(scope="module")
def host(manifest: Path) -> Iterator[Host]:
    """A host of both."""
    with Host.from_manifest(manifest) as opened:
        yield opened


def ask(host: Host, target: str, headers: dict[str, str], body: bytes = b"") -> Asked:
    """Ask once."""
    return asyncio.run(Asking(host)(target, body, headers))


def call_new(path: str) -> dict[str, str]:
    """What the component of WASI 0.2 is told to call."""
    return {"x-target": f"http://new.spin.internal{path}"}


def call(authority: str, path: str) -> dict[str, str]:
    """What the component of WASI 0.3 is told to call."""
    return {"x-authority": f"{authority}.spin.internal", "x-path": path}


def test_from_the_old_to_the_new(host: Host) -> None:
    """Bodies stream both ways.  # CS-30"""
    content = b"abc" * 50_000
    answer = ask(host, "/forward", call_new("/upload"), content)
    assert (answer.status, answer.text) == (200, "150000 ok")
    assert ask(host, "/forward", call_new("/echo"), content).text == content.decode()


def test_from_the_new_to_the_old(host: Host) -> None:
    """An answer of it is one like any other.  # CS-30"""
    found = ask(host, "/send", call("old", "/nothing")).json
    assert (found["status"], found["end"]) == (404, "ok")


def test_requests_that_the_new_gets_from_the_new(host: Host) -> None:
    """They may land in the same instance.  # CS-35"""
    found = ask(host, "/send", call("new", "/statuses")).json
    assert (found["status"], found["end"], found["sent"]) == (200, "ok", "ok")
    found = ask(host, "/send/post/200000", call("new", "/echo")).json
    assert (found["size"], found["end"]) == (200_000, "ok")


def test_what_a_chained_request_says_of_itself(host: Host) -> None:
    """Its scheme is HTTP, its authority the name within the application.  # WH-10"""
    found = json.loads(ask(host, "/proxy", call("new", "/look?a=1")).text)
    assert (found["scheme"], found["path"]) == ("Http", "/look?a=1")
    assert found["authority"] == "new.spin.internal"
    assert "host" not in dict(found["headers"])  # WH-11


@pytest.mark.parametrize("path", ["/trap", "/err"])
def test_a_target_that_fails(host: Host, path: str) -> None:
    """Its caller gets a response like any other.  # CS-31, V3-62"""
    answer = ask(host, "/forward", call_new(path))
    assert (answer.status, answer.text) == (500, "")


def test_a_target_whose_body_breaks_off(host: Host) -> None:
    """The caller's stream ends, and its trailers say why.  # CS-33"""
    found = ask(host, "/send", call("new", "/abort")).json
    assert (found["status"], found["body"]) == (200, "abc")
    assert found["end"].startswith("err(InternalError(")


def test_a_target_that_is_none(host: Host) -> None:
    """No trap, but a code.  # CS-32, V3-63"""
    found = ask(host, "/send", call("nobody", "/")).json
    assert found["code"] == "DestinationNotFound"


def test_the_bill_of_a_chain(manifest: Path) -> None:
    """The testing kit counts all components that a request went through.  # IL-14"""
    with ComponentClient(manifest) as client:
        alone = client.get("/statuses")
        assert alone.json()["599"] == "ok"
        chained = client.get("/send", headers=call("new", "/statuses"))
        assert chained.json()["status"] == 200
        assert alone.usage is not None
        assert chained.usage is not None
        assert chained.usage.fuel > alone.usage.fuel
        assert chained.usage.host_calls > alone.usage.host_calls
