"""``edgezero kube``, as it is typed."""

import stat
from pathlib import Path

import pytest
import yaml

from tests.cli.running import edgezero, refusal
from tests.host.registry.images.images import push as push_image
from tests.host.registry.oci_server import client_environment, digest_of, running_registry
from tests.host.support import SCRIPT

IMAGE = "ghcr.io/acme/shop:1.0"


def test_the_flags_of_spin_kube_scaffold(tmp_path: Path) -> None:
    """Lists and pairs are repeated or split at commas, as the plugin splits them."""
    # KUBE-30, K8S-1, V-81
    config = tmp_path / "rc.toml"
    config.write_text("")
    done = edgezero(
        *("kube", "scaffold", "-f", IMAGE, "-r", "1", "--max-replicas", "9"),
        *("--autoscaler", "keda", "--autoscaler-target-cpu-utilization", "50"),
        *("--autoscaler-target-memory-utilization", "70", "--executor", "x", "--cpu-limit", "1"),
        *("--cpu-request", "100m", "--memory-limit", "1Gi", "--memory-request", "1Mi"),
        *("-s", "a,b", "--image-pull-secret", "c", "--service-account-name", "s"),
        *("--azure-identity", "-v", "foo=yoo", "--variable", "bar=1,baz=2", "-v", "list=a,b"),
        *("--component", "hello,world", "--component", "more", "-c", config),
    )
    assert (done.returncode, done.stderr) == (0, "")
    app, secret, scaler = yaml.safe_load_all(done.stdout)
    spec = app["spec"]
    assert [(each["name"], each["value"]) for each in spec["variables"]] == [
        ("bar", "1"),
        ("baz", "2"),
        ("foo", "yoo"),
        ("list", "a,b"),
    ]
    assert [each["name"] for each in spec["imagePullSecrets"]] == ["a", "b", "c"]
    assert spec["components"] == ["hello", "world", "more"]
    assert secret["kind"] == "Secret"
    assert scaler["spec"]["maxReplicaCount"] == 9
    assert [each["metadata"]["value"] for each in scaler["spec"]["triggers"]] == ["50", "70"]


def test_to_a_file(tmp_path: Path) -> None:
    """Whole, for its owner alone, and nothing on standard output."""  # KUBE-31
    path = tmp_path / "app.yaml"
    path.write_text("old")
    done = edgezero("kube", "scaffold", "--from", IMAGE, "--out", path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"Application manifest saved to {path}\n"
    assert yaml.safe_load(path.read_text())["metadata"] == {"name": "shop"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["app.yaml"]


def test_an_image_by_its_digest(tmp_path: Path) -> None:
    """The registry says what the tag stands for now, and no later push moves it."""
    env = client_environment(tmp_path)
    with running_registry() as registry:
        push_image(registry, SCRIPT.read_bytes())
        image = f"{registry.host}/acme/shop"
        scaffold = ("kube", "scaffold", "-f", f"{image}:1.0", "--digest", "-k")
        done = edgezero(*scaffold, env=env)
        digest = digest_of(registry.manifests["acme/shop", "1.0"])
    app = yaml.safe_load(done.stdout)
    assert app["spec"]["image"] == f"{image}@{digest}"
    assert app["metadata"]["name"] == "shop"
    message = refusal(edgezero(*scaffold, env=env))
    assert f"cannot load {image}:1.0" in message


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        ([], 2, "Missing option '-f'"),
        (["-f", IMAGE, "-v", "s3cret"], 2, "must be of the form NAME=VALUE"),
        (["-f", IMAGE, "-v", "a=1,s3cret,b=2"], 2, "must be of the form NAME=VALUE"),
        (["-f", IMAGE, "--component", "a,,b"], 2, "has an empty name"),
        (["-f", IMAGE, "--secret-variable", "a=b"], 2, "write a=SECRET/KEY"),
        (["-f", IMAGE, "--autoscaler", "vpa"], 2, "'vpa' is not one of 'hpa', 'keda'"),
        (["-f", IMAGE, "--autoscaler", "hpa"], 1, "cpu limits must be set"),
        (["-f", "https://me:s3cret@x/y"], 1, "this is not a reference"),
        (
            ["-f", IMAGE, "-o", "no/such/folder.yaml"],
            1,
            "cannot write no/such/folder.yaml: No such file or directory\n",
        ),
        (["-f", IMAGE, "-o", "."], 1, "cannot write .: Is a directory"),
        (["-f", IMAGE, "-c", "none.toml"], 1, "none.toml"),
    ],
)
def test_what_is_refused(typed: list[str], status: int, says: str, tmp_path: Path) -> None:
    """One error, no resource, no file, and no secret repeated."""
    done = edgezero("kube", "scaffold", *typed, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_other_commands_are_those_of_the_plugin(tmp_path: Path) -> None:
    """Where it is installed; else it is named."""
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SPIN_DATA_DIR": str(tmp_path)}
    done = edgezero("kube", "logs", "shop", env=env)
    assert done.returncode == 2
    assert "the plugin `kube`" in done.stderr
    plugin = tmp_path / "spin-kube"
    plugin.write_text('#!/bin/sh\necho "$@"\n')
    plugin.chmod(0o755)
    assert edgezero("kube", "logs", "shop", "-f", env=env).stdout == "logs shop -f\n"
