"""``dependencies.middleware``: components that get the requests of another one first."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgezero_spin.errors import HostError
from edgezero_spin.host import ConcurrencyPolicy, Host, HostSettings
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from tests.component.conftest import GUESTS, Build
from tests.component.hosts_03 import Asked, Asking
from tests.conformance.building import build_guest

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "guarded"

[[trigger.http]]
route = "/..."
component = "inner"
dependencies.middleware = [{middleware}]

[[trigger.http]]
route = "/bare/..."
component = "inner"

[component.inner]
source = {inner}
environment = {{ PLACE = "here" }}

[component.guard]
source = {guard}
"""

Load = Callable[..., Host]


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guest ``middleware``."""
    folder = GUESTS / "middleware"
    output = tmp_path_factory.mktemp("middleware") / "guard.wasm"
    build_guest(folder, folder / "wit", "test:middleware/middleware", output)
    return output


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One for all hosts here."""
    with make_engine(EngineSettings(max_instances=20)) as opened:
        yield opened


@pytest.fixture
def load(
    guard: Path, raw_03: Path, engine: Engine, tmp_path: Path, patient: None
) -> Iterator[Load]:
    """Load the application with this middleware; closed after the test."""
    opened: list[Host] = []

    def load_host(middleware: str, inner: Path = raw_03) -> Host:
        path = tmp_path / "spin.toml"
        parts = {"inner": json.dumps(str(inner)), "guard": json.dumps(str(guard))}
        path.write_text(MANIFEST.format(middleware=middleware, **parts))
        # An instance outlives the pauses of a busy machine.
        settings = HostSettings(concurrency=ConcurrencyPolicy(idle_timeout_s=600))
        opened.append(Host.from_manifest(path, engine=engine, settings=settings))
        return opened[-1]

    yield load_host
    for host in opened:
        host.close()


def ask(host: Host, target: str, body: bytes = b"", **headers: str) -> Asked:
    """Ask once."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(Asking(host)(target, body, named))


TWO = '{ component = "guard" }, { component = "guard", inherit_configuration = true }'


def test_requests_pass_from_the_outermost_to_the_component_and_back(load: Load) -> None:
    """Each one changes what goes in and what comes out, in the order of the manifest.

    All of them live in one instance, which is used again as a whole.  # XP-11
    """
    host = load(TWO)
    for served in (1, 2):
        answer = ask(host, "/look?a=1")
        seen = answer.json
        assert [value for name, value in seen["headers"] if name == "x-passed"] == ["0", "1"]
        assert (seen["path"], seen["authority"]) == ("/look?a=1", "localhost")
        # The last header of a name is what a dictionary keeps: that of the outermost.
        assert answer.headers["x-by"] == f"0 served {served} PLACE="


def test_a_middleware_sees_what_it_inherits(load: Load) -> None:
    """Nothing of its component's configuration unless the manifest says so.  # MAN-75"""
    host = load('{ component = "guard", inherit_configuration = ["environment"] }')
    assert ask(host, "/look").headers["x-by"] == "0 served 1 PLACE=here"


def test_a_middleware_answers_in_the_place_of_the_component(load: Load) -> None:
    """What is behind it never hears of the request."""
    host = load(TWO)
    assert ask(host, "/count", x_stop="0").status == 403
    inner = ask(host, "/count", x_stop="1")
    assert (inner.status, inner.headers["x-by"]) == (403, "0 served 2 PLACE=")
    assert ask(host, "/count").text.split()[1] == "1"


def test_bodies_stream_through_middleware(load: Load) -> None:
    """Both ways, of any size, and trailers behind them.  # WH-32"""
    host = load(TWO)
    content = bytes(range(32, 127)) * 11_000
    assert ask(host, "/echo", content).text == content.decode()
    assert ask(host, "/upload", content).text == f"{len(content)} ok"
    assert ask(host, "/trailers", te="trailers").trailers == [("x-sum", b"1")]
    broken = ask(host, "/abort")
    assert broken.text == "abc"
    assert broken.broken is not None


def test_requests_pass_beside_each_other(load: Load) -> None:
    """While one waits in the component, another goes through the middleware.  # IL-11"""

    async def run() -> None:
        asking = Asking(load(TWO))
        answers = await asyncio.gather(*[asking("/sleep/200") for _ in range(8)])
        assert {answer.status for answer in answers} == {200}

    asyncio.run(run())


def test_a_trap_behind_a_middleware_ends_all_of_the_instance(load: Load) -> None:
    """They are one instance; the next request has another.  # IL-20"""
    host = load(TWO)
    assert ask(host, "/look").headers["x-by"].startswith("0 served 1 ")
    assert ask(host, "/trap").status == 500
    assert ask(host, "/look").headers["x-by"].startswith("0 served 1 ")


def test_a_route_without_middleware_has_none(load: Load) -> None:
    """It belongs to a trigger, not to its component.  # LOCK-22"""
    answer = ask(load(TWO), "/bare/look")
    assert "x-by" not in answer.headers


def test_what_is_no_middleware_is_refused(
    load: Load, build: Build, guard: Path, raw_03: Path
) -> None:
    """A component that hands nothing on, and one that takes nothing of WASI 0.3.0."""
    with pytest.raises(HostError, match=r"middleware 1 .* does not import wasi:http/handler@0\.3"):
        load(f"{{ path = {json.dumps(str(raw_03))} }}")
    with pytest.raises(HostError, match=r"has middleware and does not export .* build it for WASI"):
        load(TWO, build("behaviours"))
    with pytest.raises(HostError, match="nothing is joined to it"):
        Host.from_component(guard)


def test_other_dependencies_of_a_trigger_are_refused(load: Load, tmp_path: Path) -> None:
    """Spin says so in the same words.  # XP-11"""
    load(TWO)
    path = tmp_path / "spin.toml"
    path.write_text(path.read_text().replace("dependencies.middleware", "dependencies.before"))
    with pytest.raises(HostError, match="only allowed trigger dependency is `middleware`"):
        Host.from_manifest(path)
