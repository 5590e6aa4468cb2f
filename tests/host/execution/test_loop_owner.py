"""The thread that runs the loop leaves it for quick jobs, and others take over (LIFE-7)."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.execution.instance_pool import ReusePolicy
from edgezero_spin.host.execution.loop_owner import LoopOwner, current_loop_owner
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.http.listening import Listening
from edgezero_spin.host.http.server import serve_async
from edgezero_spin.host.runtime.engine import Engine
from tests.host.support import Capture, HostLog, script_host, until
from tests.host.wire import ANSWERS, WAIT_S, exchange, get, without_date

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run(
    main: Callable[[LoopOwner], "asyncio.Future[None] | object"],
    loop_factory: LoopFactory | None = None,
) -> None:
    """Run ``main(loop_owner)`` in a loop that has one."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        loop_owner = LoopOwner(runner.get_loop())
        loop_owner.run(main(loop_owner))  # type: ignore[arg-type]


def refuse() -> None:
    """What a job that has to be done here has elsewhere."""
    raise AssertionError("was sent elsewhere")


def test_a_job_is_done_by_the_thread_that_runs_the_loop() -> None:
    """Nothing is handed to another thread, and the loop goes on where it was."""
    threads: list[threading.Thread] = []

    async def main(loop_owner: LoopOwner) -> None:
        assert current_loop_owner() is loop_owner
        done = asyncio.Event()

        def job() -> None:
            assert current_loop_owner() is None
            threads.append(threading.current_thread())
            loop_owner.post(done.set)

        for _ in range(3):
            loop_owner.run_soon(job, refuse)
            await asyncio.wait_for(done.wait(), WAIT_S)
            done.clear()
        threads.append(threading.current_thread())

    run(main)
    assert len(threads) == 4
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert current_loop_owner() is None


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_what_the_coroutine_raises_comes_out(error: BaseException) -> None:
    """Also what is not an ``Exception``, and the threads end."""

    async def main(loop_owner: LoopOwner) -> None:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(type(error)) as caught:
        run(main)
    assert caught.value is error


@pytest.mark.parametrize("sleeps", [False, True], ids=["computes", "sleeps"])
def test_another_thread_leads_while_a_job_takes_its_time(sleeps: bool) -> None:
    """The loop goes on, jobs behind it go elsewhere, and its callbacks still run."""
    go_on = threading.Event()
    elsewhere = threading.Event()

    async def main(loop_owner: LoopOwner) -> None:
        heard = asyncio.Event()
        threads = [threading.current_thread()]

        def job() -> None:
            if sleeps:
                loop_owner.yield_loop()
                loop_owner.yield_loop()
            go_on.wait(WAIT_S)
            loop_owner.post(heard.set)

        loop_owner.run_soon(job, refuse)
        loop_owner.run_soon(refuse, elsewhere.set)
        await until(elsewhere.is_set)
        assert current_loop_owner() is loop_owner
        threads.append(threading.current_thread())
        assert threads[0] is not threads[1]
        # The new owner leaves the loop like the one before.
        again = asyncio.Event()
        loop_owner.run_soon(lambda: loop_owner.post(again.set), refuse)
        await asyncio.wait_for(again.wait(), WAIT_S)
        assert not heard.is_set()
        go_on.set()
        await asyncio.wait_for(heard.wait(), WAIT_S)
        await asyncio.to_thread(threads[0].join, WAIT_S)
        assert not threads[0].is_alive()

    run(main)


def test_callbacks_of_a_job_that_is_replaced_are_not_lost() -> None:
    """What it told before another thread took over is told in the loop at once."""
    go_on = threading.Event()

    async def main(loop_owner: LoopOwner) -> None:
        heard = asyncio.Event()

        def job() -> None:
            loop_owner.post(heard.set)
            go_on.wait(WAIT_S)

        loop_owner.run_soon(job, refuse)
        await asyncio.wait_for(heard.wait(), WAIT_S)
        go_on.set()

    run(main)


@pytest.mark.parametrize("moment", ["before the end", "in the last round", "after the end"])
def test_what_is_posted_when_the_loop_ends_is_done_once(moment: str) -> None:
    """In the loop or elsewhere, whichever round it comes in."""
    done: list[str] = []
    owners: list[LoopOwner] = []

    def post() -> None:
        owners[0].post_or(lambda: done.append("in the loop"), lambda: done.append("elsewhere"))

    async def main(loop_owner: LoopOwner) -> None:
        owners.append(loop_owner)
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        if moment == "before the end":
            post()
        elif moment == "in the last round":
            # Behind the owner's own callback, which has just stopped the loop.
            task.add_done_callback(lambda _: post())

    run(main)
    if moment == "after the end":
        post()
    assert done == ["in the loop" if moment == "before the end" else "elsewhere"]


def test_what_the_last_job_posts_is_done_elsewhere() -> None:
    """It runs in place of a loop that has been stopped for good."""
    done: list[str] = []

    async def main(loop_owner: LoopOwner) -> None:
        def job() -> None:
            loop_owner.post_or(refuse, lambda: done.append("elsewhere"))

        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: loop_owner.run_soon(job, refuse))

    run(main)
    assert done == ["elsewhere"]


def test_jobs_without_end_leave_the_loop_its_turn() -> None:
    """A job that asks for the next one does not keep the loop from its timers."""

    async def main(loop_owner: LoopOwner) -> None:
        going = True

        def job() -> None:
            if going:
                loop_owner.post(lambda: loop_owner.run_soon(job, job))

        for _ in range(100):
            loop_owner.run_soon(job, job)
        await asyncio.sleep(0.02)
        going = False

    run(main)


@pytest.mark.parametrize("module", ["asyncio", "uvloop"])
def test_many_owners_lose_nothing(module: str) -> None:
    """Connections outlive their owners, of whom the slow and the sleepy are replaced."""
    loop_factory: LoopFactory = pytest.importorskip(module).new_event_loop
    owners: set[threading.Thread] = set()

    async def answer(
        loop_owner: LoopOwner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        never = threading.Event()
        while kind := await reader.read(1):
            done = asyncio.Event()

            def job(kind: bytes = kind, done: asyncio.Event = done) -> None:
                if kind == b"h":
                    loop_owner.yield_loop()
                if kind in b"sh":
                    never.wait(0.02)
                loop_owner.post(done.set)

            loop_owner.run_soon(job, threading.Thread(target=job).start)
            await done.wait()
            owners.add(threading.current_thread())
            writer.write(kind)
        writer.close()

    async def ask(port: int, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in range(number, number + 120):
            kind = b"s" if turn % 37 == 0 else b"h" if turn % 41 == 0 else b"q"
            writer.write(kind)
            assert await reader.readexactly(1) == kind
        writer.close()

    async def main(loop_owner: LoopOwner) -> None:
        server = await asyncio.start_server(
            lambda reader, writer: answer(loop_owner, reader, writer), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(4 * WAIT_S), asyncio.TaskGroup() as clients:
            for number in range(8):
                clients.create_task(ask(port, number))
        server.close()

    run(main, loop_factory)
    assert len(owners) > 2


@contextlib.contextmanager
def served(host: Host) -> Iterator[Listening]:
    """Serve as ``serve`` does, in another thread."""
    listening: list[Listening] = []
    ready = threading.Event()
    stops: list[Callable[[], object]] = []

    def on_listening(where: Listening) -> None:
        listening.append(where)
        ready.set()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        await serve_async(host, "127.0.0.1:0", on_listening=on_listening, stop=stop)

    server = threading.Thread(target=run, args=(lambda loop_owner: main(),))
    server.start()
    try:
        assert ready.wait(WAIT_S)
        yield listening[0]
    finally:
        stops[0]()
        server.join(WAIT_S)
    assert not server.is_alive()


class Reused:
    """A host whose instances are used again, warm enough for requests to be run here.

    Attributes:
        here: Names of the threads that ran requests in a place that was reserved.
    """

    def __init__(self, engine: Engine, echo: Capture, **settings: object) -> None:
        self.here: list[str] = []
        self.host = script_host(
            engine,
            settings=HostSettings(
                cache_dir=None,
                reuse=ReusePolicy(least_served=99, most_served=99),
                **settings,  # type: ignore[arg-type]
            ),
            logs=Logs(None, echo_to=echo),
        )
        run_reserved = self.host._pool.run_reserved

        def spy(job: Callable[[], None]) -> bool:
            self.here.append(threading.current_thread().name)
            return run_reserved(job)

        self.host._pool.run_reserved = spy  # type: ignore[method-assign]


@contextlib.contextmanager
def reused(engine: Engine, **settings: object) -> Iterator[tuple[Reused, Listening, Capture]]:
    """A server of such a host after its first request."""
    echo = Capture()
    reused = Reused(engine, echo, **settings)
    with reused.host, served(reused.host) as where:
        assert asyncio.run(exchange(where, get("/h"))).startswith(b"HTTP/1.1 200 ")
        assert reused.here == []
        asyncio.run(until(lambda: reused.host.waiting == 1))
        yield reused, where, echo


@pytest.mark.parametrize(("request_bytes", "expected"), ANSWERS)
def test_bytes_on_the_wire(shared_engine: Engine, request_bytes: bytes, expected: bytes) -> None:
    """They are the same, whichever thread runs the guest, and those of the request behind too."""
    with reused(shared_engine) as (host, where, _), HostLog():
        answer = asyncio.run(exchange(where, request_bytes))
        assert without_date(answer) == expected.split(b"|")
        if b"health" not in request_bytes and b"Host" in request_bytes:
            assert host.here == ["edgezero-loop"]
        assert asyncio.run(exchange(where, get("/c"))).endswith(b"hello")


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        pytest.param("/b", b"HTTP/1.1 500 ", id="endless loop"),
        pytest.param("/B", b"HTTP/1.1 200 ", id="endless loop after the head"),
        pytest.param("/s", b"HTTP/1.1 500 ", id="endless sleep"),
        pytest.param("/q", b"HTTP/1.1 200 ", id="sleep after the head"),
    ],
)
def test_a_request_that_is_not_quick_holds_up_no_other(
    shared_engine: Engine, target: str, answer: bytes
) -> None:
    """Others are answered while it runs, by the same loop on another thread (CONF-46)."""

    async def scenario(host: Reused, where: Listening) -> None:
        slow = asyncio.create_task(exchange(where, get(target)))
        await until(lambda: bool(host.here))
        for _ in range(2):
            assert (await exchange(where, get("/c"))).endswith(b"hello")
        # The endless ones run until their time is up.
        assert not slow.done() or target == "/q"
        assert (await slow).startswith(answer)

    with reused(shared_engine, request_timeout_s=1.5) as (host, where, _), HostLog():
        asyncio.run(scenario(host, where))
        # The next ones are not tried there.
        assert host.here == ["edgezero-loop"]
        asyncio.run(until(lambda: host.host.idle))


def test_a_body_larger_than_the_budget_is_passed_on(shared_engine: Engine) -> None:
    """A guest that waits for its client, on the thread of the loop, is not waited for."""

    async def scenario(where: Listening) -> None:
        reader, writer = await asyncio.open_connection(where.host, where.port, limit=1000)
        writer.write(b"GET /z HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(reader.readexactly(8_000_000), WAIT_S)
        writer.transport.abort()

    with reused(shared_engine) as (host, where, echo):
        asyncio.run(scenario(where))
        assert host.here == ["edgezero-loop"]
        assert echo.wait_for(b"closed\n")


def test_pipelined_requests_are_answered_in_order(shared_engine: Engine) -> None:
    """Each begins when the one before it has ended."""
    requests = b"GET /c HTTP/1.1\r\nHost: a\r\n\r\nGET /n HTTP/1.1\r\nHost: a\r\n\r\n" + get("/h")
    with reused(shared_engine) as (host, where, _):
        answer = asyncio.run(exchange(where, requests))
        assert [line for line in answer.split(b"\r\n") if b"HTTP/1.1" in line] == [
            b"HTTP/1.1 201 Created",
            b"helloHTTP/1.1 200 OK",
            b"HTTP/1.1 200 OK",
        ]
        assert host.here == ["edgezero-loop"] * 3


def test_closing_a_host_waits_for_a_guest_on_the_loops_thread(shared_engine: Engine) -> None:
    """A guest that still runs when the server is gone is stopped before its engine is."""
    with reused(shared_engine) as (host, where, _), HostLog():

        async def leave() -> None:
            _, writer = await asyncio.open_connection(where.host, where.port)
            writer.write(b"GET /s HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: bool(host.here))
            writer.transport.abort()

        asyncio.run(leave())
        assert host.host.running == 1
    assert host.host.running == 0
    assert host.host.idle
