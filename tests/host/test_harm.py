"""What one request does to itself it does to no other (LIFE-6 to LIFE-9, CONF-46)."""

import asyncio

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest, ResponseAborted
from edgezero_spin.host.execution.instance_pool import ReusePolicy
from edgezero_spin.host.runtime.engine import Engine
from tests.host.support import HostLog, script_host

MIB = 1024 * 1024


async def status_of(host: Host, target: str) -> int:
    """Status, or -1 for a body that broke off."""
    response = await host.handle(HttpRequest(target=target))
    try:
        await response.read()
    except ResponseAborted:
        return -1
    return response.status


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/b", 500, id="endless loop"),
        pytest.param("/B", -1, id="endless loop after the head"),
        pytest.param("/s", 500, id="endless sleep"),
        pytest.param("/M", 500, id="memory bomb"),
        pytest.param("/S", 200, id="ten thousand handles"),
        pytest.param("/t", 500, id="trap"),
    ],
)
@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(ReusePolicy(), id="fresh"),
        pytest.param(ReusePolicy(ready=1, least_served=99, most_served=99), id="reused"),
    ],
)
def test_harm_stays_with_its_request(
    shared_engine: Engine, policy: ReusePolicy, target: str, status: int
) -> None:
    """Others are answered meanwhile, and the harmful one within 2 s (CONF-46)."""
    settings = HostSettings(
        cache_dir=None,
        request_timeout_s=0.3,
        max_instance_memory=16 * MIB,
        parallel=2,
        reuse=policy,
    )

    async def scenario(host: Host) -> tuple[int, list[int]]:
        harm = asyncio.create_task(status_of(host, target))
        others = [await status_of(host, "/h") for _ in range(5)]
        return await harm, others

    with script_host(shared_engine, settings=settings) as host, HostLog():
        assert asyncio.run(scenario(host)) == (status, [200] * 5)


def test_a_crowd_of_endless_loops_is_survived(shared_engine: Engine) -> None:
    """More of them than may compute at once, and others still get through."""
    settings = HostSettings(
        cache_dir=None, request_timeout_s=0.2, parallel=1, max_instances=16, max_queued=64
    )

    async def scenario(host: Host) -> tuple[list[int], list[int]]:
        harm = [asyncio.create_task(status_of(host, "/b")) for _ in range(8)]
        others = await asyncio.gather(*(status_of(host, "/h") for _ in range(4)))
        return await asyncio.gather(*harm), others

    with script_host(shared_engine, settings=settings) as host, HostLog():
        assert asyncio.run(scenario(host)) == ([500] * 8, [200] * 4)
