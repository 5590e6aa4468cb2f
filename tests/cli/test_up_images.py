"""``edgezero up`` on applications in a registry, as it is typed."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import make_certificate
from tests.cli.running import edgezero, get, refusal, running
from tests.host.registry.images.images import push
from tests.host.registry.oci_server import Registry, client_environment, digest_of, running_registry
from tests.host.support import SCRIPT

GUEST = SCRIPT.read_bytes()
PAGE = b"<h1>page</h1>" * 40
QUIETLY = ("--format", "json", "--quiet")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A machine on which nobody logged in and nothing was pulled."""
    return client_environment(tmp_path)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """With one application."""
    with running_registry() as server:
        push(server, GUEST, {"page": PAGE})
        yield server


def reference(registry: Registry, version: str = ":1.0") -> str:
    """How it is typed."""
    return f"{registry.host}/acme/shop{version}"


@pytest.mark.parametrize("flag", ["-f", "--from", "--from-registry"])
def test_an_image_is_served(registry: Registry, env: dict[str, str], flag: str) -> None:
    """By what looks like one, and by what is said to be one (CLI-10, OCI-27)."""
    with running(flag, reference(registry), "-k", *QUIETLY, env=env) as (told, _):
        assert told["routes"] == [{"id": "hello", "route": "/", "wildcard": True}]
        assert get(told["base_url"] + "/h") == (200, b"hello")
        status, info = get(told["base_url"] + "/.well-known/spin/info")
        digest = digest_of(registry.manifests["acme/shop", "1.0"])
        assert (status, json.loads(info)["oci_image_digest"]) == (200, digest)  # OCI-52


def test_flags_mean_the_same_for_an_image(
    registry: Registry, env: dict[str, str], tmp_path: Path
) -> None:
    """Cache, copies and state are where they are wanted; a build does not concern it."""
    flags: list[str | Path] = ["--env", "A=b", "-c", "hello", "--build", "--insecure"]
    for flag in ("cache-dir", "temp", "state-dir"):
        flags += [f"--{flag}", tmp_path / flag]
    digest = digest_of(registry.manifests["acme/shop", "1.0"])
    named = reference(registry, f"@{digest}")
    with running("-f", named, *flags, *QUIETLY, env=env) as (told, _):
        assert get(told["base_url"] + "/h") == (200, b"hello")
    assert (tmp_path / "cache-dir/registry/wasm" / digest_of(GUEST)).is_file()  # OCI-40
    assert not (tmp_path / "user-cache/spin").exists()
    assert (tmp_path / "temp/assets/hello/page").read_bytes() == PAGE  # OCI-43
    [component] = json.loads((tmp_path / "temp/spin.lock").read_text())["components"]
    assert component["env"] == {"A": "b"}  # LOCK-42
    assert (tmp_path / "state-dir/logs").is_dir()


def test_an_image_is_served_again_when_the_tag_moved(
    registry: Registry, env: dict[str, str]
) -> None:
    """Each start asks what the tag stands for, and downloads what is new (OCI-45)."""
    for content in (PAGE, PAGE * 2):
        push(registry, GUEST, {"page": content})
        registry.asked.clear()
        with running("-f", reference(registry), "-k", *QUIETLY, env=env) as (told, _):
            info = json.loads(get(told["base_url"] + "/.well-known/spin/info")[1])
        assert info["oci_image_digest"] == digest_of(registry.manifests["acme/shop", "1.0"])
    assert f"/moved/{digest_of(GUEST)}" not in registry.asked
    assert f"/moved/{digest_of(PAGE * 2)}" in registry.asked


def test_a_login_opens_a_registry(registry: Registry, env: dict[str, str], tmp_path: Path) -> None:
    """Spin's own (OCI-23); without one the error says how to get one, and nothing is shown."""
    registry.users = {"me": "s3cret"}
    flags = ["--from-registry", reference(registry), "-k"]
    message = refusal(edgezero("up", *flags, env=env))
    assert f"log in with `edgezero registry login {registry.host}`" in message
    path = tmp_path / "config/fermyon/registry-auth.json"
    path.parent.mkdir(parents=True)
    for password, right in (("wr0ngone", False), ("s3cret", True)):
        auth = base64.b64encode(f"me:{password}".encode()).decode()
        path.write_text(json.dumps({"auths": {registry.host: auth}}))
        if right:
            with running(*flags, *QUIETLY, env=env) as (told, _):
                assert get(told["base_url"] + "/h") == (200, b"hello")
        else:
            done = edgezero("up", "-v", *flags, env={**env, "RUST_LOG": "debug"})
            assert done.returncode == 1
            assert password not in done.stdout + done.stderr
            assert auth not in done.stdout + done.stderr


def test_errors_name_the_image(registry: Registry, env: dict[str, str]) -> None:
    """In one line, with what to do."""
    for version, says in (
        (":9", "has no acme/shop:9; check host, path and version"),
        (f"@{digest_of(b'')}", "has no acme/shop@sha256:"),
        (":1.0@sha256:1", "is not a digest"),
    ):
        named = reference(registry, version)
        message = refusal(edgezero("up", "--from-registry", named, "-k", env=env))
        assert message.startswith(f"[edgezero] Error: cannot load {named}: ")
        assert says in message
        assert message.count("\n") == 1
    message = refusal(edgezero("up", "-f", reference(registry), env=env))
    assert "seems to speak plain HTTP, which is asked for by --insecure" in message


def test_a_password_that_was_typed_is_not_shown(env: dict[str, str]) -> None:
    """Neither by --from nor by --from-registry."""
    for flag in ("--from", "--from-registry"):
        message = refusal(edgezero("up", flag, "https://me:s3cret@ghcr.io/acme/shop", env=env))
        assert "***@ghcr.io/acme/shop" in message
        assert "s3cret" not in message


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["-f", "a", "--from-registry", "b"], "exclude each other"),
        (["--from-file", "a", "--from-registry", "b"], "exclude each other"),
        (["--from-registry", "x:1", "--profile", "debug"], "an image has one profile already"),
        (["--from-registry", "x:1", "--direct-mounts"], "an image has copies of its own"),
    ],
)
def test_usage_mistakes_with_images(env: dict[str, str], flags: list[str], says: str) -> None:
    """Status 2, before any registry is asked."""
    done = edgezero("up", *flags, env=env)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_an_image_over_tls(env: dict[str, str], tmp_path: Path) -> None:
    """Without a flag, where the registry's certificate is trusted (OCI-25)."""
    made = make_certificate(tmp_path)
    with running_registry(made) as registry:
        push(registry, GUEST)
        flags = ["--from-registry", reference(registry), *QUIETLY]
        assert "CERTIFICATE_VERIFY_FAILED" in refusal(edgezero("up", *flags, env=env))
        trusting = {**env, "SSL_CERT_FILE": str(made.roots)}
        with running(*flags, env=trusting) as (told, _):
            assert get(told["base_url"] + "/h") == (200, b"hello")
