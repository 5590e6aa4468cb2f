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
from tests.component.servers import manifest

TARGETS = ("/", "/numbers/7", "/stream/3/100", "/request?a=1", "/nowhere")


class Instances(Observer):
    """Keeps what instances used."""

    def __init__(self) -> None:
        self.ended: list[InstanceUsage] = []

    def instance_ended(self, usage: InstanceUsage) -> None:
        """Keep it."""
        self.ended.append(usage)


def memory_after(manifest: Path, engine: Engine, count: int, targets: tuple[str, ...]) -> int:
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
            answer = await asking(targets[number % len(targets)])
            assert answer.status < 500

    with Host.from_manifest(
        manifest,
        settings=settings,
        engine=engine,
        observers=[instances],
        state_dir="",
        log_dir="",
        follow=(),
    ) as host:
        asyncio.run(run(host))
    (usage,) = instances.ended
    return usage.memory_bytes


@pytest.mark.parametrize("wasi", ["0.2", "0.3"])
@pytest.mark.parametrize(
    ("guest", "grants", "targets", "more"),
    [
        pytest.param("behaviours", "", TARGETS, 2000, id="what a request costs"),
        pytest.param(
            "observed",
            'key_value_stores = ["cache"]\n',
            ("/large",),
            60,
            id="bytes that are stored, sent in a header and as a body",
        ),
    ],
)
def test_an_instance_does_not_grow(
    guest: str,
    grants: str,
    targets: tuple[str, ...],
    more: int,
    wasi: Wasi,
    build: Build,
    tmp_path: Path,
) -> None:
    """After many more requests it has the pages that it had after some.

    What one request left behind for good would show: 64 bytes of each of the first are two pages,
    the header value of each of the second eight. One page more or less is chance: the hashes of an
    instance are its own.
    """
    (tmp_path / "runtime-config.toml").write_text(
        '[key_value_store.cache]\ntype = "spin"\npath = "cache.db"\n'
    )
    application = manifest(build(guest, wasi), tmp_path, grants)
    with make_engine(EngineSettings(max_instances=2)) as engine:
        before = memory_after(application, engine, 40, targets)
        assert memory_after(application, engine, 40 + more, targets) <= before + 65536
