"""``edgezero registry``, as it is typed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import edgezero, get, refusal, running
from tests.host.registry.images.images import push as push_image
from tests.host.registry.oci_server import Registry, client_environment, digest_of, running_registry
from tests.host.support import SCRIPT

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "shop"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "hello.wasm"
files = [{ source = "static", destination = "/" }]
[component.hello.build]
command = "cp guest.wat hello.wasm"
"""
PAGE = b"<h1>page</h1>" * 40


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A machine on which nobody logged in and nothing was pulled."""
    return client_environment(tmp_path)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An empty one."""
    with running_registry() as server:
        yield server


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with an application that is not built yet."""
    folder = tmp_path / "app"
    (folder / "static").mkdir(parents=True)
    (folder / "static" / "page").write_bytes(PAGE)
    (folder / "guest.wat").write_text(SCRIPT.read_text())
    (folder / "spin.toml").write_text(MANIFEST)
    return folder


def test_from_a_folder_to_a_registry_and_back(
    registry: Registry, env: dict[str, str], app: Path, tmp_path: Path
) -> None:
    """Logged in, built, pushed, pulled and served (CLI-20, CLI-21, OCI-20 to OCI-22)."""
    registry.users = {"me": "s3cret"}
    image = f"{registry.host}/acme/shop:1.0"
    flags: list[str | Path] = [image, "-k", "-f", app, "--annotation", "a=b=c"]
    message = refusal(edgezero("registry", "push", "--build", *flags, env=env))
    assert f"log in with `edgezero registry login {registry.host}`" in message
    login = ["registry", "login", registry.host, "-u", "me", "-p", "s3cret", "-k"]
    done = edgezero(*login, env=env)
    assert (done.returncode, done.stdout) == (
        0,
        f"Successfully logged in as me to registry {registry.host}\n",
    )
    done = edgezero("registry", "push", *flags, env=env)
    content = registry.manifests["acme/shop", "1.0"]
    assert (done.returncode, done.stdout) == (0, f"Pushed with digest {digest_of(content)}\n")
    assert json.loads(content)["annotations"]["a"] == "b=c"
    done = edgezero("registry", "pull", image, "-k", env=env)
    assert (done.returncode, done.stdout) == (0, "Successfully pulled the app from the registry\n")
    assert digest_of(content) in done.stderr
    assert (tmp_path / "user-cache/spin/registry/data" / digest_of(PAGE)).is_file()
    registry.asked.clear()
    with running("-f", image, "-k", "--format", "json", "--quiet", env=env) as (told, _):
        assert get(told["base_url"] + "/h") == (200, b"hello")
    assert f"/moved/{digest_of(PAGE)}" not in registry.asked


def test_a_pull_goes_where_it_is_wanted(
    registry: Registry, env: dict[str, str], tmp_path: Path
) -> None:
    """`--cache-dir` holds a folder `registry` (OCI-40)."""
    push_image(registry, SCRIPT.read_bytes())
    flags: list[str | Path] = [
        f"{registry.host}/acme/shop:1.0",
        "-k",
        "--cache-dir",
        tmp_path / "cache",
    ]
    assert edgezero("registry", "pull", *flags, env=env).returncode == 0
    kept = tmp_path / "cache/registry/wasm" / digest_of(SCRIPT.read_bytes())
    assert kept.is_file()
    assert not (tmp_path / "user-cache").exists()


def test_a_registry_that_says_no_digest(registry: Registry, env: dict[str, str], app: Path) -> None:
    """Is quoted with none (OCI-20)."""
    registry.silent = True
    flags: list[str | Path] = [f"{registry.host}/acme/shop", "-k", "-f", app, "--build"]
    done = edgezero("registry", "push", *flags, env=env)
    assert done.stdout.endswith("Pushed; the registry did not return the digest\n")
    assert ("acme/shop", "latest") in registry.manifests


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pull", "HOST/acme/none:1", "-k"], "cannot load HOST/acme/none:1: the registry HOST has"),
        (["push", "HOST/acme/shop:1", "-k"], "cannot push HOST/acme/shop:1: Component hello"),
        (["push", "HOST/acme/shop:1", "-k", "-f", "no"], "there is no manifest at 'no'"),
        (["push", "https://me:s3cret@HOST/x", "-k"], "cannot push https://***@HOST/x: this is no"),
        (["login", "me:s3cret@HOST", "-u", "a", "-p", "s3cret"], "name the registry alone"),
        (["login", "HOST", "-u", "a", "-p", "s3cret"], "seems to speak plain HTTP"),
        (["login", "HOST", "-u", "a", "-p", "s3cret", "-k"], "does not take this password of 'a'"),
    ],
)
def test_what_is_refused(
    registry: Registry, env: dict[str, str], app: Path, arguments: list[str], says: str
) -> None:
    """In one line, without a password."""
    if arguments[0] == "login":
        registry.users = {"me": "right"}
    typed = [argument.replace("HOST", registry.host) for argument in arguments]
    message = refusal(edgezero("registry", *typed, cwd=app, env=env))
    assert says.replace("HOST", registry.host) in message
    assert message.count("\n") == 1
    assert "s3cret" not in message


@pytest.mark.parametrize(
    "arguments",
    [
        ["push"],
        ["pull"],
        ["login"],
        ["login", "x", "-p", "a", "--password-stdin"],
        ["login", "x", "--password-stdin"],
        ["push", "x", "--annotation", "s3cret"],
        ["push", "x", "--compose=maybe"],
    ],
)
def test_usage_mistakes(env: dict[str, str], arguments: list[str]) -> None:
    """Status 2; nothing is asked and nothing typed in the wrong form is shown."""
    done = edgezero("registry", *arguments, env=env)
    assert done.returncode == 2
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_password_from_standard_input(
    registry: Registry, env: dict[str, str], ending: str
) -> None:
    """The end of its line is none of it; what it says is not shown."""
    registry.users = {"me": "s3 cret"}
    login = ["registry", "login", registry.host, "-u", "me", "--password-stdin", "-k"]
    done = edgezero(*login, env=env, typed=f"s3 cret{ending}")
    assert done.returncode == 0, done.stderr
    assert "s3 cret" not in done.stdout + done.stderr


def test_who_logs_in_is_asked(registry: Registry, env: dict[str, str]) -> None:
    """For a name and a password that were not typed."""
    registry.users = {"me": "s3cret"}
    login = ["registry", "login", registry.host, "-k"]
    done = edgezero(*login, env=env, typed="me\ns3cret\n")
    assert done.returncode == 0, done.stderr
    assert "Username: " in done.stdout
    assert done.stdout.endswith(f"Successfully logged in as me to registry {registry.host}\n")
    assert "s3cret" not in done.stdout
