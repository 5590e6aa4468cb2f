"""Memory of instances that serve one request after another."""

import asyncio
from pathlib import Path

import pytest

from edgezero_spin.host import ConcurrencyPolicy, Host, HostSettings, ReusePolicy
from edgezero_spin.host.observers import InstanceUsage, Observer
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.project.world import Wasi
from tests.component.conftest import Build
from tests.component.hosts_03 import Asking

TARGETS = ("/", "/numbers/7", "/stream/3/100", "/request?a=1", "/nowhere")


class Instances(Observer):
    """Keeps what instances used."""

    def __init__(self) -> None:
        self.ended: list[InstanceUsage] = []

    def instance_ended(self, usage: InstanceUsage) -> None:
        """Keep it."""
        self.ended.append(usage)


def memory_after(component: Path, engine: Engine, count: int) -> int:
    """Return the linear memory of an instance that served so many requests, in bytes."""
    settings = HostSettings(
        max_instances=1,
        concurrency=ConcurrencyPolicy(least_served=count, most_served=count, idle_timeout_s=600),
        reuse=ReusePolicy(least_served=count, most_served=count, idle_timeout_s=600),
    )
    instances = Instances()

    async def run(host: Host) -> None:
        asking = Asking(host)
        for number in range(count):
            await asking(TARGETS[number % len(TARGETS)])

    with Host.from_component(
        component, settings=settings, engine=engine, observers=[instances]
    ) as host:
        asyncio.run(run(host))
    (usage,) = instances.ended
    return usage.memory_bytes


@pytest.mark.parametrize("wasi", ["0.2", "0.3"])
def test_an_instance_does_not_grow(build: Build, wasi: Wasi) -> None:
    """After two thousand requests it has the pages that it had after two hundred.

    What one request left behind for good, however little, would show: a kilobyte of each is 27
    pages.
    """
    component = build("behaviours", wasi=wasi)
    with make_engine(EngineSettings(max_instances=2)) as engine:
        assert memory_after(component, engine, 2000) == memory_after(component, engine, 200)
