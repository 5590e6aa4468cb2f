"""``build``, ``serve``, ``deploy`` and ``auth``: the project's own line, else the built-in."""

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.running import edgezero, refusal
from tests.recording import Call, Recorder


@pytest.fixture
def spin(tmp_path: Path) -> Recorder:
    """A recording Spin."""
    return Recorder.install(tmp_path / "programs")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with an empty ``spin.toml``."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "spin.toml").touch()
    return folder


@pytest.fixture
def no_spin(tmp_path: Path) -> dict[str, str]:
    """Variables with a PATH on which there is a shell and nothing else."""
    folder = tmp_path / "bare"
    folder.mkdir()
    shell = shutil.which("sh")
    assert shell is not None
    (folder / "sh").symlink_to(shell)
    return {"PATH": str(folder)}


def commands(folder: Path, **lines: str) -> None:
    """Write an ``edgezero.toml`` with commands."""
    entries = "".join(f"{name.replace('_', '-')} = '{line}'\n" for name, line in lines.items())
    (folder / "edgezero.toml").write_text(f"[adapters.spin.commands]\n{entries}")


def test_deploy_is_spin_deploy(app: Path, spin: Recorder) -> None:
    """It runs in the folder of the manifest, with what follows -- as it was typed."""  # BLD-12
    inner = app / "src"
    inner.mkdir()
    done = edgezero(
        *("deploy", "--", "--build", "--variable", "a=b c", "--", "it's\n", ""),
        cwd=inner,
        env=spin.environment(),
    )
    assert done.returncode == 0, done.stderr
    assert spin.calls() == [
        Call(app, ("deploy", "--build", "--variable", "a=b c", "--", "it's\n", ""))
    ]
    assert "a=b c" not in done.stdout + done.stderr  # BLD-3


def test_deploy_of_a_manifest_with_another_name(app: Path, spin: Recorder) -> None:
    """Spin is told the name when it would not guess it."""
    (app / "spin.toml").rename(app / "other.toml")
    edgezero("deploy", "--from", str(app / "other.toml"), env=spin.environment())
    assert spin.calls() == [Call(app, ("deploy", "--from", "other.toml"))]


def test_a_failed_deploy_keeps_its_status(app: Path, spin: Recorder) -> None:
    """The child's status is ours, and one line says what failed."""  # BLD-12
    done = edgezero("deploy", cwd=app, env=spin.environment(status=9, said="no such app"))
    assert done.returncode == 9
    assert done.stderr.splitlines() == [
        "no such app",
        "[edgezero] Error: spin deploy failed with status 9",
    ]


def test_a_missing_spin_is_named(app: Path, no_spin: dict[str, str]) -> None:
    """Nothing can be deployed without it, and the message says where it is had."""  # AUT-3
    for command in (["deploy"], ["auth", "login"]):
        message = refusal(edgezero(*command, cwd=app, env=no_spin))
        assert "`spin` not found on PATH" in message
        assert "install the Spin CLI (https://spinframework.dev/) and try again" in message


@pytest.mark.parametrize(
    ("action", "word"), [("login", "login"), ("logout", "logout"), ("status", "info")]
)
def test_auth_is_spin_cloud(action: str, word: str, tmp_path: Path, spin: Recorder) -> None:
    """Each action is one call of Spin, wherever it is typed."""  # AUT-1
    done = edgezero("auth", action, "--adapter", "spin", cwd=tmp_path, env=spin.environment())
    assert done.returncode == 0, done.stderr
    assert spin.calls() == [Call(tmp_path, ("cloud", word))]
    failed = edgezero("auth", action, cwd=tmp_path, env=spin.environment(status=4))
    assert failed.returncode == 4  # AUT-3
    assert f"`spin cloud {word}` exited with status 4" in failed.stderr


def test_credentials_are_left_to_spin(tmp_path: Path, spin: Recorder) -> None:
    """Nothing is kept of a login, and Spin's own file is as it was and was not opened."""  # AUT-4
    home, work = tmp_path / "home", tmp_path / "work"
    for folder in (home, work):
        folder.mkdir()
    kept = home / ".config" / "fermyon" / "config.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    os.utime(kept, (1, 1))
    before = kept.stat()
    env = {**spin.environment(), "HOME": str(home)}
    for action in ("login", "status", "logout"):
        assert edgezero("auth", action, cwd=work, env=env).returncode == 0
    after = kept.stat()
    assert (after.st_atime, after.st_mtime) == (before.st_atime, before.st_mtime)
    assert list(work.iterdir()) == []
    assert [path for path in home.rglob("*") if path.is_file()] == [kept]


@pytest.mark.parametrize(
    ("typed", "entry"),
    [
        (["build"], "build"),
        (["serve"], "serve"),
        (["deploy"], "deploy"),
        (["auth", "login"], "auth_login"),
        (["auth", "logout"], "auth_logout"),
        (["auth", "status"], "auth_status"),
    ],
)
def test_a_line_of_the_project_replaces_each(
    typed: list[str], entry: str, app: Path, spin: Recorder
) -> None:
    """The line is shown, runs in the manifest's folder, and its status is ours."""
    # BLD-1, BLD-3, BLD-7, AUT-2
    commands(app, **{entry: "spin own | cat; exit 5"})
    done = edgezero(*typed, cwd=app, env=spin.environment())
    assert done.returncode == 5
    assert done.stdout == (
        f"[edgezero] executing `spin own | cat; exit 5` for adapter `spin` in {app}\n"
    )
    action = " ".join(typed)
    assert done.stderr == (
        f"[edgezero] Error: {action} command `spin own | cat; exit 5` exited with status 5\n"
    )
    assert spin.calls() == [Call(app, ("own",))]


@pytest.mark.parametrize("action", ["build", "deploy", "serve"])
def test_a_line_is_for_the_project_s_own_manifest(action: str, app: Path, spin: Recorder) -> None:
    """Another one that is named is not left aside, and neither is one that is not there."""
    commands(app, **{action: f"echo line > {app}/said"})
    text = 'spin_manifest_version = 2\napplication.name = "a"\n[[trigger.http]]\n'
    text += 'route = "/"\ncomponent = "c"\n[component.c]\nsource = "c.wasm"\n'
    text += f"build.command = 'echo built > {app}/other'\n"
    (app / "other.toml").write_text(text)
    env = spin.environment()
    assert "no manifest at 'gone.toml'" in refusal(
        edgezero(action, "-f", "gone.toml", cwd=app, env=env)
    )
    assert edgezero(action, "-f", "other.toml", cwd=app, env=env).returncode == 0
    assert not (app / "said").exists()
    assert (app / "other").exists() == (action == "build")
    assert len(spin.calls()) == (action != "build")
    assert edgezero(action, "-f", app / "spin.toml", cwd=app, env=env).returncode == 0
    assert (app / "said").exists()


@pytest.mark.parametrize("action", ["build", "deploy"])
def test_what_follows_two_dashes_is_added_and_not_shown(
    action: str, app: Path, spin: Recorder
) -> None:
    """Arguments reach the program as typed; the line that is shown has none."""  # BLD-2, BLD-3
    commands(app, **{action: "spin own --flag"})
    secret = "--token=it's a secret"
    done = edgezero(action, "--", "plain", secret, "", cwd=app, env=spin.environment())
    assert done.returncode == 0, done.stderr
    assert spin.calls() == [Call(app, ("own", "--flag", "plain", secret, ""))]
    assert "secret" not in done.stdout + done.stderr


def test_the_built_in_build_adds_them_to_each_command(tmp_path: Path, spin: Recorder) -> None:
    """A build command of spin.toml gets what follows --."""  # BLD-2
    (tmp_path / "spin.toml").write_text(
        'spin_manifest_version = 2\napplication = { name = "a" }\n'
        '[[trigger.http]]\nroute = "/..."\ncomponent = "a"\n'
        '[component.a]\nsource = "a.wasm"\nbuild.command = "spin build-it"\n'
    )
    done = edgezero("build", "--", "a b", cwd=tmp_path, env=spin.environment())
    assert done.returncode == 0, done.stderr
    assert spin.calls() == [Call(tmp_path, ("build-it", "a b"))]
    assert "a b" not in done.stdout


def test_two_dashes_are_needed(app: Path) -> None:
    """A word that is not a flag is wrong usage, so that a slip is not passed on."""
    assert edgezero("deploy", "now", cwd=app).returncode == 2
    assert edgezero("serve", "x", cwd=app).returncode == 2


def test_build_tells_of_secrets(app: Path) -> None:
    """A project with secret stores is reminded where they come from."""  # BLD-8
    commands(app, build="true")
    assert "secrets enabled" not in edgezero("build", cwd=app).stdout
    with (app / "edgezero.toml").open("a") as manifest:
        manifest.write("[stores.secrets]\nids = ['default']\n")
    assert "secrets enabled" in edgezero("build", cwd=app).stdout


def test_the_manifest_named_by_the_environment(app: Path, tmp_path: Path, spin: Recorder) -> None:
    """``EDGEZERO_MANIFEST`` says whose commands run; one that is missing stops it."""  # CLI-4
    commands(app, deploy="spin own")
    env = {**spin.environment(), "EDGEZERO_MANIFEST": str(app / "edgezero.toml")}
    assert edgezero("deploy", cwd=tmp_path, env=env).returncode == 0
    assert spin.calls() == [Call(app, ("own",))]
    env["EDGEZERO_MANIFEST"] = "gone.toml"
    for command in (["build"], ["serve"], ["deploy"], ["auth", "login"]):
        assert "failed to load gone.toml" in refusal(edgezero(*command, cwd=app, env=env))


@pytest.mark.parametrize("typed", [["build"], ["serve"], ["deploy"], ["auth", "login"]])
def test_an_adapter_that_is_not_there_is_refused(typed: list[str], app: Path) -> None:
    """With a manifest by what it declares, without one by what this package can do."""  # CLI-6
    message = refusal(edgezero(*typed, "--adapter", "ghost", cwd=app))
    assert "adapter `ghost` is not registered in this build" in message
    commands(app)
    message = refusal(edgezero(*typed, "--adapter", "ghost", cwd=app))
    assert "adapter `ghost` is not configured in edgezero.toml (available: spin)" in message


def test_a_line_may_call_edgezero_for_the_same(app: Path, spin: Recorder) -> None:
    """``edgezero deploy`` inside the deploy command is the built-in, not a circle."""
    commands(app, deploy="edgezero deploy -- --quiet")
    done = edgezero("deploy", cwd=app, env=spin.environment())
    assert done.returncode == 0, done.stderr
    assert spin.calls() == [Call(app, ("deploy", "--quiet"))]


def test_the_manifest_says_where_spin_toml_is(tmp_path: Path, spin: Recorder) -> None:
    """``[adapters.spin.adapter].manifest`` beats the look-up; a wrong one is named."""  # MAN-16
    adapter = tmp_path / "crates" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "spin.toml").touch()
    (tmp_path / "spin.toml").touch()
    manifest = "[adapters.spin.adapter]\nmanifest = 'crates/adapter/spin.toml'\n"
    (tmp_path / "edgezero.toml").write_text(manifest)
    edgezero("deploy", cwd=tmp_path, env=spin.environment())
    assert spin.calls() == [Call(adapter, ("deploy",))]
    (adapter / "spin.toml").unlink()
    message = refusal(edgezero("deploy", cwd=tmp_path, env=spin.environment()))
    assert "could not locate spin.toml" in message
    assert str(adapter / "spin.toml") in message


def test_serve_takes_no_flags_where_a_line_replaces_it(app: Path, spin: Recorder) -> None:
    """A flag that would be lost is wrong usage; naming an engine serves without the line."""
    commands(app, serve="spin own")
    done = edgezero("serve", "--listen", "127.0.0.1:80", cwd=app, env=spin.environment())
    assert done.returncode == 2
    assert "--listen does nothing here" in done.stderr
    lives = ("--max-instance-reuse-count", "5..10", "--idle-instance-timeout", "500ms")
    for flag, value in (lives[:2], lives[2:]):
        done = edgezero("serve", flag, value, cwd=app, env=spin.environment())
        assert f"{flag} does nothing here" in done.stderr
    assert spin.calls() == []
    edgezero(
        *("serve", "--engine", "spin", "--listen", "127.0.0.1:80", *lives),
        cwd=app,
        env=spin.environment(),
    )
    assert spin.calls() == [Call(app, ("up", "--listen", "127.0.0.1:80", *lives))]


def test_a_serve_line_that_needs_a_missing_spin_is_left(app: Path, no_spin: dict[str, str]) -> None:
    """Where Spin is not installed the embedded host serves, and says what is wrong itself."""
    commands(app, serve="spin up --from .")
    done = edgezero("serve", cwd=app, env=no_spin)
    assert "executing" not in done.stdout
    assert "Spin is not installed: the embedded host serves instead" in done.stderr
    assert str(app / "spin.toml") in refusal(done)


def test_hints_of_the_manifest_reach_spin(app: Path, spin: Recorder) -> None:
    """Host and port of the adapter are where the built-in listens."""  # ENV-20, BLD-11
    hints = "[adapters.spin.adapter]\nmanifest = 'spin.toml'\nhost = '0.0.0.0'\nport = 8080\n"
    (app / "edgezero.toml").write_text(hints)
    env = {**spin.environment(), "EDGEZERO__ADAPTER__HOST": "localhost"}
    done = edgezero("serve", cwd=app, env=env)
    assert "not a valid IP address" in done.stderr
    failed = edgezero("serve", cwd=app, env=spin.environment(status=3))
    assert failed.returncode == 3
    assert "spin up failed with status 3" in failed.stderr  # BLD-11
    assert spin.calls() == [Call(app, ("up", "--listen", "0.0.0.0:8080"))] * 2


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_request_to_end_reaches_the_child(tmp_path: Path) -> None:
    """SIGTERM is handed on, and the child's own end is what is reported."""
    commands(
        tmp_path, serve='trap "exit 42" TERM; kill -TERM $PPID; sleep 9 >/dev/null 2>&1 & wait'
    )
    assert edgezero("serve", cwd=tmp_path).returncode == 42
