"""Wagi: what a command sees of a request, and what becomes of what it prints."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgezero_spin.errors import HostError
from edgezero_spin.host import Host, HostSettings, HttpRequest, HttpResponse
from edgezero_spin.host.compat import wagi
from edgezero_spin.host.compat.wagi import WagiSettings
from edgezero_spin.host.errors import ComponentError, HandlerError, LinkError
from edgezero_spin.host.factors.command import Command
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.wasi.filesystem.descriptors import DirectoryMount
from edgezero_spin.host.http.trigger import HttpEntry, HttpTriggers
from edgezero_spin.host.load.plan import ApplicationPlan, ComponentPlan
from edgezero_spin.host.runtime.compiled_cache import CompiledCache
from edgezero_spin.host.runtime.engine import Engine
from tests.host.compat import commands
from tests.host.compat.commands import HEAD, command, component_command
from tests.host.support import SCRIPT, Capture, HostLog, until

MIB = 1024 * 1024
Run = Callable[..., AbstractContextManager[Host]]


@pytest.fixture
def run(shared_engine: Engine, tmp_path: Path) -> Run:
    """A host whose one component is a command in this text, below ``/cmd``."""

    def make(
        text: str,
        *,
        settings: HostSettings | None = None,
        logs: Logs | None = None,
        **parts: object,
    ) -> Host:
        source = tmp_path / "command.wat"
        source.write_text(text)
        argv = parts.pop("argv", WagiSettings().argv)
        plan = ApplicationPlan(
            name="wagi",
            components=(ComponentPlan(id="cmd", source=source, **parts),),  # type: ignore[arg-type]
            triggers=(
                HttpTriggers(
                    (
                        HttpEntry(
                            id="cmd",
                            route="/cmd/:user_id/...",
                            component="cmd",
                            wagi=WagiSettings(argv=str(argv)),
                        ),
                    )
                ),
            ),
        )
        return Host(
            plan,
            engine=shared_engine,
            settings=settings or HostSettings(cache_dir=None),
            logs=logs or Logs(None, echo_to=Capture()),
        )

    return make


def ask(host: Host, target: str = "/cmd/7", **parts: object) -> tuple[int, dict[str, bytes], bytes]:
    """Status, headers and body of one request."""

    async def scenario() -> tuple[int, dict[str, bytes], bytes]:
        response = await host.handle(HttpRequest(target=target, **parts))  # type: ignore[arg-type]
        return response.status, dict(response.headers), await response.read()

    return asyncio.run(scenario())


def split(body: bytes) -> list[str]:
    """The texts of a list that WASI ends with zeros."""
    return body.decode().split("\0")[:-1]


# WAGI-10 to WAGI-18
def test_the_variables_of_a_request(run: Run) -> None:
    """Each has the value of the contract, and the program sees all of them."""
    with run(command(commands.ENVIRONMENT), environment={"MODE": "test"}) as host:
        status, _, body = ask(
            host,
            "/cmd/7/a%20b?x=1&y=2",
            method="POST",
            body=b"12345",
            client=("192.0.2.7", 4711),
            headers=[
                (b"Host", b"shop.example:8080"),
                (b"X-Thing", b"one"),
                (b"Content-Type", b"text/x"),
                (b"Authorization", b"Bearer s3cret"),
                (b"Connection", b"close"),
                (b"Spin-Path-Info", b"/forged"),
                (b"X-Odd", b"\xff"),
            ],
        )
    assert status == 200
    assert dict(line.split("=", 1) for line in split(body)) == {
        "MODE": "test",
        # WAGI-10
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "WAGI/1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        # WAGI-11
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "x=1&y=2",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "8080",
        # WAGI-13
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_HOST": "192.0.2.7",
        "REMOTE_USER": "",
        "AUTH_TYPE": "",
        # WAGI-15
        "CONTENT_LENGTH": "5",
        "CONTENT_TYPE": "",
        # WAGI-16
        "SCRIPT_NAME": "/cmd/:user_id",
        "PATH_INFO": "/a%20b",
        "X_RAW_PATH_INFO": "/a%20b",
        "PATH_TRANSLATED": "/a b",
        # WAGI-17
        "X_FULL_URL": "http://shop.example:8080/cmd/7/a%20b?x=1&y=2",
        "X_MATCHED_ROUTE": "/cmd/:user_id/...",
        "X_BASE_PATH": "/",
        "X_RAW_COMPONENT_ROUTE": "/cmd/:user_id/...",
        "X_COMPONENT_ROUTE": "/cmd/:user_id",
        "X_CLIENT_ADDR": "192.0.2.7:4711",
        "X_PATH_MATCH_USER_ID": "7",
        # WAGI-18
        "HTTP_HOST": "shop.example:8080",
        "HTTP_X_THING": "one",
        "HTTP_CONTENT_TYPE": "text/x",
        "HTTP_X_ODD": "CORRUPT VALUE",
    }


def test_the_arguments_reach_the_program(run: Run) -> None:
    """As the template says (WAGI-2, ENV-2)."""
    with run(command(commands.ARGUMENTS), argv="prog ${SCRIPT_NAME} ${ARGS}") as host:
        _, _, body = ask(host, "/cmd/7?a=1&b")
    assert split(body) == ["prog", "/cmd/7", "a=1", "b"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(command(commands.ECHO), id="module"),
        pytest.param(component_command(HEAD), id="component"),
    ],
)
@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_the_body_comes_in_and_goes_out(run: Run, text: str, size: int) -> None:
    """Request body on stdin, stdout as the response (WAGI-1, WAGI-3)."""
    body = bytes(index % 251 for index in range(size))

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, size, 7000):
            yield body[at : at + 7000]

    with run(text) as host:
        for sent in (body, pieces()):
            status, headers, got = ask(host, method="POST", body=sent)
            assert (status, got == body) == (200, True)
            assert headers["content-length"] == str(size).encode()


def test_what_goes_to_stderr_is_logged(run: Run) -> None:
    """And not sent (WAGI-3)."""
    capture = Capture()
    text = command("(call $complain) (call $text)")
    with run(text, logs=Logs(None, echo_to=capture)) as host:
        assert ask(host)[0] == 200
    assert capture.content == HEAD


# WAGI-6
@pytest.mark.parametrize(
    ("text", "status", "logged"),
    [
        pytest.param(command(""), 500, b"did not write to stdout", id="prints nothing"),
        pytest.param(
            command("(call $text) (unreachable)"), 500, b"unreachable", id="prints and traps"
        ),
        pytest.param(
            command("(call $text) (call $proc_exit (i32.const 3))"),
            500,
            b"exited with status 3",
            id="ends with 3",
        ),
        pytest.param(
            command("(call $text) (call $proc_exit (i32.const 0)) (unreachable)"),
            200,
            None,
            id="ends with 0",
        ),
        pytest.param(
            component_command(HEAD, "(i32.const 1)"),
            200,
            b"ended with an error; its output is used",
            id="component returns an error",
        ),
        pytest.param(
            component_command(HEAD, "(call $leave (i32.const 0)) (unreachable)"),
            200,
            None,
            id="component exits with 0",
        ),
        pytest.param(
            component_command(HEAD, "(call $leave (i32.const 1)) (unreachable)"),
            500,
            b"exited with status 1",
            id="component exits with 1",
        ),
        pytest.param(component_command(HEAD, "(unreachable)"), 500, b"unreachable", id="traps"),
        pytest.param(
            command("(call $text)", b"x: y\n\nhi"), 500, b"Exactly one of", id="insufficient"
        ),
    ],
)
def test_how_a_command_ends(run: Run, text: str, status: int, logged: bytes | None) -> None:
    """Only a status of 0 is a success (ENV-17)."""
    with HostLog() as log, run(text) as host:
        assert ask(host)[0] == status
        if logged is not None:
            assert log.wait_for(logged)


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        pytest.param(command(commands.ENDLESS), b"ran past its deadline", id="endless loop"),
        pytest.param(command(commands.SLEEP_AN_HOUR), b"longer than it may", id="sleeps"),
        pytest.param(command(commands.GREEDY), b"unreachable", id="memory bomb"),
    ],
)
def test_a_command_has_the_limits_of_a_component(run: Run, text: str, logged: bytes) -> None:
    """Deadline, also of one that sleeps, and memory (LIFE-6, LIFE-9)."""
    settings = HostSettings(
        cache_dir=None, request_timeout_s=0.2, max_instance_memory=8 * MIB, max_instances=1
    )
    with HostLog() as log, run(text, settings=settings) as host:
        # The second one shows that the first gave its place back.
        assert [ask(host)[0] for _ in range(2)] == [500, 500]
        assert log.wait_for(logged)


def test_a_sleep_ends_when_it_is_over(run: Run) -> None:
    """The clock that the program names is due, and it is told so."""
    sleep = commands.SLEEP_AN_HOUR.replace("3600000000000", "1000000").replace("(br $on)", "")
    body = f"""{sleep}
      (call $text) (call $digit (i32.load (i32.const 36))) (call $digit (i32.load8_u
        (i32.const 8202)))"""
    with run(command(body)) as host:
        # One event, for a clock.
        assert ask(host)[2] == b"BA"


def test_descriptors_are_ready_at_once(run: Run) -> None:
    """A wait for input and a far-off clock ends with the input alone."""
    body = """(i32.store8 (i32.const 4104) (i32.const 1))
      (i64.store (i32.const 4096) (i64.const 77))
      (i32.store (i32.const 4160) (i32.const 1))
      (i64.store (i32.const 4168) (i64.const 3600000000000))
      (call $text)
      (call $digit (call $poll_oneoff
        (i32.const 4096) (i32.const 8192) (i32.const 2) (i32.const 36)))
      (call $digit (i32.load (i32.const 36)))
      (call $digit (i32.sub (i32.load (i32.const 8192)) (i32.const 76)))"""
    with run(command(body)) as host:
        assert ask(host)[2] == b"ABB"


@pytest.mark.parametrize(
    ("source", "count", "code"),
    [
        pytest.param(4096, 0, 28, id="nothing to wait for"),
        pytest.param(-8, 1, 21, id="outside the memory"),
        pytest.param(4096, 3000, 21, id="more than there is memory"),
        pytest.param(4096, 65537, 28, id="more than the host looks at"),
        pytest.param(4096, -1, 28, id="no number"),
    ],
)
def test_a_wait_that_makes_no_sense_is_refused(
    run: Run, source: int, count: int, code: int
) -> None:
    """With an error code, whatever the numbers are."""
    body = f"""(call $text) (call $digit (call $poll_oneoff
      (i32.const {source}) (i32.const 8192) (i32.const {count}) (i32.const 36)))"""
    with run(command(body)) as host:
        assert ask(host)[2] == bytes([65 + code])


def test_bodies_are_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its limit a body is 413, and the program does not run (WAGI-3)."""
    monkeypatch.setattr(wagi, "BODY_LIMIT_BYTES", 1000)
    with HostLog() as log, run(command(commands.ECHO)) as host:
        assert ask(host, method="POST", body=b"x" * 1000)[0] == 200
        assert ask(host, method="POST", body=b"x" * 1001)[0] == 413
        assert log.wait_for(b"a request body of more than 1000 bytes")


@pytest.mark.parametrize("ending", ["", "(unreachable)", "(call $proc_exit (i32.const 1))"])
def test_output_past_its_limit_is_no_response(
    run: Run, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """The log says so, whatever the program does when it can write no more (WAGI-3)."""
    limited = functools.partial(Command, output_limit_bytes=100)
    fitting = HEAD.ljust(100, b"x")
    monkeypatch.setattr(wagi, "Command", limited)
    with HostLog() as log, run(command(f"(call $text) {ending}", fitting)) as host:
        assert ask(host)[0] == (200 if not ending else 500)
    with HostLog() as log, run(command(f"(call $text) {ending}", fitting + b"x")) as host:
        assert ask(host)[0] == 500
        assert log.wait_for(b"printed more than 100 bytes")
    with HostLog() as log, run(component_command(fitting + b"x")) as host:
        assert ask(host)[0] == 500
        assert log.wait_for(b"printed more than 100 bytes")


def test_every_request_has_a_fresh_instance(run: Run) -> None:
    """What one leaves in memory the next does not find (LIFE-2)."""
    body = """(call $text) (call $digit (i32.load8_u (i32.const 20000)))
      (i32.store8 (i32.const 20000) (i32.const 1))"""
    with run(command(body)) as host:
        assert [ask(host)[2] for _ in range(3)] == [b"A", b"A", b"A"]


def test_commands_wait_for_a_place_like_components(run: Run) -> None:
    """Past the limit of instances and the queue a request gets a 503."""
    settings = HostSettings(
        cache_dir=None, max_instances=1, max_queued=0, parallel=1, request_timeout_s=30
    )

    async def scenario(host: Host) -> list[int]:
        first = asyncio.create_task(host.handle(HttpRequest(target="/cmd/1")))
        await until(lambda: host.running == 1 and host.computing == 0)
        second = await host.handle(HttpRequest(target="/cmd/2"))
        host.close()
        return [(await first).status, second.status]

    with HostLog(), run(command(commands.SLEEP_AN_HOUR), settings=settings) as host:
        assert asyncio.run(scenario(host)) == [500, 503]


# ENV-12 to ENV-14
@pytest.mark.parametrize(
    ("path", "flags", "rights", "writable", "code"),
    [
        pytest.param(b"there", 0, 2, False, b"A", id="read"),
        pytest.param(b"absent", 0, 2, False, b"", id="read what is not there"),
        pytest.param(b"new", 1, 66, False, b"", id="create"),
        pytest.param(b"there", 0, 66, False, b"", id="write"),
        pytest.param(b"new", 1, 66, True, b"A", id="create where that is allowed"),
        pytest.param(b"../secret", 0, 2, False, b"", id="dots"),
        pytest.param(b"out", 0, 2, False, b"", id="a link that leads out"),
        pytest.param(b"/etc/passwd", 0, 2, False, b"", id="an absolute path"),
    ],
)
def test_the_files_of_a_command(
    run: Run, tmp_path: Path, path: bytes, flags: int, rights: int, writable: bool, code: bytes
) -> None:
    """The mount and nothing around it, read-only unless it is writable."""
    (tmp_path / "secret").write_text("s3cret")
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "there").write_text("hi")
    (folder / "out").symlink_to(tmp_path / "secret")
    before = sorted(file.name for file in folder.iterdir())
    mounts = (DirectoryMount("/", folder, writable),)
    with run(command(commands.opening(path, flags, rights)), mounts=mounts) as host:
        _, _, body = ask(host)
    assert body == code if code else body != b"A"
    if not writable:
        assert sorted(file.name for file in folder.iterdir()) == before
        assert (folder / "there").read_text() == "hi"


def test_a_command_without_files_sees_none(run: Run) -> None:
    """There is no directory to begin at (ENV-14)."""
    with run(command(commands.opening(b"x"))) as host:
        # Bad descriptor.
        assert ask(host)[2] == b"I"


def test_nothing_of_the_host_is_inherited(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its environment nor anything else of this process (ENV-1)."""
    monkeypatch.setenv("HOST_SECRET", "s3cret")
    with run(command(commands.ENVIRONMENT)) as host:
        assert b"HOST_SECRET" not in ask(host)[2]


def test_a_compiled_module_comes_from_the_cache(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second start compiles nothing."""
    settings = HostSettings(cache_dir=tmp_path / "cache")
    text = command("(call $text)")
    with run(text, settings=settings) as host:
        assert ask(host)[0] == 200
    assert list((tmp_path / "cache").glob("*.cwasm"))

    def no_store(*arguments: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(CompiledCache, "store", no_store)
    with run(text, settings=settings) as host:
        assert ask(host)[0] == 200


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        pytest.param(
            command("", export="main"),
            ComponentError,
            "exports no _start.*memory, main",
            id="no start",
        ),
        pytest.param(
            command("", extra='(import "env" "gettime" (func))'),
            ComponentError,
            "requires an import interface named `env`",
            id="another import",
        ),
        pytest.param("(component)", LinkError, "exports no wasi:cli/run", id="no run"),
        pytest.param(
            '(module (func (export "_start") (drop (f64.const 0)) (drop)))',
            ComponentError,
            "is not a valid module",
            id="not valid",
        ),
    ],
)
def test_what_is_no_command_is_refused_at_startup(
    run: Run, text: str, kind: type[HostError], says: str
) -> None:
    """By an error that says what is missing (WAGI-1)."""
    with pytest.raises(kind, match=says):
        run(text)


def test_a_module_without_the_executor_is_told_of_it(shared_engine: Engine, tmp_path: Path) -> None:
    """The error names what would make it work."""
    source = tmp_path / "command.wat"
    source.write_text(command(""))
    plan = ApplicationPlan(
        name="a",
        components=(ComponentPlan(id="c", source=source),),
        triggers=(HttpTriggers((HttpEntry(id="t", route="/", component="c"),)),),
    )
    with pytest.raises(HandlerError, match=r'executor = \{ type = "wagi" \}'):
        Host(plan, engine=shared_engine)


def test_the_executor_is_deprecated(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """A start says so, naming the component (WAGI-1)."""
    with caplog.at_level(logging.WARNING, logger="edgezero_spin.host"), run(command("")):
        pass
    assert "'cmd' uses the WAGI executor" in caplog.text


def test_the_executor_of_the_last_trigger_counts(shared_engine: Engine, tmp_path: Path) -> None:
    """Of two triggers with one component (MAN-29a)."""
    triggers = (
        HttpEntry(id="one", route="/one", component="c", wagi=WagiSettings()),
        HttpEntry(id="two", route="/two", component="c"),
    )
    plan = ApplicationPlan(
        name="a",
        components=(ComponentPlan(id="c", source=SCRIPT),),
        triggers=(HttpTriggers(triggers),),
    )
    # The script guest is a handler, and no command.
    with Host(plan, engine=shared_engine, settings=HostSettings(cache_dir=None)) as host:
        assert ask(host, "/one")[0] == 500
    with pytest.raises(LinkError, match="so it is not a command"):
        Host(
            ApplicationPlan(
                name="a", components=plan.components, triggers=(HttpTriggers(triggers[::-1]),)
            ),
            engine=shared_engine,
        )


def test_a_client_that_leaves_early_ends_the_wait_for_its_body(run: Run) -> None:
    """The place is free again."""
    held = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await held.wait()

    async def scenario(host: Host) -> None:
        asking = asyncio.create_task(host.handle(HttpRequest("POST", "/cmd/1", body=slow())))
        await until(lambda: host.running == 1)
        asking.cancel()
        await until(lambda: host.idle)

    with HostLog(), run(command(commands.ECHO)) as host:
        asyncio.run(scenario(host))


def test_requests_at_the_same_time_do_not_mix(run: Run) -> None:
    """Each gets what it sent."""

    async def one(host: Host, number: int) -> HttpResponse:
        body = str(number).encode() * 2000
        response = await host.handle(HttpRequest("POST", "/cmd/1", body=body))
        assert await response.read() == body
        return response

    async def scenario(host: Host) -> None:
        await asyncio.gather(*(one(host, number) for number in range(40)))

    settings = HostSettings(cache_dir=None, max_instances=8, max_queued=100, parallel=4)
    with run(command(commands.ECHO), settings=settings) as host:
        asyncio.run(scenario(host))


def test_an_answer_to_head_has_no_length_of_its_own(run: Run) -> None:
    """A program that prints no body for HEAD does not say that GET has none (RFC 9110, 8.6)."""
    with run(component_command(HEAD)) as host:
        assert "content-length" not in ask(host, method="HEAD")[1]
        assert ask(host)[1]["content-length"] == b"0"
