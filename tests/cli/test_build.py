"""``edgezero build`` as a person runs it."""

import time
from pathlib import Path

import pytest

from edgezero_spin.testing.building import build_components as build_for_tests
from edgezero_spin.testing.errors import KitError
from tests.cli.running import edgezero, get, refusal, running
from tests.host.support import SCRIPT
from tests.wasm.component.wit_components import dummy_component, encoded

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "app"
[[trigger.http]]
route = "/..."
component = "one"
[component.one]
source = "one.wasm"
[component.one.build]
command = {command}
{rest}
"""


def write(folder: Path, command: str, rest: str = "") -> None:
    """Write a manifest with one component."""
    (folder / "spin.toml").write_text(MANIFEST.format(command=command, rest=rest))


def test_what_runs_is_announced_in_order(tmp_path: Path) -> None:
    """Each line of ours stands before the output of the command it announces."""  # CLI-15
    write(tmp_path, '"echo from the build"')
    done = edgezero("build", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "Building component one with `echo from the build`",
        "from the build",
        "Finished building all Spin components",
    ]


def test_several_commands_are_numbered(tmp_path: Path) -> None:
    """A list of commands shows how far it has come, and the folder when it is named."""  # CLI-15
    (tmp_path / "src").mkdir()
    write(tmp_path, '["echo a", "echo b"]', 'workdir = "src"')
    done = edgezero("build", "--from", str(tmp_path))
    folder = f'Working directory: "{tmp_path / "src"}"'
    assert done.stdout.splitlines() == [
        "Building component one (2 commands)",
        "Running build step 1/2 for component one with 'echo a'",
        folder,
        "a",
        "Running build step 2/2 for component one with 'echo b'",
        folder,
        "b",
        "Finished building all Spin components",
    ]


def test_the_first_failure_ends_it_with_its_status(tmp_path: Path) -> None:
    """The child's status is ours, and what follows does not run."""
    write(tmp_path, '["exit 7", "echo never"]')
    done = edgezero("build", cwd=tmp_path)
    assert done.returncode == 7
    assert "never" not in done.stdout.replace("'echo never'", "")
    assert "[edgezero] Error: build command for component one failed with status 7" in done.stderr


def test_nothing_to_build_is_said(tmp_path: Path) -> None:
    """A manifest without build commands is not a failure."""  # CLI-15
    text = MANIFEST.format(command='"x"', rest="").partition("[component.one.build]")[0]
    (tmp_path / "spin.toml").write_text(text)
    done = edgezero("build", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "None of the components have a build command.\n")


def test_a_wrong_manifest_names_file_and_key(tmp_path: Path) -> None:
    """Every fault of the manifest is in the one message, with the file it is in."""
    write(tmp_path, '"true"', 'workdir = "/absolute"')
    message = refusal(edgezero("build", cwd=tmp_path))
    assert str(tmp_path / "spin.toml") in message
    assert "component.one.build.workdir" in message
    assert "must be relative" in message


def test_text_that_is_not_toml_names_the_line(tmp_path: Path) -> None:
    """A syntax error says where it stands."""
    (tmp_path / "spin.toml").write_text('spin_manifest_version = 2\nname = "open\n')
    message = refusal(edgezero("build", cwd=tmp_path))
    assert str(tmp_path / "spin.toml") in message
    assert "line 2" in message


def test_what_runs_after_another_profile_was_built_says_so(tmp_path: Path) -> None:
    """`up` and `registry push` warn, but not with --build."""  # CLI-15
    write(tmp_path, '"true"', '[component.one.profile.debug]\nbuild = { command = "true" }')
    warning = "Warning: another profile was built more recently than this one."

    def warned(*arguments: str) -> bool:
        done = edgezero(*arguments, cwd=tmp_path)
        assert done.returncode == 1, "there is no component to run or to push"
        return warning in done.stderr

    assert not warned("up")
    assert edgezero("build", "--profile", "debug", cwd=tmp_path).returncode == 0
    assert warned("up")
    assert warned("registry", "push", "localhost:1/app:1", "-k")
    assert not warned("up", "--profile", "debug")
    assert not warned("up", "--build")
    assert not warned("up")


@pytest.mark.parametrize("begin", [("build", "--up"), ("b", "-u", "--")])
def test_build_and_serve(begin: tuple[str, ...], tmp_path: Path) -> None:
    """What was built is served, with the flags of `up`, and built once whatever is set."""
    # CLI-14
    (tmp_path / "guest.wat").write_text(SCRIPT.read_text())
    write(tmp_path, '"echo x >> built; cp guest.wat one.wasm"')
    build = (begin[0], "-f", str(tmp_path), *begin[1:])
    told = ("--format", "json", "--quiet", "--state-dir", "")
    with running(*told, begin=build, env={"SPIN_ALWAYS_BUILD": "true"}) as (said, _):
        assert get(said["base_url"] + "/h") == (200, b"hello")
    assert (tmp_path / "built").read_text() == "x\n"


def test_build_and_serve_with_a_profile(tmp_path: Path) -> None:
    """The profile that was built is the one that is served."""
    (tmp_path / "guest.wat").write_text(SCRIPT.read_text())
    profile = '[component.one.profile.slow]\nsource = "slow.wasm"\n'
    profile += '[component.one.profile.slow.build]\ncommand = "cp guest.wat slow.wasm"\n'
    write(tmp_path, '"false"', profile)
    build = ("build", "-f", str(tmp_path), "--profile", "slow", "--up")
    with running("--format", "json", "--quiet", begin=build) as (said, _):
        assert get(said["base_url"] + "/h") == (200, b"hello")


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        (["--up", "--nope"], 2, "No such option '--nope'"),
        (["--up", "--listen", "nowhere"], 1, "nowhere"),
        (["--listen", "127.0.0.1:0"], 2, "No such option '--listen'"),
        (["word"], 2, "word"),
    ],
)
def test_flags_that_neither_command_has(
    typed: list[str], status: int, says: str, tmp_path: Path
) -> None:
    """The command that does not know a flag says so."""
    (tmp_path / "guest.wat").write_text(SCRIPT.read_text())
    write(tmp_path, '"cp guest.wat one.wasm"')
    done = edgezero("build", "-f", tmp_path, *typed)
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_build_that_fails_serves_nothing(tmp_path: Path) -> None:
    """Its status is the command's."""
    write(tmp_path, '"exit 7"')
    assert edgezero("build", "-f", tmp_path, "--up", "--listen", "127.0.0.1:0").returncode == 7


WIT = """package acme:up@1.0.0;
interface getter { get: func() -> u32; }
interface evil { cackle: func(); }
world getting { import getter; }
world cackling { import evil; }
"""


@pytest.fixture
def targeted(tmp_path: Path) -> Path:
    """A project that names a target, and whose build copies its component."""
    (tmp_path / "up.wasm").write_bytes(encoded(WIT))
    (tmp_path / "env.toml").write_text(
        '[triggers.http]\nworlds = [{ path = "up.wasm", world = "acme:up/getting@1.0.0" }]\n'
    )
    for world in ("getting", "cackling"):
        (tmp_path / f"{world}.wasm").write_bytes(dummy_component(WIT, world))
    write(tmp_path, '"cp cackling.wasm one.wasm"')
    text = (tmp_path / "spin.toml").read_text()
    targets = 'targets = [{ path = "env.toml" }]'
    (tmp_path / "spin.toml").write_text(text.replace('"app"', f'"app"\n{targets}'))
    return tmp_path


def test_what_was_built_is_compared_with_its_targets(targeted: Path) -> None:
    """The import is named, the status is 1, and nothing is served."""  # CLI-14, MAN-13
    for more in ((), ("--up", "--listen", "127.0.0.1:0")):
        done = edgezero("build", *more, cwd=targeted)
        assert done.stdout.endswith("Finished building all Spin components\n")
        assert refusal(done) == (
            '[edgezero] Error: Component one (file "one.wasm") can\'t run in environment env '
            "(world acme:up/getting@1.0.0).\n"
            "The component requires the following imports, which the environment does not "
            "provide:\n  - acme:up/evil@1.0.0\n"
            "All components built successfully, but one or more was incompatible with one or "
            "more of the deployment targets.\n"
        )
    text = (targeted / "spin.toml").read_text()
    (targeted / "spin.toml").write_text(text.replace("cp cackling", "cp getting"))
    done = edgezero("build", cwd=targeted)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("flag", ["--skip-target-checks", "--skip-target-check"])
def test_targets_can_be_left_alone(targeted: Path, flag: str) -> None:
    """The flag has Spin's two spellings."""
    done = edgezero("build", flag, cwd=targeted)
    assert (done.returncode, done.stderr) == (0, "")


def test_targets_count_where_nothing_is_built(targeted: Path) -> None:
    """Components that are made elsewhere are compared as well; other commands that build, too."""
    (targeted / "one.wasm").write_bytes((targeted / "cackling.wasm").read_bytes())
    text = (targeted / "spin.toml").read_text()
    (targeted / "spin.toml").write_text(text.partition("[component.one.build]")[0])
    assert "acme:up/evil@1.0.0" in refusal(edgezero("build", cwd=targeted))
    up = edgezero("up", "--build", "--listen", "127.0.0.1:0", cwd=targeted)
    assert "acme:up/evil@1.0.0" in refusal(up)


@pytest.mark.parametrize(
    ("more", "flags", "refused"),
    [
        pytest.param("", (), True, id="compared"),
        pytest.param("", ("--skip-target-checks",), False, id="left alone"),
        pytest.param("; rm spin.toml", (), False, id="without a manifest"),
        pytest.param("; echo x > spin.toml", (), False, id="with one that is none"),
    ],
)
def test_targets_count_where_a_line_of_the_project_builds(
    targeted: Path, more: str, flags: tuple[str, ...], refused: bool
) -> None:
    """``build`` of ``edgezero.toml`` replaces the build and not what follows it."""  # CLI-14
    line = f"cp cackling.wasm one.wasm{more}"
    (targeted / "edgezero.toml").write_text(f'[adapters.spin.commands]\nbuild = "{line}"\n')
    done = edgezero("build", *flags, cwd=targeted)
    assert (targeted / "one.wasm").is_file()
    assert ("acme:up/evil@1.0.0" in done.stderr, done.returncode) == (refused, int(refused))


def test_targets_count_where_the_doctor_builds(targeted: Path) -> None:
    """A component that no target runs is not mended by building it."""  # CLI-14, CLI-40
    done = edgezero("doctor", "--fix", "--yes", cwd=targeted)
    assert (targeted / "one.wasm").is_file()
    assert "not mended: Component one" in done.stderr
    assert (done.returncode, "acme:up/evil@1.0.0" in done.stdout) == (1, True)
    assert "one.wasm is not there" not in done.stdout.partition("Python")[2]


def test_targets_count_where_the_testing_kit_builds(targeted: Path) -> None:
    """Each run says that a component does not fit, built anew or not; a repair is enough."""
    manifest = targeted / "spin.toml"
    for _ in range(2):
        with pytest.raises(KitError, match=r"acme:up/evil@1\.0\.0"):
            build_for_tests(manifest, always=False, since_ns=0)
    manifest.write_text(manifest.read_text().replace("cp cackling", "cp getting"))
    build_for_tests(manifest, always=True, since_ns=time.time_ns())


def test_a_manifest_with_other_faults_is_built_and_not_compared(targeted: Path) -> None:
    """It is said that the targets are not checked."""
    text = (targeted / "spin.toml").read_text()
    (targeted / "spin.toml").write_text(text + '[component.two]\nsource = "x"\nwhat = 1\n')
    done = edgezero("build", cwd=targeted)
    assert done.returncode == 0
    assert "component.two.what: unknown field" in done.stderr
    assert "keep its deployment targets from being checked" in done.stderr


def test_the_catalogue_is_listed_and_fetched(tmp_path: Path) -> None:
    """Without it, the command says how to get it; without its server, one error says so."""
    env = {
        "XDG_CACHE_HOME": str(tmp_path),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{(tmp_path / 'none').as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/spinframework/spin-environments",
    }
    done = edgezero("targets", "list", env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert "edgezero targets update" in done.stderr
    assert "cannot be fetched from https://" in refusal(edgezero("targets", "update", env=env))
    folder = tmp_path / "spin/environments/envs/spin-up"
    folder.mkdir(parents=True)
    (folder / "spin-up@3.2.toml").touch()
    assert edgezero("targets", "list", env=env).stdout == "spin-up@3.2\n"
