"""The client of a component, on a guest that does as the first letter of the path says.

The guest is ``tests/host/guests/script.wat``: no build, and no Python in it. So what holds
here holds for components in any language.
"""

import asyncio
import gc
import os
import resource
import weakref
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.errors import ManifestError
from edgezero_spin.testing import (
    BrokenBodyError,
    ComponentClient,
    KitError,
    MissingComponentError,
    NoAnswerError,
    PreloadError,
    StaleComponentError,
    UnknownLabelError,
    UnknownVariableError,
)
from edgezero_spin.testing.hosting.runtime import MAX_KEPT
from tests.host.support import SCRIPT

MANIFEST = """\
spin_manifest_version = 2
application = {name = "kit"}
[variables]
token = {required = true}
[[trigger.http]]
route = "/..."
component = "kit"
[component.kit]
source = "app.wat"
key_value_stores = ["notes"]
[component.kit.variables]
token = "{{ token }}"
[component.kit.build]
command = "true"
watch = ["*.txt"]
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest beside the guest and one source."""
    (tmp_path / "app.txt").write_text("source")
    os.utime(tmp_path / "app.txt", (1, 1))
    (tmp_path / "app.wat").write_bytes(SCRIPT.read_bytes())
    path = tmp_path / "spin.toml"
    path.write_text(MANIFEST)
    return path


def test_a_request_to_a_component_file() -> None:
    """Status, headers, body, and what it cost."""
    with ComponentClient(SCRIPT) as client:
        first = client.get("/c")
        assert (first.status, first.text) == (201, "hello")
        assert first.headers["content-length"] == "5"
        assert first.failure is None
        assert first.usage is not None
        assert first.usage.fuel > 0
        assert first.usage.host_calls > 5
        assert first.usage.peak_memory_bytes is None
        # Instructions are the same each time.
        assert client.get("/c").usage == first.usage


def test_memory_is_measured_on_request() -> None:
    """The linear memory of the guest has some pages of 64 KiB."""
    with ComponentClient(SCRIPT, measure_memory=True) as client:
        usage = client.get("/h").usage
        assert usage is not None
        assert usage.peak_memory_bytes is not None
        assert usage.peak_memory_bytes % 65536 == 0
        assert 0 < usage.peak_memory_bytes < 64 * 1024 * 1024


def test_a_request_body_in_pieces() -> None:
    """A body goes in piece by piece, and comes back."""
    with ComponentClient(SCRIPT) as client:
        assert client.post("/E", content=b"whole").content == b"whole"
        assert client.post("/E", content=iter([b"one ", b"two"])).text == "one two"


def test_output_is_kept_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """What the guest writes is on the response and where pytest shows it."""
    with ComponentClient(SCRIPT) as client:
        response = client.get("/w")
        assert response.stdout
        assert response.stderr
        shown = capsys.readouterr()
        assert (shown.out, shown.err) == (response.stdout, response.stderr)
        assert client.get("/h").stderr == ""


@pytest.mark.parametrize(
    ("target", "failure"),
    [
        pytest.param("/t", "unreachable", id="trap"),
        pytest.param("/i", "example:nowhere/thing", id="unknown import"),
        pytest.param("/x", "exited with status 0", id="exit"),
    ],
)
def test_a_guest_that_fails(target: str, failure: str) -> None:
    """The client of the application sees a 500, the test also sees why."""
    with ComponentClient(SCRIPT) as client:
        response = client.get(target)
        assert response.status == 500
        assert response.failure is not None
        assert failure in response.failure


@pytest.mark.parametrize("target", ["/T", "/u", "/l"])
def test_a_body_that_breaks_off(target: str) -> None:
    """A body that is not whole is not a success."""
    with ComponentClient(SCRIPT) as client, pytest.raises(BrokenBodyError, match=f"GET {target}"):
        client.get(target)


@pytest.mark.parametrize("target", ["/b", "/s", "/B"])
def test_a_guest_that_never_answers(target: str) -> None:
    """Computing, sleeping, or stopping halfway: the deadline ends it."""
    with ComponentClient(SCRIPT, deadline_s=0.3) as client:
        with pytest.raises(NoAnswerError, match=rf"GET {target} was not answered within 0\.3 s"):
            client.get(target)
        assert client.get("/h").status == 200


def test_a_streamed_answer_can_be_left() -> None:
    """An endless body ends when the test has seen enough."""
    with ComponentClient(SCRIPT) as client:
        with client.stream("GET", "/z") as response:
            assert next(response.iter_bytes())
        assert client.get("/h").status == 200


def test_the_async_face() -> None:
    """Several requests at once, each on an instance of its own."""

    async def run() -> None:
        with ComponentClient(SCRIPT) as client:
            answers = await asyncio.gather(*(client.aio.get("/h") for _ in range(4)))
            assert [answer.text for answer in answers] == ["hello"] * 4
            async with client.aio.stream("GET", "/p") as response:
                assert b"".join([piece async for piece in response.aiter_bytes()]) == b"hellohello"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param(
            {}, KitError, r"'token' is required .* variables=\{'token': ...\}", id="required"
        ),
        pytest.param(
            {"variables": {"tokn": "x"}}, UnknownVariableError, "there are: token", id="variable"
        ),
        pytest.param(
            {"secrets": {"tokn": "x"}}, UnknownVariableError, "there are: token", id="secret"
        ),
        pytest.param({"secrets": {"token": 1}}, PreloadError, "'token'.*int 1", id="secret type"),
        pytest.param(
            {"secrets": {"token": ""}, "kv": {"views": {}}},
            UnknownLabelError,
            r"'views' \(there are: notes\); add it to key_value_stores",
            id="label",
        ),
        pytest.param(
            {"secrets": {"token": ""}, "kv": {"notes": {"a": object()}}},
            PreloadError,
            r"kv\['notes'\]\['a'\]",
            id="value",
        ),
    ],
)
def test_slips_against_a_manifest(
    manifest: Path, arguments: dict[str, Any], error: type[KitError], message: str
) -> None:
    """What the manifest does not have is refused before anything runs."""
    with pytest.raises(error, match=message):
        ComponentClient(manifest, **arguments)


def test_a_folder_stands_for_its_manifest(manifest: Path) -> None:
    """The manifest is found in the folder, and a change of the component is noticed."""
    with ComponentClient(manifest.parent, variables={"token": "x"}) as client:
        assert client.get("/h").text == "hello"
    wat = manifest.with_name("app.wat")
    wat.write_text(wat.read_text().replace('"hello"', '"HELLO"'))
    with ComponentClient(manifest, variables={"token": "x"}) as client:
        assert client.get("/h").text == "HELLO"


def test_a_client_outlives_a_change(manifest: Path) -> None:
    """Who has a client keeps its component, while a newer one is tested beside it."""
    with ComponentClient(manifest, variables={"token": "x"}) as before:
        wat = manifest.with_name("app.wat")
        wat.write_text(wat.read_text().replace('"hello"', '"HELLO"'))
        with ComponentClient(manifest, variables={"token": "x"}) as after:
            assert [client.get("/h").text for client in (before, after)] == ["hello", "HELLO"]


def test_applications_do_not_pile_up() -> None:
    """Those that were not used lately are let go; who still has one can go on."""
    first = ComponentClient(SCRIPT, deadline_s=100)
    loaded = weakref.WeakSet([first._runtime])
    for number in range(20):
        with ComponentClient(SCRIPT, deadline_s=200 + number) as client:
            assert client.get("/h").text == "hello"
            loaded.add(client._runtime)
    del client
    gc.collect()
    assert len(loaded) <= MAX_KEPT + 1
    assert first.get("/h").text == "hello"
    first.close()


def test_a_missing_component(manifest: Path, tmp_path: Path) -> None:
    """The message names the file and what makes it."""
    manifest.with_name("app.wat").unlink()
    with pytest.raises(MissingComponentError, match=r"app\.wat; build it with `edgezero build`"):
        ComponentClient(manifest, variables={"token": "x"})
    with pytest.raises(MissingComponentError, match="edgezero componentize"):
        ComponentClient(tmp_path / "none.wasm")
    with pytest.raises(ManifestError, match=r"none/spin\.toml"):
        ComponentClient(tmp_path / "none" / "spin.toml")


def test_a_stale_component(manifest: Path) -> None:
    """A component older than what it is built from is refused, unless that is wanted."""
    os.utime(manifest.with_name("app.wat"), (10, 10))
    os.utime(manifest.with_name("app.txt"), (20, 20))
    with pytest.raises(StaleComponentError, match=r"app\.wat is older than .*app\.txt"):
        ComponentClient(manifest, variables={"token": "x"})
    with ComponentClient(manifest, variables={"token": "x"}, allow_stale=True) as client:
        assert client.get("/h").status == 200


def test_a_component_file_has_no_application_variables() -> None:
    """Variables fill templates, and there is no manifest to have any."""
    with pytest.raises(KitError, match=r"without a spin\.toml.*secrets="):
        ComponentClient(SCRIPT, variables={"a": "b"})
    with (
        ComponentClient(SCRIPT, kv={"mine": {"a": b"1"}}) as client,
        pytest.raises(UnknownLabelError, match=r"there are: mine\); name it in kv="),
    ):
        client.kv["yours"]


def test_a_thousand_tests_need_no_more_memory_than_a_hundred() -> None:
    """Each test has a client of its own; the component is loaded once."""

    def run(count: int) -> int:
        for _ in range(count):
            with ComponentClient(SCRIPT, kv={"notes": {"a": b"x" * 1000}}) as client:
                assert client.get("/h").status == 200
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = run(100)
    after = run(900)
    assert after - before < 16 * 1024
