"""Applications from a registry on this machine, over real HTTP."""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.content_cache import ContentCache
from edgezero_spin.host.engine import Engine
from edgezero_spin.host.oci import ImageError, PulledImage, pull_image, pulling, resolve_image
from tests.certificates import make_certificate
from tests.host.oci.images import (
    APPLICATION,
    ARCHIVE,
    DATA,
    WASM,
    archive_of,
    content_of,
    locked,
    push,
    push_layers,
)
from tests.host.oci_server import IMAGE_MANIFEST, Registry, digest_of, running_registry
from tests.host.support import SCRIPT

GUEST = SCRIPT.read_bytes()
LARGE = b"<h1>page</h1>" * 40
FILES = {"index.html": LARGE, "a/deep/page": LARGE, "small": b"small", "empty": b""}


@pytest.fixture(autouse=True)
def nothing_of_this_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither logins nor a cache, and no proxy."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An empty one."""
    with running_registry() as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    """An empty one."""
    return ContentCache(tmp_path / "cache")


def pulled(
    registry: Registry, cache: ContentCache, version: str = ":1.0", repository: str = "acme/shop"
) -> PulledImage:
    """An image of the registry."""
    return pull_image(f"{registry.host}/{repository}{version}", cache, insecure=True)


def kept(cache: ContentCache) -> set[str]:
    """Everything in the cache, relative to it."""
    return {
        path.relative_to(cache.root).as_posix() for path in cache.root.rglob("*") if path.is_file()
    }


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
    failures: list[BaseException] = []

    def pull() -> None:
        try:
            own = ContentCache(cache.root)
            pulled(registry, own)
            assert own.kept(digest_of(LARGE)) is not None
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=pull) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
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


# What is refused


def tampered(registry: Registry) -> None:
    """A component is another one."""
    registry.blobs[digest_of(GUEST)] = GUEST[:-1] + b"?"


def longer(registry: Registry) -> None:
    """A layer has more bytes than the manifest says."""
    registry.blobs[digest_of(GUEST)] = GUEST + b"more"


def lock_tampered(registry: Registry) -> None:
    """The application is another one."""
    digest = digest_of(json.dumps(locked(GUEST, FILES)).encode())
    registry.blobs[digest] = registry.blobs[digest].replace(b"shop", b"evil")


def lock_longer(registry: Registry) -> None:
    """The application has more bytes than the manifest says."""
    digest = digest_of(json.dumps(locked(GUEST, FILES)).encode())
    registry.blobs[digest] += b" " * 100_000


def manifest_tampered(registry: Registry) -> None:
    """The registry promises another digest than the manifest has."""
    registry.headers["docker_content_digest"] = digest_of(b"other")


def layer_missing(registry: Registry) -> None:
    """A layer is not there."""
    del registry.blobs[digest_of(LARGE)]


def index(registry: Registry) -> None:
    """It is several images."""
    value = {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST.replace("manifest", "index")}
    registry.add_manifest("acme/shop", "1.0", {**value, "manifests": []})


def old_manifest(registry: Registry) -> None:
    """It is a manifest of the first kind."""
    registry.add_manifest("acme/shop", "1.0", {"schemaVersion": 1, "fsLayers": []})


def no_manifest(registry: Registry) -> None:
    """It is a web page."""
    registry.add_manifest("acme/shop", "1.0", b"<html>")


def huge_manifest(registry: Registry) -> None:
    """It has no end."""
    registry.add_manifest("acme/shop", "1.0", b" " * (4 * 1024 * 1024 + 1))


def nested_manifest(registry: Registry) -> None:
    """It is deeper than a reader can go."""
    registry.add_manifest("acme/shop", "1.0", b"[" * 100_000)


def container(registry: Registry) -> None:
    """It is a container."""
    layers = [registry.add_blob(b"1", "application/x.tar"), registry.add_blob(b"2", "x/y")]
    push_layers(registry, layers, config=b'{"os": "linux"}')


def no_lock(registry: Registry) -> None:
    """Its application is no JSON."""
    push_layers(registry, [registry.add_blob(b"no", APPLICATION)])


def deep_lock(registry: Registry) -> None:
    """Its application is deeper than what walks through it."""
    nested: Any = "x"
    for _ in range(300):
        nested = [nested]
    push(registry, GUEST, metadata={"x": nested})


def newer_lock(registry: Registry) -> None:
    """Its application is for a later host."""
    lock = json.dumps({**locked(GUEST), "spin_lock_version": 7}).encode()
    push_layers(registry, [registry.add_blob(lock, APPLICATION)])


def host_files(registry: Registry) -> None:
    """Its application asks for files of this machine."""
    push(registry, GUEST, files=[{"source": "file:///etc/passwd", "path": "passwd"}])


def elsewhere(registry: Registry) -> None:
    """Its application names content that it does not bring."""
    push(registry, GUEST, files=[{"digest": digest_of(b"other"), "path": "x"}])


def evil_archive(registry: Registry) -> None:
    """Its archive leads out."""
    layers = [
        registry.add_blob(GUEST, WASM),
        registry.add_blob(archive_of({"../../x": LARGE}), ARCHIVE),
        registry.add_blob(json.dumps(locked(GUEST, {"x": LARGE})).encode(), APPLICATION),
    ]
    push_layers(registry, layers)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (tampered, "invalid content digest; expected sha256:"),
        (longer, f"larger than {len(GUEST)} bytes"),
        (lock_tampered, "its application is not what the manifest says"),
        (lock_longer, "its application is not what the manifest says"),
        (manifest_tampered, "the manifest of acme/shop:1.0 has the digest"),
        (layer_missing, f"has no blob {digest_of(LARGE)} in acme/shop"),
        (index, "is an index of images for several platforms"),
        (old_manifest, "it is no image"),
        (no_manifest, "answered with what is no JSON object"),
        (nested_manifest, "answered with what is no JSON object"),
        (huge_manifest, "more than a manifest can be"),
        (container, "neither a Spin application"),
        (no_lock, "its application is no JSON"),
        (deep_lock, "its application is nested more than 64 deep"),
        (newer_lock, "its application cannot be read"),
        (host_files, "names a URL"),
        (elsewhere, f"file 'x': {digest_of(b'other')} is in none of its layers"),
        (evil_archive, "is refused: its member './../../x' leads out of the archive"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_images_that_are_refused(
    registry: Registry, cache: ContentCache, change: Callable[[Registry], None], says: str
) -> None:
    """In one line with the reference; what is kept has its digest, and the rest is gone."""
    push(registry, GUEST, FILES)
    change(registry)
    with pytest.raises(ImageError) as caught:
        pulled(registry, cache)
    message = str(caught.value)
    assert message.startswith(f"cannot load {registry.host}/acme/shop:1.0: ")
    assert says in message
    assert "\n" not in message
    for path in kept(cache):
        assert digest_of((cache.root / path).read_bytes()) == Path(path).name


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (":2.0", "has no acme/shop:2.0; check host, path and version"),
        (f"@{digest_of(b'')}", f"has no acme/shop@{digest_of(b'')}; check"),
        ("@sha256:00", "is no digest; it is 'sha256:' and 64 hex digits"),
        (":a b", "this is no reference such as ghcr.io/acme/shop:1.0"),
    ],
)
def test_images_that_are_not_there(
    registry: Registry, cache: ContentCache, version: str, says: str
) -> None:
    """The error says what to look at."""
    push(registry, GUEST)
    with pytest.raises(ImageError) as caught:
        pulled(registry, cache, version)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (403, "log in with `edgezero registry login localhost:"),
        (429, "too many requests; try again later"),
        (500, "answered 500"),
    ],
)
def test_a_registry_that_refuses(
    registry: Registry, cache: ContentCache, status: int, says: str
) -> None:
    """Its status is told in words where they help."""
    registry.refusing = status
    with pytest.raises(ImageError, match=says):
        pulled(registry, cache)


def test_a_registry_that_is_not_there(cache: ContentCache) -> None:
    """The reason is the system's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ImageError, match=f"the registry {host} cannot be asked: .*refused"):
            pull_image(f"{host}/shop", cache)


def test_files_that_take_too_much_room(
    registry: Registry, cache: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One small layer under many names is many files on the disk."""
    files = {str(number): LARGE for number in range(10)}
    push(registry, GUEST, files)
    monkeypatch.setattr(pulling, "MAX_TOTAL_BYTES", len(LARGE) * 10)
    pulled(registry, cache)
    monkeypatch.setattr(pulling, "MAX_TOTAL_BYTES", len(LARGE) * 10 - 1)
    with pytest.raises(ImageError, match=f"its files have {len(LARGE) * 10} bytes"):
        pulled(registry, cache)


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


# What runs


def options(tmp_path: Path, engine: Engine) -> dict[str, Any]:
    """How a host is started here."""
    return {
        "insecure": True,
        "engine": engine,
        "settings": HostSettings(cache_dir=None),
        "downloads_dir": tmp_path / "cache",
        "work_dir": tmp_path / "work",
    }


def answer_of(host: Host, target: str) -> str:
    """What the application says."""

    async def ask() -> str:
        return await (await host.handle(HttpRequest(target=target))).text()

    return asyncio.run(ask())


@pytest.mark.parametrize("archived", [False, True])
def test_an_application_from_a_registry_answers(
    registry: Registry, shared_engine: Engine, tmp_path: Path, archived: bool
) -> None:
    """Its files are where the contract has them, its origin and digest are known."""
    digest = push(registry, GUEST, FILES, archived=archived)
    reference = f"{registry.host}/acme/shop:1.0"
    with Host.from_registry(reference, **options(tmp_path, shared_engine)) as host:
        assert answer_of(host, "/h") == "hello"
        told = json.loads(answer_of(host, "/.well-known/spin/info"))
        # OCI-52, LOCK-15
        assert host.image_digest == told["oci_image_digest"] == digest
        assert host.notices == (f"Loaded {reference} with digest {digest}",)
    found = {
        path.relative_to(tmp_path / "work/assets/hello").as_posix(): path.read_bytes()
        for path in (tmp_path / "work/assets/hello").rglob("*")
        if path.is_file()
    }
    assert found == FILES  # OCI-43
    lock = json.loads((tmp_path / "work/spin.lock").read_text())
    assert lock["metadata"]["origin"] == f"vnd.fermyon.origin-oci:{reference}"  # OCI-30
    [component] = lock["components"]
    # OCI-44
    assert component["source"]["source"].startswith((tmp_path / "cache/wasm").as_uri())
    assert component["files"] == [
        {"source": (tmp_path / "work/assets/hello").as_uri(), "path": "/"}
    ]


def test_an_application_from_a_registry_keeps_no_state(
    registry: Registry, shared_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither beside itself nor in the current folder (STATE-1, OCI-44)."""
    monkeypatch.chdir(tmp_path)
    metadata = {"key_value_stores": ["default"]}
    push(registry, GUEST, metadata=metadata)
    reference = f"{registry.host}/acme/shop:1.0"
    with Host.from_registry(reference, **options(tmp_path, shared_engine)) as host:
        assert not any("Storing" in notice for notice in host.notices)
    assert not list(tmp_path.rglob("*.db"))
    assert not (tmp_path / ".spin").exists()


def test_the_cache_is_spins(registry: Registry, shared_engine: Engine, tmp_path: Path) -> None:
    """What `spin registry pull` fetched is not fetched again (OCI-40)."""
    push(registry, GUEST)
    given = options(tmp_path, shared_engine)
    del given["downloads_dir"]
    with Host.from_registry(f"{registry.host}/acme/shop:1.0", **given):
        pass
    assert (tmp_path / "user-cache/spin/registry/wasm" / digest_of(GUEST)).is_file()


def test_a_lock_that_lies_about_its_origin(
    registry: Registry, shared_engine: Engine, tmp_path: Path
) -> None:
    """What is told is what was asked, and no folder of this machine becomes its home (OCI-30)."""
    lock = locked(GUEST)
    lock["metadata"] |= {
        "origin": (tmp_path / "spin.toml").as_uri(),
        "oci_image_digest": "sha256:0",
    }
    layers = [
        registry.add_blob(GUEST, WASM),
        registry.add_blob(json.dumps(lock).encode(), APPLICATION),
    ]
    digest = push_layers(registry, layers)
    reference = f"{registry.host}/acme/shop:1.0"
    with Host.from_registry(reference, **options(tmp_path, shared_engine)) as host:
        assert host.image_digest == digest
        assert not any("logs" in notice for notice in host.notices)
    metadata = json.loads((tmp_path / "work/spin.lock").read_text())["metadata"]
    assert metadata["origin"] == f"vnd.fermyon.origin-oci:{reference}"
