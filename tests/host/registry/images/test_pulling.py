"""Applications from a registry on this machine, over real HTTP."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgezero_spin.host.registry.cache import ContentCache
from edgezero_spin.host.registry.images import ImageError, pull_image, resolve_image
from tests.certificates import make_certificate
from tests.host.registry.images.images import (
    APPLICATION,
    DATA,
    WASM,
    archive_of,
    content_of,
    locked,
    push,
    push_layers,
)
from tests.host.registry.images.pulled import FILES, GUEST, LARGE, kept, pulled
from tests.host.registry.oci_server import Registry, digest_of, running_registry


def blobs_asked(registry: Registry) -> list[str]:
    """Digests that were downloaded, in order."""
    prefix = "/moved/"
    return [path.removeprefix(prefix) for path in registry.asked if path.startswith(prefix)]


# What Spin pushes


def test_an_application_is_brought_into_the_cache(registry: Registry, cache: ContentCache) -> None:
    """A layer for the component and for each file that is not small (OCI-1 to OCI-3, OCI-10)."""
    digest = push(registry, GUEST, FILES)
    image = pulled(registry, cache)
    assert image.digest == digest
    assert image.app.name == "shop"
    manifests = f"manifests/{registry.host}/acme/shop/1.0"
    # OCI-41, OCI-42; what is 128 bytes or less is in the lock (OCI-11).
    assert kept(cache) == {
        f"wasm/{digest_of(GUEST)}",
        f"data/{digest_of(LARGE)}",
        f"{manifests}/manifest.json",
        f"{manifests}/config.json",
    }
    config = json.loads((cache.root / manifests / "config.json").read_text())
    assert config == locked(GUEST, FILES)
    manifest = (cache.root / manifests / "manifest.json").read_bytes()
    assert digest_of(manifest) == digest


def test_files_come_from_an_archive(registry: Registry, cache: ContentCache) -> None:
    """Their digests are in the lock, their layer is one (OCI-4, OCI-12)."""
    push(registry, GUEST, FILES, archived=True)
    pulled(registry, cache)
    pack = digest_of(archive_of(FILES))
    assert {path for path in kept(cache) if path.startswith("data/")} == {
        f"data/{digest_of(LARGE)}",
        f"data/{pack}",
    }
    registry.asked.clear()
    pulled(registry, cache)
    assert pack not in blobs_asked(registry)
    # With one file gone, the archive is unpacked again, wherever it comes from.
    (cache.root / "data" / digest_of(LARGE)).unlink()
    pulled(registry, cache)
    assert f"data/{digest_of(LARGE)}" in kept(cache)


def test_an_old_image_has_the_lock_for_its_configuration(
    registry: Registry, cache: ContentCache
) -> None:
    """The first Spin that pushed wrote no application layer (OCI-6)."""
    layers = [registry.add_blob(GUEST, WASM), registry.add_blob(LARGE, DATA)]
    config = json.dumps(locked(GUEST, {"x": LARGE})).encode()
    push_layers(registry, layers, config=config, config_type=APPLICATION)
    assert pulled(registry, cache).app.name == "shop"
    assert f"data/{digest_of(LARGE)}" in kept(cache)


def test_dependencies_have_layers_of_their_own(registry: Registry, cache: ContentCache) -> None:
    """As `spin registry push --compose=false` writes them (OCI-15)."""
    thing = b"\0asm thing" * 20
    layers = [registry.add_blob(content, WASM) for content in (GUEST, thing)]
    dependency = {
        "source": {"content_type": "application/wasm", **content_of(thing)},
        "export": None,
    }
    lock = json.dumps(locked(GUEST, dependencies={"acme:x/y": dependency})).encode()
    push_layers(registry, [*layers, registry.add_blob(lock, APPLICATION)])
    pulled(registry, cache)
    assert f"wasm/{digest_of(thing)}" in kept(cache)


def test_a_component_alone_is_an_application(registry: Registry, cache: ContentCache) -> None:
    """As `wkg` pushes it; it is named for its repository (OCI-6, MAN-90)."""
    config_type = "application/vnd.wasm.config.v0+json"
    layer = registry.add_blob(GUEST, "application/wasm")
    push_layers(registry, [layer], config=b'{"os": "wasip2"}', config_type=config_type)
    app = pulled(registry, cache).app
    assert (app.name, [trigger.trigger_config["route"] for trigger in app.triggers]) == (
        "shop",
        ["/..."],
    )


# What is asked, and how often


def test_content_is_downloaded_once_and_tags_are_asked_each_time(
    registry: Registry, cache: ContentCache
) -> None:
    """A tag may have moved (OCI-45); content is shared by applications (OCI-42)."""
    first = push(registry, GUEST, FILES)
    pulled(registry, cache)
    second = push(registry, GUEST, {**FILES, "new": LARGE * 2})
    registry.asked.clear()
    image = pulled(registry, cache)
    assert image.digest == second != first
    lock = digest_of(json.dumps(locked(GUEST, {**FILES, "new": LARGE * 2})).encode())
    assert sorted(blobs_asked(registry)) == sorted([lock, digest_of(LARGE * 2)])


def test_a_digest_names_one_image(registry: Registry, cache: ContentCache) -> None:
    """It is verified, and kept as `latest` (OCI-28, OCI-41)."""
    digest = push(registry, GUEST)
    push(registry, GUEST, FILES)
    image = pulled(registry, cache, f"@{digest}")
    assert image.digest == digest
    assert image.app.components[0].files == ()
    assert f"manifests/{registry.host}/acme/shop/latest/manifest.json" in kept(cache)
    assert pulled(registry, cache, f":1.0@{digest}").digest == digest


def test_a_reference_is_resolved_without_a_download(registry: Registry) -> None:
    """Who checks signatures checks what is run afterwards (OCI-50, OCI-52)."""
    digest = push(registry, GUEST)
    found = resolve_image(f"{registry.host}/acme/shop:1.0", insecure=True)
    assert found == f"{registry.host}/acme/shop@{digest}"
    assert blobs_asked(registry) == []


def test_a_damaged_file_is_downloaded_again(registry: Registry, cache: ContentCache) -> None:
    """Spin writes into the same cache, and not always to the end."""
    push(registry, GUEST, FILES)
    pulled(registry, cache)
    for path in (cache.root / "wasm").iterdir():
        path.write_bytes(path.read_bytes()[:10])
    pulled(registry, cache)
    assert (cache.root / "wasm" / digest_of(GUEST)).read_bytes() == GUEST


def test_many_layers_are_pulled_at_once(registry: Registry, cache: ContentCache) -> None:
    """More than fit at a time (OCI-25), each once."""
    files = {str(number): LARGE + bytes([number]) for number in range(60)}
    push(registry, GUEST, files)
    pulled(registry, cache)
    assert len(blobs_asked(registry)) == len(set(blobs_asked(registry))) == 62
    assert len([path for path in kept(cache) if path.startswith("data/")]) == 60


def test_several_hosts_pull_at_once(registry: Registry, cache: ContentCache) -> None:
    """Into one cache; each finds everything whole."""
    push(registry, GUEST, FILES, archived=True)

    def pull(_: int) -> None:
        own = ContentCache(cache.root)
        pulled(registry, own)
        assert own.kept(digest_of(LARGE)) is not None

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(pull, range(6)))
    assert not [path for path in kept(cache) if ".part-" in path]


# Who asks


@pytest.mark.parametrize("basic", [False, True])
def test_spins_login_is_used(
    registry: Registry, cache: ContentCache, tmp_path: Path, basic: bool
) -> None:
    """For a token, or as it is (OCI-23)."""
    registry.users = {"me": "s3cret"}
    registry.basic = basic
    push(registry, GUEST)
    path = tmp_path / "config/fermyon/registry-auth.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"auths": {registry.host: "bWU6czNjcmV0"}}))
    assert pulled(registry, cache).app.name == "shop"


def test_dockers_login_is_used(registry: Registry, cache: ContentCache, tmp_path: Path) -> None:
    """Where Spin has none (OCI-23)."""
    registry.users = {"me": "s3cret"}
    push(registry, GUEST)
    (tmp_path / "docker").mkdir()
    config = {"auths": {registry.host: {"auth": "bWU6czNjcmV0"}}}
    (tmp_path / "docker/config.json").write_text(json.dumps(config))
    assert pulled(registry, cache).app.name == "shop"


def test_no_password_is_told(
    registry: Registry, cache: ContentCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the error, nor in any log, nor by what was typed."""
    registry.users = {"me": "s3cret"}
    push(registry, GUEST)
    path = tmp_path / "config/fermyon/registry-auth.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"auths": {registry.host: "bWU6d3IwbmdvbmU="}}))
    with caplog.at_level(logging.DEBUG), pytest.raises(ImageError) as caught:
        pulled(registry, cache)
    assert "log in with" in str(caught.value)
    with pytest.raises(ImageError) as typed:
        pull_image(f"me:wr0ngone@{registry.host}/acme/shop", cache)
    for text in (str(caught.value), repr(caught.value), caplog.text, repr(typed.value)):
        assert "wr0ngone" not in text
        assert "bWU6" not in text


# TLS


def test_a_registry_is_asked_over_tls(
    tmp_path: Path, cache: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on this machine, as Spin does; with a certificate that is trusted (OCI-25)."""
    certificate = make_certificate(tmp_path)
    with running_registry(certificate) as registry:
        registry.open_to_all = True
        push(registry, GUEST, FILES)
        reference = f"{registry.host}/acme/shop:1.0"
        with pytest.raises(ImageError, match=r"CERTIFICATE_VERIFY_FAILED.*SSL_CERT_FILE names"):
            pull_image(reference, cache)
        assert registry.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.roots))
        assert pull_image(reference, cache).app.name == "shop"


def test_plain_http_has_to_be_asked_for(registry: Registry, cache: ContentCache) -> None:
    """No reference and no login goes out in the clear by itself."""
    push(registry, GUEST)
    with pytest.raises(ImageError, match=r"seems to speak plain HTTP, .* --insecure"):
        pull_image(f"{registry.host}/acme/shop:1.0", cache)
    assert registry.asked == []
