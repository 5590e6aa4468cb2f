"""``edgezero up`` and ``serve`` with triggers that are not HTTP, as they are typed."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from edgezero_spin.host.factors.redis.address import parse_redis_address
from edgezero_spin.host.factors.redis.client import RedisConnection
from tests.cli.running import edgezero, refusal
from tests.host.redis_server import free_port, running_redis
from tests.host.support import SCRIPT
from tests.host.triggers.applications import write_app
from tests.host.triggers.guest import CRON_2, MQTT_OLD, REDIS
from tests.host.triggers.test_command import PROGRAM_01, program

QUIET = ("--state-dir", "")


def redis_app(folder: Path, port: int, more: str = "") -> Path:
    """An application of one channel."""
    triggers = (
        f'[application.trigger.redis]\naddress = "redis://127.0.0.1:{port}"\n'
        '[[trigger.redis]]\nchannel = "orders"\ncomponent = "worker"\n'
    )
    return write_app(folder, triggers + more, REDIS, CRON_2)


@contextlib.contextmanager
def started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command line with what it prints in one stream."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edgezero_spin.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def read_until(process: subprocess.Popen[str], wanted: str) -> str:
    """What is printed up to a line that contains something."""
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if wanted in line:
            return read
    raise AssertionError(f"{wanted!r} was not printed: {read}")


def publish(port: int, payload: bytes) -> None:
    """Publish a message that somebody has to be subscribed to."""
    connection = RedisConnection(parse_redis_address(f"redis://127.0.0.1:{port}"))
    assert connection.call("PUBLISH", "orders", payload) == 1
    connection.close()


def test_up_listens_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """Without HTTP there is no socket; SIGTERM lets the present message end, with status 0."""
    # REDIS-4, LIFE-10, V-60
    with running_redis(tmp_path) as port:
        path = redis_app(tmp_path, port)
        with started("up", "-f", path, *QUIET) as process:
            said = read_until(process, "orders: [worker]")
            assert f"Active Channels on 127.0.0.1:{port}:\n\t127.0.0.1:{port}/orders" in said
            assert "Serving" not in said
            publish(port, b"hello")
            read_until(process, "hello")
            # It sleeps for a second, and is not cut off.
            publish(port, b"s: the last one")
            read_until(process, "s: the last one")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def test_an_event_that_does_not_end_is_cut_off_and_told(tmp_path: Path) -> None:
    """A second signal waits for it no longer; the line names what was not taken."""
    # LIFE-10, TRG-5
    with running_redis(tmp_path) as port:
        path = redis_app(tmp_path, port)
        with started("up", "-f", path, *QUIET) as process:
            read_until(process, "orders: [worker]")
            # It sleeps for an hour.
            publish(port, b"l: sleeps")
            read_until(process, "l: sleeps")
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=20)
    assert "redis message 'orders' was cut off in component worker: the host stops" in said
    assert process.returncode == 0


def test_up_with_no_trigger_left_fails(tmp_path: Path) -> None:
    """One line says what happened, and the status is 1; the password is in none."""  # V-64
    port = free_port()
    path = redis_app(tmp_path, port)
    path.write_text(path.read_text().replace("redis://", "redis://:geheim@"))
    done = edgezero("up", "-f", path, *QUIET, "--reconnect-timeout", "0")
    assert f"Redis trigger failed to connect to 127.0.0.1:{port}" in refusal(done)
    assert "geheim" not in done.stdout + done.stderr


def test_http_goes_on_when_another_trigger_fails(tmp_path: Path) -> None:
    """The other one is logged, and requests are answered."""
    http = '[[trigger.http]]\nroute = "/..."\ncomponent = "web"\n'
    path = redis_app(tmp_path, free_port(), http)
    (tmp_path / "web.wat").write_text(SCRIPT.read_text())
    path.write_text(path.read_text() + '[component.web]\nsource = "web.wat"\n')
    arguments = ("-f", path, *QUIET, "--listen", "127.0.0.1:0", "--reconnect-timeout", "0")
    with started("up", *arguments) as process:
        said = read_until(process, "failed to connect")
        said += read_until(process, "web: http") if "web: http" not in said else ""
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_one_component_can_be_run_alone(tmp_path: Path) -> None:
    """`-c` keeps its triggers and no others; an unknown id is named."""  # LOCK-43
    more = '[[trigger.http]]\nroute = "/..."\ncomponent = "web"\n'
    with running_redis(tmp_path) as port:
        path = redis_app(tmp_path, port, more)
        path.write_text(path.read_text() + '[component.web]\nsource = "gone.wasm"\n')
        for command in (
            ("up", "-f", path, *QUIET),
            ("serve", "-C", tmp_path, "--engine", "embedded", *QUIET),
        ):
            with started(*command, "-c", "worker") as process:
                assert "Serving" not in read_until(process, "orders: [worker]")
        done = edgezero("up", "-f", path, "-c", "other")
        assert "Unknown component(s) other" in refusal(done)


def test_an_expression_that_is_none_is_one_error(tmp_path: Path) -> None:
    """With the file, the key and what to write."""  # V-68
    cron = '[[trigger.cron]]\ncron_expression = "* * * * *"\ncomponent = "worker"\n'
    path = write_app(tmp_path, cron, CRON_2)
    message = refusal(edgezero("up", "-f", path, *QUIET))
    assert str(path) in message
    assert "cron_expression: '* * * * *' has five fields; put the second in front" in message


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    """Where the library of a kind is not installed."""
    cron = '[[trigger.cron]]\ncron_expression = "0 * * * * *"\ncomponent = "worker"\n'
    path = write_app(tmp_path, cron, CRON_2)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: "
        "None if name == 'croniter' else find(name, *more)\n"
    )
    done = edgezero("up", "-f", path, *QUIET, env={"PYTHONPATH": os.fspath(tmp_path / "site")})
    assert "cron triggers need the extra `cron`: pip install 'edgezero-spin[cron]'" in refusal(done)


COMMAND = (
    '[[trigger.command]]\ncomponent = "program"\n[component.program]\nsource = "program.wat"\n'
)
HEAD = 'spin_manifest_version = 2\n[application]\nname = "program"\n'


def test_up_runs_a_program_and_ends_with_it(tmp_path: Path) -> None:
    """Its arguments stand behind `--`; the status is 0, or 1 where it fails, with one line."""
    # CMD-1 to CMD-3
    (tmp_path / "spin.toml").write_text(HEAD + COMMAND)
    (tmp_path / "program.wat").write_text(PROGRAM_01)
    done = edgezero("up", "-f", tmp_path, *QUIET, "--", "--listen", "two words")
    assert done.returncode == 0, done.stderr
    assert "program\0--listen\0two words\0" in done.stdout + done.stderr
    done = edgezero("serve", "-C", tmp_path, "--engine", "embedded", *QUIET)
    assert done.returncode == 0, done.stderr
    failed = refusal(edgezero("up", "-f", tmp_path, *QUIET, "--", "x"))
    assert "component 'program': guest call failed: the guest exited with status 3" in failed


def test_a_program_that_ends_ends_the_application(tmp_path: Path) -> None:
    """Requests beside it, too."""  # CMD-3, TRG-5
    http = '[[trigger.http]]\nroute = "/..."\ncomponent = "web"\n'
    (tmp_path / "spin.toml").write_text(
        f'{HEAD}{http}{COMMAND}[component.web]\nsource = "web.wat"\n'
    )
    (tmp_path / "web.wat").write_text(SCRIPT.read_text())
    (tmp_path / "program.wat").write_text(program("0.2.0", "(i32.const 0)"))
    arguments = ("up", "-f", tmp_path, *QUIET, "--listen", "127.0.0.1:0")
    assert edgezero(*arguments).returncode == 0
    (tmp_path / "program.wat").write_text(program("0.2.0", "(i32.const 1)"))
    assert "component 'program': guest call failed: error" in refusal(edgezero(*arguments))


def test_a_test_of_mqtt_triggers(tmp_path: Path) -> None:
    """Each component gets a message, one after another, until one fails; no broker is there."""
    # MQT-6
    table = '[[trigger.mqtt]]\ntopic = "a/#"\nqos = "0"\ncomponent = "{}"\n'
    triggers = (
        f'[application.trigger.mqtt]\naddress = "mqtt://127.0.0.1:{free_port()}"\n'
        'username = ""\npassword = "geheim"\nkeep_alive_interval = "30"\n'
    )
    triggers += table.format("worker") + table.format("second")
    path = write_app(tmp_path, triggers, MQTT_OLD, ids=("worker", "second"))
    failing = edgezero("up", "-f", path, *QUIET, "--test")
    assert "component 'worker' failed: wasm trap" in refusal(failing)
    assert (failing.stdout + failing.stderr).count("test message\n") == 1
    # The guest traps at this letter.
    wat = tmp_path / "guest.wat"
    wat.write_text(wat.read_text().replace(f"(i32.const {ord('t')})", "(i32.const 0)"))
    for command in (("up", "-f", path), ("serve", "-C", tmp_path, "--engine", "embedded")):
        done = edgezero(*command, *QUIET, "--test")
        assert (done.returncode, "Error" in done.stderr) == (0, False), done.stderr
        assert (done.stdout + done.stderr).count("test message\n") == 2


def test_what_no_trigger_of_the_application_takes_is_refused(tmp_path: Path) -> None:
    """A flag and arguments of other kinds, with the kinds that there are."""  # TRG-6, V-65
    path = redis_app(tmp_path, free_port())
    done = edgezero("up", "-f", path, *QUIET, "--test")
    said = " ".join(done.stderr.split())
    assert done.returncode == 2
    assert "--test is for MQTT triggers; the application has others alone (redis)" in said
    done = edgezero("up", "-f", path, *QUIET, "--", "--quiet")
    said = " ".join(done.stderr.split())
    assert done.returncode == 2
    assert "what stands behind -- is for the program of a command trigger" in said
