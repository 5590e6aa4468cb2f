"""Signatures of images: what is not signed by a key that was given is not run."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from edgezero_spin.host import Host
from edgezero_spin.host.registry.cache import ContentCache
from edgezero_spin.host.registry.images import SignatureError, pull_image, resolve_image
from tests.cli.running import edgezero, get, refusal, running
from tests.host.debian_servers import running_docker_registry
from tests.host.registry.images.images import push
from tests.host.registry.images.signing import (
    add_bundle,
    add_signatures,
    claim,
    public_pem,
    statement,
)
from tests.host.registry.oci_server import (
    Registry,
    client_environment,
    digest_of,
    running_registry,
)
from tests.host.support import SCRIPT

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
ELSEWHERE = digest_of(b"another image")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    """An empty one, and a machine on which nobody logged in."""
    for name, value in client_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with running_registry() as server:
        yield server


Sign = Callable[[Registry, str], None]


def without_list(sign: Sign) -> Sign:
    """Sign in a registry that lists no referrers."""

    def signing(registry: Registry, digest: str) -> None:
        registry.lists_referrers = False
        sign(registry, digest)

    return signing


def bundle_after_other(registry: Registry, digest: str) -> None:
    """A bundle of somebody else's, then a good one."""
    add_bundle(registry, digest, OTHER, statement(digest))
    add_bundle(registry, digest, KEY, statement(digest))


def bundle_beside_payload(registry: Registry, digest: str) -> None:
    """Both forms, of which one is somebody else's."""
    add_signatures(registry, digest, (claim(digest), OTHER))
    add_bundle(registry, digest, KEY, statement(digest))


GOOD: dict[str, Sign] = {
    "payload": lambda registry, digest: add_signatures(registry, digest, (claim(digest), KEY)),
    "payload after others": lambda registry, digest: add_signatures(
        registry,
        digest,
        (claim(digest), "no base64"),
        (claim(digest), OTHER),
        (claim(ELSEWHERE), KEY),
        (claim(digest) + b" ", KEY),
    ),
    "bundle": lambda registry, digest: add_bundle(registry, digest, KEY, statement(digest)),
    "bundle without a list": without_list(
        lambda registry, digest: add_bundle(registry, digest, KEY, statement(digest))
    ),
    "bundle after another": bundle_after_other,
    "bundle beside a wrong payload": bundle_beside_payload,
}


@pytest.mark.parametrize("form", GOOD)
def test_a_signed_image_is_run(form: str, registry: Registry, tmp_path: Path) -> None:
    """By tag and by digest, whatever other signatures there are."""
    # SIG-1 to SIG-10, V-92/1, V-93/1-2
    digest = push(registry, SCRIPT.read_bytes())
    GOOD[form](registry, digest)
    cache = ContentCache(tmp_path / "cache")
    for version in (":1.0", f"@{digest}"):
        image = f"{registry.host}/acme/shop{version}"
        assert pull_image(image, cache, insecure=True, verify=public_pem(KEY)).digest == digest
    keys = [public_pem(OTHER), public_pem(KEY)]
    assert resolve_image(image, insecure=True, verify=keys).endswith(f"@{digest}")


def altered(registry: Registry, digest: str) -> None:
    """Sign an image, then push another one to its tag."""
    add_signatures(registry, digest, (claim(digest), KEY))
    push(registry, SCRIPT.read_bytes(), {"more": b"x"})


def changed_payload(registry: Registry, digest: str) -> None:
    """Sign one payload and have the registry serve another in its place."""
    add_signatures(registry, digest, (claim(digest), KEY))
    registry.blobs[digest_of(claim(digest))] = claim(digest).replace(b"null", b"true")


def huge_payload(registry: Registry, digest: str) -> None:
    """A payload that no signature has."""
    add_signatures(registry, digest, (claim(digest) + b" " * 1024 * 1024, KEY))


BAD: dict[str, tuple[Sign, str]] = {
    "none": (lambda registry, digest: None, "no signatures found for sha256:"),
    "altered image": (altered, "no signatures found for sha256:"),
    "another key": (
        lambda registry, digest: add_signatures(registry, digest, (claim(digest), OTHER)),
        "a signature is of another key, or its payload was changed",
    ),
    "another image": (
        lambda registry, digest: add_signatures(registry, digest, (claim(ELSEWHERE), KEY)),
        f"a signature is for another image, {ELSEWHERE}",
    ),
    "another claim": (
        lambda registry, digest: add_signatures(registry, digest, (claim(digest, "x"), KEY)),
        "not a cosign claim about an image",
    ),
    "signed nonsense": (
        lambda registry, digest: add_signatures(registry, digest, (b"[" * 9999, KEY)),
        "not a cosign claim about an image",
    ),
    "signature of something else": (
        lambda registry, digest: add_signatures(
            registry, digest, (claim(digest), KEY.sign(b"x", ec.ECDSA(SHA256())))
        ),
        "a signature is of another key",
    ),
    "no DER": (
        lambda registry, digest: add_signatures(registry, digest, (claim(digest), b"xx")),
        "a signature is of another key",
    ),
    "no base64": (
        lambda registry, digest: add_signatures(registry, digest, (claim(digest), "?!")),
        "a signature is not base64",
    ),
    "changed payload": (changed_payload, "a signature is not what the manifest says"),
    "huge payload": (huge_payload, "is refused"),
    "another type": (
        lambda registry, digest: add_signatures(
            registry, digest, (claim(digest), KEY), media_type="text/plain"
        ),
        "a layer of type text/plain is not a signature",
    ),
    "bundle of another key": (
        lambda registry, digest: add_bundle(registry, digest, OTHER, statement(digest)),
        "a bundle is of another key, or was changed",
    ),
    "bundle for another image": (
        lambda registry, digest: add_bundle(registry, digest, KEY, statement(ELSEWHERE)),
        f"a bundle is for another image, {ELSEWHERE.removeprefix('sha256:')}",
    ),
    "changed bundle": (
        lambda registry, digest: add_bundle(
            registry, digest, KEY, statement(ELSEWHERE), written=statement(digest)
        ),
        "a bundle is of another key, or was changed",
    ),
    "bundle that attests": (
        lambda registry, digest: add_bundle(
            registry, digest, KEY, statement(digest, "https://slsa.dev/provenance/v1")
        ),
        "a bundle says something else than that an image was signed",
    ),
    "bundle of another type": (
        lambda registry, digest: add_bundle(
            registry, digest, KEY, statement(digest), payload_type="text/plain"
        ),
        "a bundle says something else",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_is_not_signed_is_not_touched(fault: str, registry: Registry, tmp_path: Path) -> None:
    """It is said why; nothing of the image was read but its manifest, and nothing is kept."""
    # SIG-6, V-92/2-5, V-93/3
    sign, says = BAD[fault]
    sign(registry, push(registry, SCRIPT.read_bytes()))
    registry.asked.clear()
    cache = tmp_path / "cache"
    image = f"{registry.host}/acme/shop:1.0"
    with pytest.raises(SignatureError) as caught:
        pull_image(image, ContentCache(cache), insecure=True, verify=public_pem(KEY))
    assert str(caught.value).startswith(f"cannot verify {image}: ")
    assert says in str(caught.value)
    assert not list(cache.rglob("*"))
    wasm, lock = digest_of(SCRIPT.read_bytes()), registry.manifests["acme/shop", "1.0"]
    read = {path.rpartition("/")[2] for path in registry.asked}
    assert wasm not in read
    assert not any(digest in read for digest in registry.blobs if digest.encode() in lock)


def pem(key: object) -> bytes:
    """A public key of any kind."""
    public: bytes = key.public_key().public_bytes(  # type: ignore[attr-defined]
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return public


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([], "no key was given to verify it with"),
        ("nowhere.pub", "the key nowhere.pub cannot be read: No such file"),
        (b"hello", "the key is not a public key in PEM"),
        (
            KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "is a private key; give the public one",
        ),
        (pem(ec.generate_private_key(ec.SECP384R1())), "not an ECDSA key on the curve P-256"),
        (pem(rsa.generate_private_key(65537, 2048)), "not an ECDSA key on the curve P-256"),
        ([public_pem(KEY), b"hello"], "the key is not a public key in PEM"),
    ],
)
def test_a_key_that_cannot_be_used(
    keys: object, says: str, registry: Registry, tmp_path: Path
) -> None:
    """Is refused before the registry is asked, and its content is not repeated."""
    image = f"{registry.host}/acme/shop:1.0"
    with pytest.raises(SignatureError) as caught:
        pull_image(
            image,
            ContentCache(tmp_path),
            insecure=True,
            verify=keys,  # type: ignore[arg-type]
        )
    assert says in str(caught.value)
    assert "MII" not in str(caught.value)
    assert registry.asked == []


def test_a_registry_that_fails_is_no_good_signature(registry: Registry, tmp_path: Path) -> None:
    """An error of it is an error, not a missing signature."""
    push(registry, SCRIPT.read_bytes())
    registry.refusing = 500
    with pytest.raises(Exception, match="500"):
        pull_image(
            f"{registry.host}/acme/shop:1.0",
            ContentCache(tmp_path),
            insecure=True,
            verify=public_pem(KEY),
        )


def test_a_host_runs_what_was_verified(registry: Registry, tmp_path: Path) -> None:
    """`Host.from_registry(verify=...)` takes the path of a key."""
    digest = push(registry, SCRIPT.read_bytes())
    key = tmp_path / "cosign.pub"
    key.write_bytes(public_pem(KEY))
    image = f"{registry.host}/acme/shop:1.0"
    with pytest.raises(SignatureError):
        Host.from_registry(image, insecure=True, verify=key)
    add_signatures(registry, digest, (claim(digest), KEY))
    with Host.from_registry(image, insecure=True, verify=key) as host:
        assert host.image_digest == digest


def test_the_flag_of_the_commands(registry: Registry, tmp_path: Path) -> None:
    """`up`, `registry pull` and `kube scaffold --digest` check the same."""
    digest = push(registry, SCRIPT.read_bytes())
    env = client_environment(tmp_path)
    key = tmp_path / "cosign.pub"
    key.write_bytes(public_pem(KEY))
    image = f"{registry.host}/acme/shop:1.0"
    checked = ("-k", "--verify-key", key)
    for line in (
        ("up", "-f", image),
        ("registry", "pull", image),
        ("kube", "scaffold", "--digest", "-f", image),
    ):
        message = refusal(edgezero(*line, *checked, env=env))
        assert f"cannot verify {image}: no signatures found" in message
    add_signatures(registry, digest, (claim(digest), KEY))
    done = edgezero("kube", "scaffold", "--digest", "-f", image, *checked, env=env)
    assert f'image: "{registry.host}/acme/shop@{digest}"' in done.stdout
    told = ("--format", "json", "--quiet")
    with running("-f", image, *checked, *told, env=env) as (said, _):
        assert get(said["base_url"] + "/h") == (200, b"hello")


def test_files_of_this_disk_have_no_signature(tmp_path: Path) -> None:
    """The flag is refused and not passed over."""
    (tmp_path / "a.wat").write_text(SCRIPT.read_text())
    done = edgezero("up", "-f", tmp_path / "a.wat", "--verify-key", "x.pub")
    assert done.returncode == 2
    assert "--verify-key checks images" in done.stderr


@pytest.mark.parametrize("form", [(), ("--new-bundle-format",)], ids=["payload", "bundle"])
def test_what_cosign_signs(
    form: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushed by us to a real registry, signed and verified by cosign, then run by us."""
    cosign = shutil.which("cosign")
    if cosign is None:
        pytest.skip("cosign is not installed")
    for name, value in {**client_environment(tmp_path), "COSIGN_PASSWORD": ""}.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [cosign, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr

    (tmp_path / "hello.wasm").write_text(SCRIPT.read_text())
    (tmp_path / "spin.toml").write_text(
        'spin_manifest_version = 2\n[application]\nname = "shop"\n[[trigger.http]]\n'
        'route = "/..."\ncomponent = "hello"\n[component.hello]\nsource = "hello.wasm"\n'
    )
    with running_docker_registry() as address:
        image = f"{address}/acme/shop"
        done = edgezero("registry", "push", "-k", "-f", tmp_path, f"{image}:1.0")
        digest = done.stdout.split()[-1]
        run("generate-key-pair")
        key = tmp_path / "cosign.pub"
        pull = ("registry", "pull", "-k", f"{image}:1.0", "--verify-key", key)
        assert "no signatures found" in refusal(edgezero(*pull))
        plain = ("--allow-http-registry", f"{image}@{digest}")
        run("sign", "--yes", "--key", "cosign.key", "--tlog-upload=false", *form, *plain)
        if not form:
            # For a bundle cosign wants roots from the network, even with a key.
            run("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", *plain)
        assert edgezero(*pull).returncode == 0
        told = ("--format", "json", "--quiet")
        with running("-k", "-f", f"{image}:1.0", "--verify-key", key, *told) as (said, _):
            assert get(said["base_url"] + "/h") == (200, b"hello")
