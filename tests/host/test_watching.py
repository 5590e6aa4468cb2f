"""What an embedding program may put in place of the host's own, and what it is told."""

import asyncio
import threading

import attrs
import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.errors import GuestTrapped
from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.instance import Instance
from tests.host.support import script_plan


@attrs.define
class Watch:
    """Writes down what it is told, and on which thread."""

    seen: list[str] = attrs.field(factory=list)
    threads: set[int] = attrs.field(factory=set)
    error: BaseException | None = None

    def started(self, state: InstanceState) -> None:
        self.seen.append(f"started {state.grants.component_id}")
        self.threads.add(threading.get_ident())

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        self.seen.append("ended" if instance is not None else "never made")
        self.threads.add(threading.get_ident())
        self.error = error


def ask(host: Host, target: str, watch: Watch) -> int:
    """Send one request to its end."""

    async def run() -> int:
        response = await host.handle(HttpRequest(target=target), watch)
        await response.read()
        return response.status

    return asyncio.run(run())


@pytest.mark.parametrize(("target", "status"), [("/h", 200), ("/t", 500)])
def test_a_watch_follows_a_request(shared_engine: Engine, target: str, status: int) -> None:
    """It hears of the start and the end on the guest's thread, and of a failure."""
    watch = Watch()
    with Host(script_plan(), engine=shared_engine, settings=HostSettings(cache_dir=None)) as host:
        assert ask(host, target, watch) == status
    # The host is closed, so the guest's thread has ended.
    assert watch.seen == ["started script", "ended"]
    assert len(watch.threads) == 1
    assert threading.get_ident() not in watch.threads
    assert isinstance(watch.error, GuestTrapped) is (status == 500)


def test_interfaces_can_be_wrapped(shared_engine: Engine) -> None:
    """A function put in place of the host's own is what the guest calls."""
    called = []
    interfaces = dict(HostInterfaces())
    stdout = interfaces["wasi:cli/stdout"]
    original = stdout.functions["get-stdout"]

    def get_stdout(state: InstanceState) -> object:
        called.append(state.grants.component_id)
        return original(state)

    interfaces["wasi:cli/stdout"] = attrs.evolve(stdout, functions={"get-stdout": get_stdout})
    with Host(
        script_plan(),
        engine=shared_engine,
        settings=HostSettings(cache_dir=None),
        interfaces=interfaces,
    ) as host:
        assert ask(host, "/w", Watch()) == 200
    assert called == ["script"]


def test_grants_can_be_adapted(shared_engine: Engine) -> None:
    """What an embedding program makes of the grants is what instances get."""
    seen: list[str] = []

    def adapt(grants: Grants) -> Grants:
        seen.append(grants.component_id)
        return attrs.evolve(grants, component_id="adapted")

    watch = Watch()
    with Host(
        script_plan(),
        engine=shared_engine,
        settings=HostSettings(cache_dir=None),
        adapt=adapt,
    ) as host:
        assert ask(host, "/h", watch) == 200
    assert seen == ["script"]
    assert watch.seen[0] == "started adapted"
