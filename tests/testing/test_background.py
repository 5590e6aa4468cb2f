"""Background tasks: what is done after the response, and what is not."""

from collections.abc import Iterator

import pytest

from edgezero_spin import App, BackgroundTasks, Kv, Next, NotFound, Request, Response
from edgezero_spin.testing import TestClient


def make_app(done: list[str]) -> App:
    """An app whose handlers leave something to do."""
    app = App(kv=["notes"])

    def note(text: str) -> None:
        done.append(text)

    async def save(kv: Kv, text: str) -> None:
        await kv["notes"].put("text", text)
        done.append(f"saved {text}")

    async def chain(tasks: BackgroundTasks) -> None:
        tasks.add_task(note, "from a task")

    def fail() -> None:
        raise KeyError("lost")

    @app.post("/")
    def handler(tasks: BackgroundTasks, kv: Kv) -> str:
        tasks.add_task(note, text="first")
        tasks.add_task(fail)
        tasks.add_task(save, kv, "x")
        tasks.add_task(chain, tasks)
        assert done == []
        return "sent"

    @app.get("/stream")
    def stream(request: Request) -> Iterator[bytes]:
        def chunks() -> Iterator[bytes]:
            yield b"a"
            request.background.add_task(note, "behind the body")
            yield b"b"

        return chunks()

    @app.get("/missing")
    def missing(tasks: BackgroundTasks) -> None:
        tasks.add_task(note, "never")
        raise NotFound("it")

    return app


def test_tasks_run_in_order_after_the_response(capsys: pytest.CaptureFixture[str]) -> None:
    """One that fails is logged by its name, and those behind it run."""
    done: list[str] = []
    with TestClient(make_app(done)) as client:
        response = client.post("/")
        assert (response.status, response.text) == (200, "sent")
        assert done == ["first", "saved x", "from a task"]
        assert client.kv["notes"].json("text") == "x"
        assert "background task" in response.stderr
        assert "fail failed:" in response.stderr
        assert "KeyError: 'lost'" in response.stderr


def test_tasks_of_a_streamed_body() -> None:
    """They run when it has been sent, those that it added itself too."""
    done: list[str] = []
    with TestClient(make_app(done)) as client:
        with client.stream("GET", "/stream") as response:
            pieces = response.iter_bytes()
            assert next(pieces) == b"a"
            assert done == []
            assert next(pieces) == b"b"
            assert next(pieces, None) is None
        assert done == ["behind the body"]


def test_an_error_drops_them() -> None:
    """What a failed handler put off is not done."""
    done: list[str] = []
    with TestClient(make_app(done)) as client:
        assert client.get("/missing").status == 404
    assert done == []


def test_a_request_that_a_layer_replaced() -> None:
    """The tasks of the one that was answered run."""
    done: list[str] = []
    app = make_app(done)

    @app.middleware
    async def post(request: Request, call_next: Next) -> Response:
        return await call_next(request.replace(method="POST"))

    with TestClient(app) as client:
        assert client.get("/").text == "sent"
    assert done[0] == "first"


def test_a_call_instead_of_a_function() -> None:
    """The usual slip is named when it happens."""

    async def work() -> None: ...

    with pytest.raises(TypeError, match=r"add_task\(f, x\), got <coroutine"):
        BackgroundTasks().add_task(work())  # type: ignore[arg-type]
