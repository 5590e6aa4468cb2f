"""``edgezero up`` and ``edgezero lock``, as they are typed."""

import json
import shutil
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import click
import pytest

from edgezero_spin.cli.values import DurationSpan, Span
from edgezero_spin.manifest.spin import load_lock
from tests.certificates import make_certificate
from tests.cli.running import edgezero, get, refusal, running
from tests.host.support import SCRIPT

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/hello/..."
component = "hello"
[component.hello]
source = "guest.wat"
description = "Does as told"
key_value_stores = ["default"]
files = [{ source = "static", destination = "/" }]
[component.hello.build]
command = "echo built > static/built"
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with an application of one component."""
    folder = tmp_path / "app"
    (folder / "static").mkdir(parents=True)
    (folder / "static" / "page").write_text("page")
    (folder / "guest.wat").write_text(SCRIPT.read_text())
    (folder / "spin.toml").write_text(MANIFEST)
    return folder


def test_an_application_is_served_and_told_as_json(app: Path, tmp_path: Path) -> None:
    """CONF-47, FLAG-5, and state where it was asked for (STATE-1)."""
    state = tmp_path / "state"
    with running("-f", app, "--format", "json", "--state-dir", state, "--quiet") as (told, _):
        assert told["routes"] == [
            {"id": "hello", "route": "/hello", "wildcard": True, "description": "Does as told"}
        ]
        assert get(told["base_url"] + "/hello") == (200, b"hello")
        assert get(told["base_url"] + "/other") == (404, b"")
    assert sorted(path.name for path in state.iterdir()) == ["logs", "sqlite_key_value.db"]
    assert not (app / ".spin").exists()


def test_a_lock_is_written_and_served(app: Path, tmp_path: Path) -> None:
    """From another folder, with its own copy of the files; twice is the same."""
    lock = tmp_path / "out.lock"
    for _ in range(2):
        done = edgezero("lock", "-f", app, "-o", lock)
        assert (done.returncode, done.stdout) == (0, "")
        [component] = load_lock(lock).components
        assert [item.path for item in component.files] == ["/"]
        assert (tmp_path / "out.lock.assets/hello/page").read_text() == "page"
        assert not list(tmp_path.glob(".lock-*"))
    with running("-f", lock, "--format", "json", "--quiet") as (told, _):
        assert get(told["base_url"] + "/hello") == (200, b"hello")


def test_a_printed_lock_copies_nothing(app: Path) -> None:
    """It names the folders themselves, and is all there is on standard output."""
    done = edgezero("lock", "-f", app, "-o", "-")
    lock = json.loads(done.stdout)
    assert lock["components"][0]["files"] == [{"source": (app / "static").as_uri(), "path": "/"}]
    assert lock["metadata"]["origin"] == (app / "spin.toml").as_uri()
    assert sorted(path.name for path in app.iterdir()) == ["guest.wat", "spin.toml", "static"]


def test_a_failed_lock_keeps_the_old_one(app: Path) -> None:
    """With its assets: a host may be running from them."""
    assert edgezero("lock", "-f", app).returncode == 0
    before = (app / "spin.lock").read_text()
    shutil.rmtree(app / "static")
    assert "does not exist" in refusal(edgezero("lock", "-f", app))
    assert (app / "spin.lock").read_text() == before
    assert (app / "spin.lock.assets/hello/page").exists()


def test_a_head_may_have_as_many_bytes_as_was_said(app: Path) -> None:
    """By flag and by variable (FLAG-3); what is past it is a 431."""
    flags = ["--http1-max-buf-size", "8192", "--idle-instance-timeout", "1..2s", "--shush"]
    more = ["--max-instance-concurrent-reuse-count", "4..16"]
    with running("-f", app, "--format", "json", *flags, *more) as (told, _):
        assert get(told["base_url"] + "/hello?" + "x" * 7000) == (200, b"hello")
        assert get(told["base_url"] + "/hello?" + "x" * 9000) == (431, b"")


def test_limits_and_builds(app: Path) -> None:
    """The build runs first; a loop ends at the deadline; instances are used again."""
    flags = ["--request-timeout", "300ms", "--max-instance-reuse-count", "9", "--build"]
    with running("-f", app, "--format", "json", *flags, "--quiet") as (told, _):
        assert (app / "static/built").exists()
    with running("-f", app / "guest.wat", "--format", "json", *flags[:-1]) as (told, _):
        assert get(told["base_url"] + "/b") == (500, b"")
        assert get(told["base_url"] + "/g") == (200, b"hello")
        assert get(told["base_url"] + "/g") == (201, b"hello")


def test_https(app: Path, tmp_path: Path) -> None:
    """With certificate and key (FLAG-2)."""
    made = make_certificate(tmp_path)
    flags: list[str | Path] = ["--tls-cert", made.chain, "--tls-key", made.key]
    flags += ["--format", "json", "--quiet"]
    with running("-f", app, *flags) as (told, _):
        assert told["base_url"].startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=made.roots)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(told["base_url"] + "/hello", timeout=20) as response:
            assert response.read() == b"hello"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--tls-cert", "spin.toml", "--tls-key", "spin.toml"], "not a certificate and its key"),
        (["--tls-cert", "no.pem", "--tls-key", "no.pem"], "cannot read no.pem: No such file"),
        (["--follow", "nobody"], "unknown component ids to follow: nobody"),
        (["-c", "nobody"], "Unknown component(s) nobody"),
        (["--direct-mounts", "--allow-transient-write"], "do not go together"),
        (["--listen", "nowhere"], "'nowhere' is not an address and a port"),
        # OCI-27
        (["-f", "missing.toml"], "File or directory 'missing.toml' not found. If you meant"),
        (["--from-file", "missing.toml"], "there is no manifest at 'missing.toml'"),
        (["--file", "localhost:1/x:1"], "there is no manifest at 'localhost:1/x:1'"),
        (["-f", "localhost:1/x:1"], "cannot load localhost:1/x:1: the registry localhost:1 cannot"),
        (["--runtime-config-file", "missing.toml"], "missing.toml"),
        (["--variable", "nothing"], "nothing"),
    ],
)
def test_what_up_refuses(app: Path, flags: list[str], message: str) -> None:
    """One line that says what is wrong, and status 1."""
    done = edgezero("up", "--disable-cache", "--disable-pooling", *flags, cwd=app)
    assert message in refusal(done)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["app.wasm"], "app.wasm"),
        (["--quiet", "ghcr.io/acme/shop:1", "more"], "ghcr.io/acme/shop:1"),
        (["me:s3cret@ghcr.io/shop"], "***@ghcr.io/shop"),
    ],
)
def test_a_name_without_a_flag(tmp_path: Path, arguments: list[str], name: str) -> None:
    """The flag that was meant is said, as Spin does (CLI-12)."""
    done = edgezero("up", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert f"Did you mean `edgezero up -f {name}`?" in done.stderr
    assert "s3cret" not in done.stderr


def test_without_an_application_up_says_how_to_name_one(tmp_path: Path) -> None:
    """CLI-12, in the words of EdgeZero (BLD-9)."""
    message = refusal(edgezero("up", cwd=tmp_path))
    assert "could not locate spin.toml" in message
    assert "--from" in message


@pytest.mark.parametrize(
    ("name", "value", "status", "message"),
    [
        ("SPIN_HTTP_LISTEN_ADDR", "nowhere", 1, "'nowhere' is not an address and a port"),
        ("RUNTIME_CONFIG_FILE", "missing.toml", 1, "missing.toml"),
        ("WASMTIME_CACHE_FILE", "missing.toml", 1, "missing.toml: No such file"),
        ("SPIN_TLS_CERT", "x", 2, "--tls-cert and --tls-key go together"),
        ("SPIN_TLS_KEY", "x", 2, "--tls-cert and --tls-key go together"),
        ("SPIN_HTTP1_MAX_BUF_SIZE", "1", 2, "'--http1-max-buf-size'"),
        ("SPIN_MAX_INSTANCE_MEMORY", "-1", 2, "'--max-instance-memory'"),
        ("SPIN_MAX_INSTANCE_COUNT", "0", 2, "'--max-instances'"),
        ("SPIN_ALWAYS_BUILD", "x", 2, "'--build'"),
        ("DISABLE_WASMTIME_CACHE", "x", 2, "'--disable-cache'"),
        ("SPIN_WASMTIME_POOLING", "x", 2, "SPIN_WASMTIME_POOLING is 'x'; it can be 0 or 1"),
    ],
)
def test_variables_stand_for_flags(
    app: Path, name: str, value: str, status: int, message: str
) -> None:
    """A wrong value is refused like that of the flag (CLI-36, FLAG-1 to FLAG-3, ENG-9)."""
    done = edgezero("up", cwd=app, env={"XDG_CACHE_HOME": str(app / "cache"), name: value})
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr


def test_variables_are_heard_together(app: Path, tmp_path: Path) -> None:
    """A build, logs elsewhere, and too little memory for any instance (CLI-36)."""
    env = {
        "SPIN_ALWAYS_BUILD": "true",
        "SPIN_LOG_DIR": str(tmp_path / "elsewhere"),
        "SPIN_MAX_INSTANCE_MEMORY": "1",
        "SPIN_WASMTIME_POOLING": "0",
        "SPIN_VARIABLE_UNUSED": "x",
    }
    with running("-f", app, "--format", "json", "--quiet", env=env) as (told, _):
        assert get(told["base_url"] + "/hello") == (500, b"")
    assert (app / "static/built").exists()
    assert (tmp_path / "elsewhere").is_dir()


def test_no_triggers_are_said_as_spin_says_it(app: Path) -> None:
    """CONF-45."""
    (app / "spin.toml").write_text(
        'spin_manifest_version = 2\n[application]\nname = "x"\n[trigger]\n'
    )
    assert refusal(edgezero("up", "-f", app)).endswith("Error: No triggers in app\n")


@pytest.mark.parametrize(
    "flags",
    [
        ["--tls-cert", "x"],
        ["--quiet", "--follow", "hello"],
        ["--request-timeout", "soon"],
        ["--max-instance-reuse-count", "0"],
        ["--idle-instance-timeout", "1..0"],
        ["--request-timeout", "0"],
        ["--http1-max-buf-size", "8191"],
        ["--shush", "--follow", "hello"],
        ["--format", "xml"],
        ["--max-instance-memory", "-1"],
        ["--max-instances", "0"],
        ["--cache", "x", "--disable-cache"],
        ["--env", "no-equals-sign"],
    ],
)
def test_usage_mistakes_of_up(app: Path, flags: list[str]) -> None:
    """Status 2, before anything is loaded (ENG-9, LOCK-42)."""
    assert edgezero("up", *flags, cwd=app).returncode == 2


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2", (2, 2)),
        ("2s", (2, 2)),
        ("500ms", (0.5, 0.5)),
        ("1500ms", (1.5, 1.5)),
        ("20us", (2e-5, 2e-5)),
        ("20μs", (2e-5, 2e-5)),
        ("20µs", (2e-5, 2e-5)),
        ("5ns", (5e-9, 5e-9)),
        ("1..8s", (1, 8)),
        ("100ms..2", (0.1, 2)),
        ("900ms..1s", (0.9, 1)),
    ],
)
def test_durations(text: str, span: tuple[float, float]) -> None:
    """A number and a unit, seconds without one; or two of them (FLAG-7)."""
    assert DurationSpan().convert(text, None, None) == pytest.approx(span)


@pytest.mark.parametrize(("text", "span"), [("0", (0, 0)), ("0ms", (0, 0)), ("0..1s", (0, 1))])
def test_no_time_at_all(text: str, span: tuple[float, float]) -> None:
    """A flag takes it, as Spin does, where it means something (IL-5)."""
    assert DurationSpan(zero=True).convert(text, None, None) == span
    with pytest.raises(click.BadParameter, match="above 0"):
        DurationSpan().convert(text, None, None)


@pytest.mark.parametrize(
    "text",
    [
        *("", "s", "-1s", "1h", "1m", "0h", "1 2s", "2s..1s", "1..", "..1", "1...3"),
        *("1.5s", "1.5", "1s..2.5s", "1s..1s", "0..0s", "1s..1000ms", "9" * 20 + "s"),
    ],
)
def test_what_is_no_duration(text: str) -> None:
    """No whole number, a unit that Spin does not know, an empty range."""
    # IL-6, IL-7, V3-9, V3-10
    with pytest.raises(click.BadParameter):
        DurationSpan().convert(text, None, None)


@pytest.mark.parametrize(("text", "span"), [("1", (1, 1)), ("5..10", (5, 10))])
def test_counts(text: str, span: tuple[int, int]) -> None:
    """One number or a range (FLAG-6)."""
    assert Span().convert(text, None, None) == span


@pytest.mark.parametrize("text", ["0", "2..1", "5..5", "a", "1..", "..3", "1...3"])
def test_what_is_no_count(text: str) -> None:
    """Nothing below 1, no range that runs backwards or has nothing in it (IL-6, IL-7)."""
    with pytest.raises(click.BadParameter):
        Span().convert(text, None, None)
