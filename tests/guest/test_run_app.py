"""What ``run_app`` does outside a component, and how coroutines are driven."""

import asyncio
import subprocess
import sys

import pytest

from edgezero_spin.core import App
from edgezero_spin.guest import run_app
from edgezero_spin.guest.drive import run_without_loop, wait


def test_run_app_returns_a_class_natively_that_knows_its_app() -> None:
    """An app module imports without a component, its last line included."""
    app = App()

    @app.get("/")
    async def home() -> str:
        return "x"

    handler = run_app(app)

    assert handler.__name__ == "IncomingHandler"
    assert handler.app is app
    with pytest.raises(RuntimeError, match="edgezero componentize"):
        handler().handle(object(), object())


def test_run_app_refuses_a_handler_that_cannot_be_bound() -> None:
    """A wrong signature fails while the app is built, before any request."""
    app = App()

    @app.get("/{id}")
    async def show(name: dict) -> str:  # type: ignore[type-arg]
        return str(name)

    with pytest.raises(TypeError, match="show"):
        run_app(app)


def test_importing_an_app_natively_loads_no_asyncio() -> None:
    """A hello app gets no event loop, so its component does not carry one."""
    code = (
        "import sys\n"
        "from edgezero_spin import App, run_app\n"
        "app = App()\n"
        "@app.get('/')\n"
        "async def home() -> str: return 'x'\n"
        "run_app(app)\n"
        "print(sorted(m for m in ('asyncio', 'logging', 'wasmtime') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def _answer(value: int) -> int:
    return value


def test_a_coroutine_that_never_suspends_needs_no_loop() -> None:
    """Its result and its error come straight through."""
    assert run_without_loop(_answer(7)) == 7
    assert wait(_answer(8)) == 8


def test_an_error_comes_through_as_it_was_raised() -> None:
    """Driving adds nothing to it."""

    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_without_loop(fail())


def test_a_coroutine_that_suspends_says_how_to_get_a_loop() -> None:
    """The message names the import that brings one, and the coroutine is closed."""
    closed: list[bool] = []

    async def waits() -> None:
        try:
            await asyncio.Future(loop=loop)
        finally:
            closed.append(True)

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError, match="import asyncio"):
            run_without_loop(waits())
    finally:
        loop.close()
    assert closed == [True]
