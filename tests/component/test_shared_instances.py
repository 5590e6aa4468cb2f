"""Instances of WASI 0.3 that requests share: which one a request gets, and how they end."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from edgezero_spin.host import ConcurrencyPolicy, Host, HostSettings, HttpRequest, Switch
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from tests.component.hosts_03 import PATIENCE_S, Asked, Asking, until

Work = Callable[[Asking], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One for all hosts here."""
    with make_engine(EngineSettings(max_instances=80)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests wait for their instance: on a busy machine it may look as if it computed."""
    monkeypatch.setattr("edgezero_spin.host.execution.concurrent.PATIENCE_S", PATIENCE_S)


@pytest.fixture
def run(raw_03: Path, engine: Engine) -> Run:
    """Have something done with a host of the guest, with these settings."""

    def work_with(work: Work, **settings: object) -> None:
        async def whole() -> None:
            given = HostSettings(**settings)  # type: ignore[arg-type]
            with Host.from_component(raw_03, settings=given, engine=engine) as host:
                await work(Asking(host))

        asyncio.run(whole())

    return work_with


async def together(ask: Asking, target: str, count: int) -> list[Asked]:
    """Ask so many times at once."""
    return list(await asyncio.gather(*[ask(target) for _ in range(count)]))


def names_of(answers: list[Asked]) -> set[str]:
    """The instances that answered."""
    assert {answer.status for answer in answers} == {200}
    return {answer.text for answer in answers}


async def gone(ask: Asking) -> None:
    """Wait until no instance is left."""

    async def none_left() -> bool:
        return not ask.host.running and not ask.host.waiting

    await until(none_left)


def test_an_instance_serves_128_requests(run: Run) -> None:
    """Two hundred, one after the other: two instances.  # IL-1, V3-18"""

    async def work(ask: Asking) -> None:
        counts = [await ask.count() for _ in range(200)]
        assert [served for _, served in counts] == [*range(1, 129), *range(1, 73)]
        assert len({name for name, _ in counts}) == 2

    run(work)


def test_how_many_may_be_said(run: Run) -> None:
    """Three requests, one at a time.  # IL-1, IL-2, IL-5"""
    policy = ConcurrencyPolicy(least_served=3, most_served=3, least_concurrent=1, most_concurrent=1)

    async def work(ask: Asking) -> None:
        counts = [await ask.count() for _ in range(6)]
        assert [served for _, served in counts] == [1, 2, 3, 1, 2, 3]
        assert len(names_of(await together(ask, "/sleep/50", 4))) == 4

    run(work, concurrency=policy)


@pytest.mark.parametrize(("count", "instances"), [(16, 1), (17, 2), (100, 7)])
def test_requests_that_wait_share_an_instance(run: Run, count: int, instances: int) -> None:
    """Sixteen in each.  # IL-2, IL-11, IL-13, V3-19, V3-20"""

    async def work(ask: Asking) -> None:
        await ask.count()
        # Longer than all of them need to begin.
        assert len(names_of(await together(ask, "/sleep/3000", count))) == instances

    run(work)


def test_requests_that_compute_do_not(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is in another instance, where processors or time allow.  # IL-12, V3-21"""
    # With the patience that a host has.
    monkeypatch.undo()

    async def work(ask: Asking) -> None:
        assert len(names_of(await together(ask, "/spin/300", 4))) > 1

    run(work, parallel=4)


def test_a_request_with_a_head_counts_no_more(run: Run) -> None:
    """Twenty bodies run in one instance.  # IL-2, V3-22"""

    async def work(ask: Asking) -> None:
        name, _ = await ask.count()
        open_ = []
        for _ in range(20):
            open_.append(await ask.host.handle(HttpRequest("GET", "/stream/1000/20")))
        assert (await ask.count())[0] == name
        for answer in open_:
            await answer.aclose()

    run(work)


def test_an_idle_instance_ends(run: Run) -> None:
    """After its time, which a request in between begins anew.  # IL-3, IL-24, V3-23"""
    policy = ConcurrencyPolicy(idle_timeout_s=0.3)

    async def work(ask: Asking) -> None:
        begun = time.monotonic()
        first = await ask.count()
        await asyncio.sleep(0.2)
        second = await ask.count()
        if time.monotonic() - begun < 0.3:
            assert second == (first[0], 2)
        await gone(ask)
        assert time.monotonic() - begun > 0.3
        assert (await ask.count())[0] not in (first[0], second[0])

    run(work, concurrency=policy)


def test_an_instance_that_may_not_be_idle(run: Run) -> None:
    """It ends with its last request, and still serves those that come meanwhile.  # IL-3"""
    policy = ConcurrencyPolicy(idle_timeout_s=0)

    async def work(ask: Asking) -> None:
        waiting = asyncio.create_task(ask("/sleep/500"))
        await asyncio.sleep(0)
        name, served = await ask.count()
        assert served == 2
        assert (await waiting).text == name
        await gone(ask)
        assert await ask.count() != (name, 3)

    run(work, concurrency=policy)


def test_a_trap_ends_all_requests_of_its_instance(run: Run) -> None:
    """Those without a response get a 500, bodies break off, the next has a new one.

    IL-20, WH-36, V3-25.
    """

    async def work(ask: Asking) -> None:
        name, _ = await ask.count()
        streamed = await ask.host.handle(HttpRequest("GET", "/stream/1000/20"))
        waiting = [asyncio.create_task(ask("/sleep/20000")) for _ in range(3)]
        await ask.served(6)
        answers = [await ask("/trap"), *await asyncio.gather(*waiting)]
        assert [answer.status for answer in answers] == [500] * 4
        with pytest.raises(Exception, match="unreachable"):
            await streamed.read()
        after = await ask.count()
        assert after[0] != name
        assert after[1] == 1

    run(work)


def test_work_after_the_response(run: Run) -> None:
    """It keeps the instance, which takes more requests meanwhile.  # IL-23, IL-25"""
    policy = ConcurrencyPolicy(idle_timeout_s=0.05)

    async def work(ask: Asking) -> None:
        name = (await ask("/late/1000")).text
        assert (await ask.count())[0] == name
        await asyncio.sleep(0.2)
        assert ask.host.running == 1
        await ask.noted("late work")
        assert (await ask.count())[0] == name
        await gone(ask)

    run(work, concurrency=policy)


def test_a_client_that_leaves_before_the_response(run: Run) -> None:
    """Its handler runs to its end, and the instance goes on.  # IL-27, V3-30"""

    async def work(ask: Asking) -> None:
        name, _ = await ask.count()
        left = asyncio.create_task(ask("/note-after/200"))
        await ask.served(3)
        left.cancel()
        await ask.noted("answered nobody")
        assert (await ask.count())[0] == name

    run(work)


def test_a_handler_that_waits_too_long(run: Run) -> None:
    """A 500 when its time is up; its neighbour goes on, the instance takes no more.

    IL-40, V3-27.
    """

    async def work(ask: Asking) -> None:
        name, _ = await ask.count()
        late = asyncio.create_task(ask("/sleep/20000"))
        # Begun before the other's time is up, done after it, and far from the end of its own.
        await asyncio.sleep(1.2)
        neighbour = asyncio.create_task(ask("/sleep/500"))
        answer = await late
        assert (answer.status, answer.text) == (500, "")
        assert (await neighbour).text == name
        assert (await ask.count())[0] != name

    run(work, request_timeout_s=1.5)


def test_what_follows_the_last_response_has_its_time(run: Run) -> None:
    """A body that runs on for longer is broken off.  # IL-41, WH-36, V3-28"""

    async def work(ask: Asking) -> None:
        answer = await ask("/stream/1000/20")
        assert answer.status == 200
        assert answer.broken is not None
        assert "timed out" in answer.broken
        await gone(ask)

    run(work, request_timeout_s=0.3)


def test_a_loop_in_a_handler_ends_its_instance(run: Run) -> None:
    """The deadline holds in wasm as well.  # IL-44"""

    async def work(ask: Asking) -> None:
        name, _ = await ask.count()
        assert (await ask("/loop")).status == 500
        await gone(ask)
        assert (await ask.count())[0] != name

    run(work, request_timeout_s=0.3)


def test_a_handler_that_blocks_is_reported(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others go to another instance, and the log says why.  # IL-12, SK-43"""
    monkeypatch.undo()

    async def work(ask: Asking) -> None:
        name, _ = await ask.count()
        blocked = asyncio.create_task(ask("/spin/2500"))

        async def elsewhere() -> bool:
            return (await ask.count())[0] != name

        async def reported() -> bool:
            return "handlers of WASI 0.3 share a thread" in caplog.text

        await until(elsewhere)
        await until(reported)
        assert not blocked.done()
        assert (await blocked).text == name

    run(work, parallel=4)


def test_a_handler_that_nothing_can_wake(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """The last request of an instance that waits for ever is told so.  # WH-41"""
    policy = ConcurrencyPolicy(least_served=1, most_served=1)

    async def work(ask: Asking) -> None:
        assert (await ask("/stuck")).status == 500
        assert "waits for something that nothing can bring any more" in caplog.text
        await gone(ask)

    run(work, concurrency=policy)


def test_a_body_left_open(run: Run) -> None:
    """It is broken off once its instance has been idle for its time.  # IL-25, O3-10, WH-36"""
    policy = ConcurrencyPolicy(idle_timeout_s=0.1)

    async def work(ask: Asking) -> None:
        answer = await ask("/open")
        assert (answer.status, answer.text) == (200, "")
        assert answer.broken is not None
        assert "left a response body" in answer.broken
        await gone(ask)

    run(work, concurrency=policy)


def test_a_host_that_closes_ends_what_waits(raw_03: Path, engine: Engine) -> None:
    """Nobody hangs.  # IL-30"""

    async def work() -> None:
        host = Host.from_component(raw_03, engine=engine)
        ask = Asking(host)
        await ask.count()
        waiting = [asyncio.create_task(ask("/sleep/20000")) for _ in range(3)]
        await ask.served(5)
        await asyncio.to_thread(host.close)
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [500] * 3
        assert host.running == host.waiting == 0

    asyncio.run(work())


def test_a_host_that_is_replaced_answers_what_it_has(raw_03: Path, engine: Engine) -> None:
    """Requests of one instance end where they began, and then the host does."""

    async def work() -> None:
        first = Host.from_component(raw_03, engine=engine)
        switch = Switch(first)
        ask = Asking(first)
        name, _ = await ask.count()

        async def through(target: str) -> str:
            return (await (await switch.handle(HttpRequest("GET", target))).read()).decode()

        before = [asyncio.create_task(through("/sleep/400")) for _ in range(3)]
        await ask.served(5)
        replacing = asyncio.create_task(switch.replace(Host.from_component(raw_03, engine=engine)))
        await asyncio.sleep(0)
        assert not (await through("/count")).startswith(name)
        assert await asyncio.gather(*before) == [name] * 3
        assert await replacing
        await switch.close()

    asyncio.run(work())


def test_more_requests_than_places_wait(run: Run) -> None:
    """Two instances of two requests each serve eight; the ninth is refused.  # IL-15"""
    policy = ConcurrencyPolicy(least_concurrent=2, most_concurrent=2)

    async def work(ask: Asking) -> None:
        asked = [asyncio.create_task(ask("/sleep/200")) for _ in range(9)]
        answers = await asyncio.gather(*asked)
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [200] * 8 + [503]
        assert len({answer.text for answer in answers if answer.status == 200}) == 2

    run(work, concurrency=policy, max_instances=2, max_queued=4)
