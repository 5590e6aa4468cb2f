"""Instances made ahead of time, and instances that serve more than one request."""

import asyncio
import math
import random

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest, ResponseAborted
from edgezero_spin.host.execution import instance_pool
from edgezero_spin.host.execution.instance_pool import ReusePolicy
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from tests.host.support import HostLog, script_host, until


async def statuses(host: Host, *targets: str) -> list[int]:
    """Send requests one after the other, each when the one before has ended entirely."""
    found = []
    for target in targets:
        response = await host.handle(HttpRequest(target=target))
        found.append(response.status)
        try:
            await response.read()
        except ResponseAborted:
            found[-1] = -1
        await until(lambda: host.running == 0 and host.computing == 0)
    return found


def run(engine: Engine, policy: ReusePolicy, *targets: str, **settings: object) -> list[int]:
    """``statuses`` of a host of its own."""
    made = HostSettings(cache_dir=None, parallel=1, reuse=policy, **settings)  # type: ignore[arg-type]
    with script_host(engine, settings=made) as host:
        return asyncio.run(statuses(host, *targets))


@pytest.mark.parametrize(
    ("policy", "targets", "expected"),
    [
        # LIFE-2: what one request leaves behind no other meets.
        pytest.param(ReusePolicy(), ["/g"] * 3, [200, 200, 200], id="fresh"),
        pytest.param(ReusePolicy(ready=2), ["/g"] * 4, [200] * 4, id="ready"),
        # FLAG-6
        pytest.param(
            ReusePolicy(most_served=3, least_served=3), ["/g"] * 4, [200, 201, 202, 200], id="3"
        ),
        pytest.param(
            ReusePolicy(ready=1, most_served=2, least_served=2),
            ["/g"] * 3,
            [200, 201, 200],
            id="ready, then used",
        ),
        pytest.param(
            ReusePolicy(most_served=9, least_served=9, most_kept=0),
            ["/g"] * 2,
            [200, 200],
            id="none kept",
        ),
    ],
)
def test_how_many_requests_an_instance_serves(
    shared_engine: Engine, policy: ReusePolicy, targets: list[str], expected: list[int]
) -> None:
    """The guest counts: its memory is its own as long as it lives, and no longer."""
    assert run(shared_engine, policy, *targets) == expected


@pytest.mark.parametrize(
    ("failing", "status"),
    [
        pytest.param("/t", 500, id="trap"),
        pytest.param("/T", -1, id="late trap"),
        pytest.param("/r", 500, id="no answer"),
        pytest.param("/u", -1, id="unfinished body"),
        pytest.param("/x", 500, id="exit"),
    ],
)
def test_an_instance_that_failed_serves_no_more(
    shared_engine: Engine, failing: str, status: int
) -> None:
    """Whatever it left behind, the next request gets a fresh one."""
    policy = ReusePolicy(least_served=9, most_served=9)
    with HostLog():
        assert run(shared_engine, policy, "/g", failing, "/g") == [200, status, 200]


def test_a_deadline_begins_with_each_request(shared_engine: Engine) -> None:
    """An instance that waited for its request has its whole time before it (LIFE-7)."""
    policy = ReusePolicy(ready=1, least_served=9, most_served=9)
    settings = HostSettings(cache_dir=None, parallel=1, reuse=policy, request_timeout_s=0.5)

    async def scenario(host: Host) -> list[int]:
        await until(lambda: host.waiting == 1)
        # Longer than a request may take: waiting is not the guest's time.
        await asyncio.sleep(0.6)
        first = await statuses(host, "/g")
        await asyncio.sleep(0.6)
        return [*first, *await statuses(host, "/g", "/b", "/g")]

    with script_host(shared_engine, settings=settings) as host, HostLog():
        assert asyncio.run(scenario(host)) == [200, 201, 500, 200]


def test_ready_instances_make_way() -> None:
    """They never keep a request from an instance, and none of them outlives the host."""
    with make_engine(EngineSettings(max_instances=3, memory_keep_resident_bytes=0)) as engine:
        settings = HostSettings(
            cache_dir=None, max_instances=3, parallel=3, reuse=ReusePolicy(ready=2)
        )

        async def scenario(host: Host) -> None:
            await until(lambda: host.waiting == 2)
            open_responses = [await host.handle(HttpRequest(target="/q")) for _ in range(3)]
            assert [response.status for response in open_responses] == [200] * 3
            for response in open_responses:
                assert await response.read() == b"hello"

        with script_host(engine, settings=settings) as host:
            asyncio.run(scenario(host))
        assert host.waiting == 0
        # All three slots are free again.
        with script_host(engine, settings=HostSettings(cache_dir=None, parallel=3)) as host:
            asyncio.run(three_at_once(host))


async def three_at_once(host: Host) -> None:
    """Three instances at once."""
    responses = await asyncio.gather(*(host.handle(HttpRequest(target="/q")) for _ in range(3)))
    assert [response.status for response in responses] == [200] * 3
    for response in responses:
        await response.read()


@pytest.mark.parametrize(
    "fields", [{"ready": -1}, {"least_served": 0}, {"least_served": 3, "most_served": 2}]
)
def test_a_policy_that_makes_no_sense(fields: dict[str, int]) -> None:
    """Refused when it is made."""
    with pytest.raises(ValueError, match=next(iter(fields))):
        ReusePolicy(**fields)


def test_each_instance_draws_its_number() -> None:
    """Between the two ends, both included (FLAG-6)."""
    policy = ReusePolicy(least_served=2, most_served=4)
    assert {policy.draw() for _ in range(200)} == {2, 3, 4}


def test_a_used_instance_does_not_wait_for_ever(shared_engine: Engine) -> None:
    """It is closed when nobody needed it for its time, and the next request gets another."""
    policy = ReusePolicy(least_served=9, most_served=9, idle_timeout_s=0.1)
    settings = HostSettings(cache_dir=None, parallel=1, reuse=policy)

    async def scenario(host: Host) -> list[int]:
        first = await statuses(host, "/g", "/g")
        await until(lambda: host.waiting == 1)
        await until(lambda: host.waiting == 0)
        return [*first, *await statuses(host, "/g")]

    with script_host(shared_engine, settings=settings) as host:
        assert asyncio.run(scenario(host)) == [200, 201, 200]


def test_each_wait_draws_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two ends (FLAG-7)."""
    monkeypatch.setattr(instance_pool, "monotonic", lambda: 100.0)
    policy = ReusePolicy(idle_timeout_s=3, least_idle_timeout_s=2)
    waits = {policy.idle_until() for _ in range(50)}
    assert len(waits) > 10
    assert 102 <= min(waits) <= max(waits) <= 103
    assert ReusePolicy().idle_until() == 101
    assert ReusePolicy(idle_timeout_s=math.inf).idle_until() == math.inf


def test_each_request_draws_its_time(
    shared_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two ends; the shorter time ends a loop long before the longer (FLAG-7)."""
    drawn: list[tuple[float, float]] = []

    def uniform(least: float, most: float) -> float:
        drawn.append((least, most))
        return least

    monkeypatch.setattr(random, "uniform", uniform)
    settings = HostSettings(cache_dir=None, request_timeout_s=600.0, least_request_timeout_s=0.1)
    with script_host(shared_engine, settings=settings) as host, HostLog():
        assert asyncio.run(statuses(host, "/b", "/g")) == [500, 200]
    assert drawn == [(0.1, 600.0)] * 2
