"""Requests that share an instance of WASI 0.3: who gets in, and what each is told at its end."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from edgezero_spin.host import ConcurrencyPolicy, Host, HostSettings
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.execution.guest import GuestComponent
from edgezero_spin.host.execution.handler_call import HandlerCall
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, InstanceLimits, make_engine
from tests.host.support import HostLog, until
from tests.host.wire import WAIT_S

GUEST = Path(__file__).parents[1] / "guests" / "shared.wat"
MIB = 1024 * 1024


class Asked:
    """A request to the guest ``shared.wat``, on its way or answered."""

    def __init__(self, host: Host, component: GuestComponent, method: str) -> None:
        self.host = host
        self.exchange = Exchange(method, "/", [], authority="localhost")
        self._told = threading.Event()
        self.exchange.announce = self._told.set
        host._runner.start(component, self.exchange)

    async def has_gone(self) -> None:
        """Wait until no instance is busy any more."""
        await until(lambda: self.host.running == 0)

    @property
    def waits(self) -> bool:
        """Nobody has told it anything."""
        return not self._told.is_set()

    @property
    def told(self) -> str:
        """Why it has no response."""
        assert self._told.wait(WAIT_S), f"{self.exchange.method} was told nothing"
        assert self.exchange.failure is not None
        return self.exchange.failure.detail

    @property
    def number(self) -> int:
        """The number in the code that the guest answered with."""
        before, _, rest = self.told.partition("HTTP-request-body-size(")
        assert before == "guest failed to produce a response: "
        return int(rest.removesuffix(")"))


Ask = Callable[[str], Asked]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine of its own, which counts fuel."""
    with make_engine(EngineSettings(max_instances=8, fuel=True)) as made:
        yield made


@pytest.fixture
def asking(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Ask]]:
    """Make a host with these settings; return what asks it."""
    # On a busy machine an instance may look as if it computed.
    monkeypatch.setattr("edgezero_spin.host.execution.concurrent.PATIENCE_S", WAIT_S)
    opened: list[Host] = []

    def make(fuel: int | None = None, **settings: object) -> Ask:
        lasting = ConcurrencyPolicy(idle_timeout_s=600)
        given = HostSettings(cache_dir=None, concurrency=lasting, **settings)  # type: ignore[arg-type]
        host = Host.from_component(GUEST, settings=given, engine=engine)
        opened.append(host)
        (found,) = host.application.components.values()
        assert isinstance(found, GuestComponent)
        limits: InstanceLimits = attrs.evolve(found.limits, fuel=fuel)
        component = attrs.evolve(found, limits=limits)
        return lambda method: Asked(host, component, method)

    yield make
    for host in opened:
        host.close()


def test_an_instance_without_backpressure_takes_more(asking: Callable[..., Ask]) -> None:
    """While one request waits another one gets in.  # IL-11"""
    ask = asking()
    waiting = ask("PUT")
    assert ask("GET").number == 2
    assert waiting.waits


def test_an_instance_that_asks_for_no_more_gets_none(asking: Callable[..., Ask]) -> None:
    """Others go to a new one, however many come.  # IL-11, CA-13, V3-29"""
    ask = asking()
    waiting = ask("POST")
    assert [ask("GET").number for _ in range(3)] == [1, 2, 3]
    assert waiting.waits


def test_an_instance_takes_requests_again(asking: Callable[..., Ask]) -> None:
    """When its counter is back at 0.  # CA-13"""
    ask = asking(max_instances=1)
    held = ask("DELETE")
    # There is no room for another instance, so these wait until this one lets them in.
    later = [ask("GET") for _ in range(3)]
    assert held.number == 1
    assert sorted(asked.number for asked in later) == [2, 3, 4]


def test_memory_is_limited_for_all_requests_of_an_instance(asking: Callable[..., Ask]) -> None:
    """The one that asks for too much is told -1, the others go on.  # IL-45"""
    ask = asking(max_instance_memory=96 * MIB)
    waiting = ask("PUT")
    assert ask("OPTIONS").number == 2
    assert ask("OPTIONS").number == 0xFFFF_FFFF
    # What one request took is not given back when it ends.
    assert ask("OPTIONS").number == 0xFFFF_FFFF
    assert ask("GET").number == 5
    assert waiting.waits


def test_a_trap_is_told_to_all_requests_of_its_instance(asking: Callable[..., Ask]) -> None:
    """Also to those that only waited; the next one is the first of another.  # IL-20"""
    ask = asking()
    waiting = [ask("PUT") for _ in range(3)]
    assert ask("GET").number == 4
    trapping = ask("HEAD")
    assert "unreachable" in trapping.told
    assert {asked.told for asked in waiting} == {trapping.told}
    assert ask("GET").number == 1


def test_a_loop_ends_all_requests_of_its_instance(asking: Callable[..., Ask]) -> None:
    """When its time is up nothing in that instance can be trusted.  # IL-44"""
    ask = asking(request_timeout_s=0.5)
    assert ask("GET").number == 1
    looping = ask("TRACE")
    assert "timed out" in looping.told or "deadline" in looping.told
    assert ask("GET").number == 1


def test_one_that_waits_too_long_is_told_alone(asking: Callable[..., Ask]) -> None:
    """Its neighbour has its own time; the instance accepts no more.  # IL-40"""
    ask = asking(request_timeout_s=2)
    first = ask("PUT")
    assert first.told == "guest timed out"
    second = ask("PUT")
    assert second.waits
    assert ask("GET").number == 2
    assert second.told == "guest timed out"


def test_requests_are_not_kept_until_their_time_is_up(asking: Callable[..., Ask]) -> None:
    """Once a request is answered, nothing holds it any more."""
    ask = asking(request_timeout_s=600)
    numbers = [ask("GET") for _ in range(20)]
    assert sorted(asked.number for asked in numbers) == [*range(1, 21)]
    # Pruned at the end of a turn, of which this is another one.
    assert ask("GET").number == 21
    asyncio.run(numbers[0].has_gone())
    exchanges = {asked.exchange for asked in numbers}
    gc.collect()
    kept = [each for each in gc.get_objects() if isinstance(each, HandlerCall)]
    assert not [each for each in kept if each.call in exchanges]


@pytest.mark.parametrize("methods", [("PUT", "PUT"), ("POST", "PUT", "DELETE")])
def test_all_whose_time_is_up_are_told(asking: Callable[..., Ask], methods: list[str]) -> None:
    """Also those that wait for an instance, and those whose time is up at once with others'."""
    # IL-40
    ask = asking(request_timeout_s=0.3, least_request_timeout_s=0.05, max_instances=1)
    for _ in range(2):
        asked = [ask(method) for method in methods for _ in range(5)]
        # Those beside one whose time was up wait for what nothing brings any more.
        told = {each.told.partition(",")[0] for each in asked}
        assert "guest timed out" in told
        assert told <= {
            "guest timed out",
            "the handler waits for something that nothing can bring any more",
        }


def test_one_line_says_that_a_time_was_up(asking: Callable[..., Ask]) -> None:
    """Whether the instance ends at once, as one that computes, or waits to its own end."""
    # IL-40, IL-41, IL-44
    with HostLog() as log:
        ask = asking(request_timeout_s=0.3)
        for asked in map(ask, ("PUT", "TRACE")):
            assert "timed out" in asked.told or "deadline" in asked.told
            asyncio.run(asked.has_gone())
    assert log.content.count(b"Error processing request") == 2
    assert b"deadline" in log.content


def test_fuel_is_one_for_all_requests_of_an_instance(asking: Callable[..., Ask]) -> None:
    """What one burns the others lack; the next instance begins with a full tank."""
    ask = asking(fuel=1_000)
    waiting = ask("PUT")
    assert ask("GET").number == 2
    burning = ask("TRACE")
    assert "fuel" in burning.told
    assert waiting.told == burning.told
    # Requests that use a little each use it up as well.
    numbers = []
    while (asked := ask("GET")).told.startswith("guest failed"):
        numbers.append(asked.number)
        assert len(numbers) < 128
    assert numbers == list(range(1, len(numbers) + 1))
    assert "fuel" in asked.told
    assert ask("GET").number == 1
