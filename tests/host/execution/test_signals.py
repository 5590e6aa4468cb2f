"""Signals reach a server whose loop runs on another thread (LIFE-10)."""

import asyncio
import signal
import sys
import threading

from edgezero_spin.host.execution.signals import MainThreadSignals, loop_signals
from tests.host.support import until


def test_a_signal_from_before_the_server_is_there_is_not_lost() -> None:
    """It is handled when there is something to handle it, in order with those that follow."""
    came: list[int] = []
    before = signal.getsignal(signal.SIGTERM)

    with asyncio.Runner() as runner:
        signals = MainThreadSignals(runner.get_loop())

        async def serve() -> None:
            with signals.handling(lambda number, frame: came.append(number)):
                assert came == [signal.SIGTERM]
                signal.raise_signal(signal.SIGINT)
                await until(lambda: len(came) == 2)
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0)

        with signals.taken():
            signal.raise_signal(signal.SIGTERM)
            runner.run(serve())
    assert came == [signal.SIGTERM, signal.SIGINT]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_is_heard_while_the_main_thread_sleeps() -> None:
    """It need not wake up for it: whichever thread the system interrupts, the loop reads a byte."""
    came: list[int] = []
    heard = threading.Event()
    over = threading.Lock()
    over.acquire()

    def asleep() -> bool:
        return over.acquire(timeout=30)

    def take(number: int, frame: object) -> None:
        came.append(number)
        heard.set()
        over.release()

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        signals = MainThreadSignals(loop)
        ready = threading.Event()
        main = threading.get_ident()

        async def serve() -> None:
            with signals.handling(take):
                ready.set()
                await until(heard.is_set)

        def send() -> None:
            ready.wait()
            while sys._current_frames()[main].f_code is not asleep.__code__:
                pass
            # To this thread: the main thread goes on waiting for its lock.
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

        with signals.taken():
            threads = [
                threading.Thread(target=loop.run_until_complete, args=(serve(),)),
                threading.Thread(target=send),
            ]
            for thread in threads:
                thread.start()
            assert asleep()
            for thread in threads:
                thread.join()
    assert came == [signal.SIGTERM]


def test_another_thread_takes_no_signals() -> None:
    """A server in a thread leaves them to the program, and starts all the same."""
    before = signal.getsignal(signal.SIGTERM)
    found: list[object] = []

    def serve() -> None:
        with asyncio.Runner() as runner:
            signals = MainThreadSignals(runner.get_loop())

            async def look() -> None:
                def nothing(number: int, frame: object) -> None:
                    return

                with signals.handling(nothing), loop_signals(nothing):
                    found.append(signal.getsignal(signal.SIGTERM))

            with signals.taken():
                runner.run(look())

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    assert found == [before]
