"""Handlers that suspend: a component that imports asyncio carries a loop on wasi:io/poll."""

from collections.abc import Iterator

import httpx
import pytest

from tests.component.conftest import Build
from tests.component.servers import embedded


@pytest.fixture(scope="module")
def client(build: Build) -> Iterator[httpx.Client]:
    """A client of the guest ``outbound`` on the embedded host."""
    with (
        embedded(build("outbound")) as server,
        httpx.Client(base_url=server.url, timeout=30) as opened,
    ):
        yield opened


def test_a_sleep_takes_its_time(client: httpx.Client) -> None:
    """The timer is the host's clock: not shorter than asked."""
    assert float(client.get("/sleep/50").text) >= 0.05


def test_tasks_run_together(client: httpx.Client) -> None:
    """A task group works: the request itself runs as a task."""
    assert client.get("/sleeps").json() == [30, 10, 20]


def test_a_timeout_cuts_a_sleep_short(client: httpx.Client) -> None:
    """asyncio.timeout needs a current task, and there is one."""
    assert client.get("/timeout").text == "timed out"


def test_an_async_generator_streams_between_sleeps(client: httpx.Client) -> None:
    """Each chunk comes after its own wait."""
    assert client.get("/ticks/5").text == "0\n1\n2\n3\n4\n"


def test_a_handler_that_waits_for_nothing_is_a_500(client: httpx.Client) -> None:
    """When nothing could wake it, it fails instead of hanging."""
    answer = client.get("/stuck")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (500, "internal")


def test_tasks_left_behind_are_cancelled(client: httpx.Client) -> None:
    """The answer does not wait for a minute's sleep that nobody awaits."""
    assert client.get("/left-behind", timeout=20).text == "answered"


def test_handlers_that_never_suspend_work_there_too(client: httpx.Client) -> None:
    """The loop does not turn for them."""
    assert client.get("/plain").text == "no suspension"


def test_an_app_that_imports_random_gets_fresh_numbers(client: httpx.Client) -> None:
    """Its module was imported before anything could be put off."""
    assert client.get("/random").json() != client.get("/random").json()
