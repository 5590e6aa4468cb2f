"""Blocking calls of host functions, on threads of a loop."""

import threading
from concurrent.futures import Future
from contextlib import ExitStack

from edgezero_spin.host.exchange.loops import LoopThread
from edgezero_spin.host.factors.blocking import MAX_THREADS, in_thread, with_service_threads


def test_calls_of_one_application_do_not_wait_for_those_of_another() -> None:
    """As many as there may be hang in the first; the second one's is answered."""
    hanging, answered = threading.Event(), Future[str]()

    async def hang() -> None:
        await in_thread(hanging.wait)

    async def answer() -> None:
        answered.set_result(await in_thread(lambda: "answered"))

    with ExitStack() as ended:
        busy, other = (LoopThread(name, begin=with_service_threads) for name in ("busy", "other"))
        for loop in (busy, other):
            ended.callback(loop.close, 20)
        ended.callback(hanging.set)
        for _ in range(MAX_THREADS):
            busy.submit(hang())
        other.submit(answer())
        assert answered.result(20) == "answered"
