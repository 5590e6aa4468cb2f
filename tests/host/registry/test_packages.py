"""Components from package registries: an OCI registry on this machine, and local folders."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.registry.credentials import Credentials
from edgezero_spin.host.registry.downloads import Downloads
from edgezero_spin.host.registry.package_config import (
    PackageConfig,
    config_path,
    load_package_config,
)
from edgezero_spin.host.registry.session import OciSession, RegistryEndpoint
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.manifest.spin import FetchError, PackageSource
from tests.host.load.dependency_texts import THING, asking_script
from tests.host.registry.oci_server import Registry, running_registry

WASM = b"\0asm of 1.2.3"


@pytest.fixture(autouse=True)
def nothing_of_this_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither configuration nor logins, and no proxy."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def registry() -> Iterator[Registry]:
    """One with several versions of a package."""
    with running_registry() as server:
        versions = ["0.9.0", "1.2.2", "1.2.3", "1.10.0", "2.0.0-rc.1", "not-a-version"]
        server.packages["acme/hello"] = {
            version: f"\0asm of {version}".encode() for version in versions
        }
        yield server


def configured(folder: Path, text: str) -> Path:
    """A configuration of registries."""
    path = folder / "registries.toml"
    path.write_text(text)
    return path


def over_http(registry: Registry, more: str = "") -> str:
    """What the configuration has to say of a registry without TLS."""
    return f'[registry."{registry.host}".oci]\nprotocol = "http"\n{more}'


def fetched(
    tmp_path: Path,
    registry: Registry,
    version: str = "1.2.3",
    *,
    exact: bool = True,
    text: str | None = None,
) -> bytes:
    """The bytes of a package."""
    config = configured(tmp_path, over_http(registry) if text is None else text)
    source = PackageSource("acme:hello", version, registry.host, exact=exact)
    return Downloads(tmp_path / "cache", package_config=config)(source).read_bytes()


def test_a_package_is_fetched_once(tmp_path: Path, registry: Registry) -> None:
    """It is kept under the digest of its only layer (MAN-32, MAN-33)."""
    assert fetched(tmp_path, registry) == WASM
    kept = tmp_path / "cache" / "wasm" / f"sha256:{hashlib.sha256(WASM).hexdigest()}"
    assert kept.read_bytes() == WASM
    registry.asked.clear()
    assert fetched(tmp_path, registry) == WASM
    # Which digest a version has is asked again, its bytes are not.
    assert [path for path in registry.asked if "blobs" in path] == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.2.3", "1.10.0"),
        ("^1", "1.10.0"),
        ("~1.2", "1.2.3"),
        ("=1.2.2", "1.2.2"),
        ("<1", "0.9.0"),
        (">=2.0.0-rc", "2.0.0-rc.1"),
        ("*", "1.10.0"),
    ],
)
def test_a_dependency_takes_the_highest_version_that_will_do(
    tmp_path: Path, registry: Registry, version: str, expected: str
) -> None:
    """Of all tags, also those on later pages; what is not a version is left out (MAN-72)."""
    assert fetched(tmp_path, registry, version, exact=False) == f"\0asm of {expected}".encode()


@pytest.mark.parametrize(
    ("version", "exact", "says"),
    [
        ("^1.2", True, r"'\^1.2' is not a semantic version"),
        ("1.2", True, "'1.2' is not a semantic version"),
        ("latest", False, "'latest' is not a requirement"),
        ("9", False, r"No matching version found for acme:hello 9 \(there: 2.0.0-rc.1, 1.10.0, "),
        ("9.0.0", True, "has no acme/hello:9.0.0; check host, path"),
    ],
)
def test_versions_that_cannot_be_had(
    tmp_path: Path, registry: Registry, version: str, exact: bool, says: str
) -> None:
    """A component is of one version (MAN-32), a dependency of one that fits (MAN-72)."""
    with pytest.raises(FetchError, match=says):
        fetched(tmp_path, registry, version, exact=exact)


def test_a_package_that_nobody_published(tmp_path: Path, registry: Registry) -> None:
    """The registry and the repository are named."""
    registry.packages.clear()
    for exact in (True, False):
        with pytest.raises(FetchError, match=f"the registry {registry.host} has no acme/hello"):
            fetched(tmp_path, registry, exact=exact)


def test_bytes_that_are_not_what_the_manifest_says(tmp_path: Path, registry: Registry) -> None:
    """They are not kept (MAN-31)."""
    registry.broken = True
    with pytest.raises(FetchError, match="invalid content digest"):
        fetched(tmp_path, registry)
    assert list((tmp_path / "cache" / "wasm").iterdir()) == []


@pytest.mark.parametrize("tags", [b"null", b"7", b'"1.2.3"', b'{"1.2.3": 1}', b"[7, null]"])
def test_tags_that_are_no_list_of_texts(tmp_path: Path, registry: Registry, tags: bytes) -> None:
    """They are no versions."""
    registry.files["/v2/acme/hello/tags/list"] = b'{"tags": %b}' % tags
    with pytest.raises(FetchError, match=r"No matching version found for acme:hello .*none"):
        fetched(tmp_path, registry, "1", exact=False)


@pytest.mark.parametrize("manifest", [{}, {"layers": []}])
def test_a_manifest_without_a_package(tmp_path: Path, registry: Registry, manifest: object) -> None:
    """An image of something else is refused."""
    registry.manifests["acme/hello", "1.2.3"] = manifest
    with pytest.raises(FetchError, match=r"acme:hello 1.2.3 on .* is not a package"):
        fetched(tmp_path, registry)


@pytest.mark.parametrize(
    "layers",
    [
        ["x"],
        {"0": {}},
        [{"mediaType": "x", "digest": 7, "size": 1}],
        [{"mediaType": "x", "digest": "x"}],
        [{"digest": "x", "size": 1}],
        [{"mediaType": "x", "digest": "x", "size": -1}],
        [{"mediaType": "x", "digest": "x", "size": True}],
    ],
)
def test_layers_that_say_too_little(tmp_path: Path, registry: Registry, layers: object) -> None:
    """Type, digest and size are what the download is held to."""
    registry.manifests["acme/hello", "1.2.3"] = {"layers": layers}
    with pytest.raises(FetchError, match=r"acme/hello:1.2.3 has layers without type, digest or"):
        fetched(tmp_path, registry)


@pytest.mark.parametrize(("size", "says"), [(3, "larger than 3 bytes"), (99, "13 bytes, not 99")])
def test_a_package_has_the_size_that_was_declared(
    tmp_path: Path, registry: Registry, size: int, says: str
) -> None:
    """No byte more is written, and one that breaks off is told from one that was changed."""
    digest = f"sha256:{hashlib.sha256(WASM).hexdigest()}"
    layer = {"mediaType": "application/wasm", "digest": digest, "size": size}
    registry.manifests["acme/hello", "1.2.3"] = {"layers": [layer]}
    with pytest.raises(FetchError, match=says):
        fetched(tmp_path, registry)
    assert list((tmp_path / "cache" / "wasm").iterdir()) == []


@pytest.mark.parametrize("digest", ["md5:00", "sha256:../../x"])
def test_a_manifest_with_another_digest(tmp_path: Path, registry: Registry, digest: str) -> None:
    """Names of files are made of digests only."""
    layer = {"mediaType": "application/wasm", "digest": digest, "size": 1}
    registry.manifests["acme/hello", "1.2.3"] = {"layers": [layer]}
    with pytest.raises(FetchError, match="invalid `digest`"):
        fetched(tmp_path, registry)


# Where a registry keeps its packages


@pytest.mark.parametrize(
    "metadata",
    [
        {"preferredProtocol": "oci", "oci": {"namespacePrefix": "wasm/"}},
        {"oci": {"namespacePrefix": "wasm/"}},
        {"ociNamespacePrefix": "wasm/"},
    ],
)
def test_a_registry_says_where_its_packages_are(
    tmp_path: Path, registry: Registry, metadata: dict[str, Any]
) -> None:
    """In a repository below a prefix, by old names and new ones."""
    registry.packages["wasm/acme/hello"] = registry.packages.pop("acme/hello")
    registry.metadata = metadata
    assert fetched(tmp_path, registry) == WASM
    assert "/v2/wasm/acme/hello/manifests/1.2.3" in registry.asked


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"preferredProtocol": "warg"}' + b" " * 5_000_000, b"[]", b"no"]
)
def test_a_registry_that_says_nonsense_of_itself(
    tmp_path: Path, registry: Registry, content: bytes
) -> None:
    """It is read no further than a manifest, and taken for an OCI registry."""
    registry.files["/.well-known/wasm-pkg/registry.json"] = content
    assert fetched(tmp_path, registry) == WASM


def test_packages_may_be_in_another_registry(tmp_path: Path, registry: Registry) -> None:
    """What the configuration says of a namespace counts in the place of what it would say."""
    text = f"""
[namespace_registries.acme]
registry = "nowhere.example"
metadata = {{ preferredProtocol = "oci", oci = {{ registry = "{registry.host}" }} }}

[registry."nowhere.example".oci]
protocol = "http"
"""
    config = configured(tmp_path, text)
    source = PackageSource("acme:hello", "1.2.3")
    assert Downloads(tmp_path, package_config=config)(source).read_bytes() == WASM


@pytest.mark.parametrize(
    ("metadata", "kind"), [({"preferredProtocol": "warg"}, "warg"), ({"wargUrl": "x"}, "warg")]
)
def test_a_registry_of_another_protocol(
    tmp_path: Path, registry: Registry, metadata: dict[str, Any], kind: str
) -> None:
    """It is named, with what this host reads; and none makes this host read folders."""
    registry.metadata = metadata
    source = PackageSource("acme:hello", "1.2.3", registry.host)
    downloads = Downloads(tmp_path, package_config=configured(tmp_path, ""))
    with pytest.raises(FetchError, match=f"speaks '{kind}'; this host reads OCI"):
        downloads(source)
    registry.metadata = {"preferredProtocol": "local", "local": {"root": "/"}}
    with pytest.raises(FetchError, match="speaks 'local'"):
        downloads(source)


def test_a_local_registry(tmp_path: Path) -> None:
    """A folder with a file for each version."""
    root = tmp_path / "registry"
    (root / "acme" / "hello").mkdir(parents=True)
    for version in ("1.0.0", "1.1.0", "x"):
        (root / "acme" / "hello" / f"{version}.wasm").write_text(version)
    text = f'default_registry = "mine"\n[registry.mine.local]\nroot = "{root}"\n'
    downloads = Downloads(tmp_path, package_config=configured(tmp_path, text))
    assert downloads(PackageSource("acme:hello", "1.0.0")).read_text() == "1.0.0"
    assert downloads(PackageSource("acme:hello", "1", exact=False)).read_text() == "1.1.0"
    with pytest.raises(FetchError, match=r"No matching version found for acme:other"):
        downloads(PackageSource("acme:other", "1.0.0"))


# Who asks


def test_a_registry_that_is_open_wants_a_token_all_the_same(
    tmp_path: Path, registry: Registry
) -> None:
    """It is got where the registry says, without a password."""
    registry.open_to_all = True
    assert fetched(tmp_path, registry) == WASM
    assert "/token" in registry.asked


@pytest.mark.parametrize("basic", [False, True])
@pytest.mark.parametrize(
    "auth",
    [
        '{ username = "me", password = "s3cret" }',
        f'"{base64.b64encode(b"me:s3cret").decode().rstrip("=")}"',
    ],
)
def test_credentials_of_the_configuration(
    tmp_path: Path, registry: Registry, basic: bool, auth: str
) -> None:
    """For a token, or as they are, as the registry wants."""
    registry.users = {"me": "s3cret"}
    registry.basic = basic
    text = over_http(registry, f"auth = {auth}\n")
    assert fetched(tmp_path, registry, text=text) == WASM


def test_credentials_of_docker(tmp_path: Path, registry: Registry) -> None:
    """Where `docker login` leaves them."""
    registry.users = {"me": "s3cret"}
    auth = base64.b64encode(b"me:s3cret").decode()
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
    assert fetched(tmp_path, registry) == WASM


@pytest.mark.parametrize(
    ("script", "readable"),
    [
        ('read server; echo "{\\"Username\\": \\"me\\", \\"Secret\\": \\"s3cret\\"}"', True),
        ('echo "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"s3cret\\"}"', False),
        ("echo none; exit 1", False),
    ],
)
def test_credentials_of_a_helper(
    tmp_path: Path,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    readable: bool,
) -> None:
    """The program that keeps them is asked."""
    registry.users = {"me": "s3cret"}
    (tmp_path / "docker").mkdir()
    config = {"credHelpers": {registry.host: "test"}}
    (tmp_path / "docker" / "config.json").write_text(json.dumps(config))
    helper = tmp_path / "docker-credential-test"
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    if readable:
        assert fetched(tmp_path, registry) == WASM
    else:
        with pytest.raises(FetchError, match="edgezero registry login"):
            fetched(tmp_path, registry)


def test_wrong_credentials_are_left_out_where_nobody_wants_them(
    tmp_path: Path, registry: Registry
) -> None:
    """The package may be open to everybody."""
    registry.open_to_all = True
    text = over_http(registry, 'auth = { username = "me", password = "wr0ng" }\n')
    assert fetched(tmp_path, registry, text=text) == WASM


def test_no_password_leaves_without_tls_where_it_was_promised(
    tmp_path: Path, registry: Registry
) -> None:
    """A challenge cannot send it to a place that is asked without."""
    endpoint = RegistryEndpoint(host=registry.host, credentials=Credentials("me", "s3cret"))
    with OciSession(endpoint, "acme/hello") as session:
        challenge = f'Bearer realm="http://{registry.host}/token",service="here"'
        assert session.authorization_for(challenge) is None
    assert registry.asked == []


def test_no_password_is_told(tmp_path: Path, registry: Registry) -> None:
    """Neither by the error nor by what is printed."""
    registry.users = {"me": "s3cret"}
    text = over_http(registry, 'auth = { username = "me", password = "wr0ng" }\n')
    with pytest.raises(FetchError) as caught:
        fetched(tmp_path, registry, text=text)
    assert "lets nobody read acme/hello" in str(caught.value)
    found = load_package_config(configured(tmp_path, text)).registry_for("a:b", registry.host)
    assert found.oci.credentials == Credentials("me", "wr0ng")
    assert "wr0ng" not in str(caught.value) + repr(found)


# The configuration


@pytest.mark.parametrize(
    ("package", "named", "expected"),
    [
        ("acme:hello", None, "default.example"),
        ("acme:hello", "named.example", "named.example"),
        ("team:any", None, "team.example"),
        ("team:one", None, "one.example"),
        ("wasi:http", None, "default.example"),
    ],
)
def test_which_registry(tmp_path: Path, package: str, named: str | None, expected: str) -> None:
    """The manifest's, the package's, the namespace's, the default (MAN-32)."""
    text = """
default_registry = "default.example"
[namespace_registries]
team = "team.example"
[package_registry_overrides]
"team:one" = "one.example"
"""
    found = load_package_config(configured(tmp_path, text)).registry_for(package, named)
    assert found.name == expected


def test_without_configuration_some_namespaces_are_known(tmp_path: Path) -> None:
    """For the others, the error says what to write and where."""
    config = load_package_config()
    assert config.path == config_path() == tmp_path / "config" / "wasm-pkg" / "config.toml"
    assert config.registry_for("wasi:http").name == "wasi.dev"
    with pytest.raises(FetchError, match=r"no registry is known for acme:hello: .*config\.toml"):
        config.registry_for("acme:hello")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "cannot read"),
        ("namespace_registries = 7\n", "`namespace_registries` must be a table"),
        ("namespace_registries = { acme = 7 }\n", "neither a text nor a table"),
        (
            'default_registry = "x"\n[registry.x.oci]\nauth = "s3cret"\n',
            r"registry\.x\.oci\.auth: is not a `user:password` in base64",
        ),
        ('default_registry = "x"\nregistry = 3\n', "registry: invalid type: expected a table"),
        ('default_registry = "x"\n[registry]\nx = "y"\n', r"registry\.x: invalid type"),
        ('default_registry = "x"\n[registry.x]\ntype = 3\n', r"registry\.x\.type: invalid type"),
        (
            'default_registry = "x"\n[registry.x.oci]\nextra_root_certificates = ["pem"]\n',
            r"extra_root_certificates\[0\]: invalid type: expected a table, got a string",
        ),
        (
            'default_registry = "x"\n[registry.x.oci.auth]\nusername = 1\npassword = "s3cret"\n',
            r"registry\.x\.oci\.auth\.username: invalid type: expected a string",
        ),
    ],
)
def test_faults_of_the_configuration(tmp_path: Path, text: str, says: str) -> None:
    """Each names the file and the key."""
    with pytest.raises(FetchError, match=says) as caught:
        load_package_config(configured(tmp_path, text)).registry_for("acme:hello")
    assert "s3cret" not in str(caught.value)


def test_a_certificate_that_is_none(tmp_path: Path, registry: Registry) -> None:
    """The registry is named."""
    roots = '[[registry.x.oci.extra_root_certificates]]\nencoding = "pem"\ndata = "no"\n'
    config = configured(tmp_path, 'default_registry = "x"\n[registry.x]\ntype = "oci"\n' + roots)
    with pytest.raises(FetchError, match="an extra_root_certificate of x is not PEM"):
        Downloads(tmp_path, package_config=config)(PackageSource("acme:hello", "1.0.0"))


def test_a_registry_that_is_not_there(tmp_path: Path) -> None:
    """Whoever waits for it is told."""
    config = configured(tmp_path, '[registry."localhost:1".oci]\nprotocol = "http"\n')
    source = PackageSource("acme:hello", "1.0.0", "localhost:1")
    with pytest.raises(FetchError, match="the registry localhost:1 cannot be asked: "):
        Downloads(tmp_path, package_config=config)(source)


MANIFEST = """\
spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = { registry = "REGISTRY", package = "acme:hello", version = "1.2.3" }
[component.hello.dependencies]
"example:nowhere/thing" = { version = "^1", registry = "REGISTRY", package = "acme:thing" }
"""


def test_an_application_of_packages_answers(
    shared_engine: Engine, tmp_path: Path, registry: Registry
) -> None:
    """A component and what satisfies its import, both from a registry (MAN-30, MAN-72)."""
    registry.packages["acme/hello"]["1.2.3"] = asking_script().encode()
    registry.packages["acme/thing"] = {"1.0.0": b"old", "1.4.0": THING.encode()}
    (tmp_path / "spin.toml").write_text(MANIFEST.replace("REGISTRY", registry.host))
    path = tmp_path / "config" / "wasm-pkg" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(over_http(registry))

    async def ask(host: Host) -> int:
        return (await host.handle(HttpRequest(target="/i"))).status

    with Host.from_manifest(
        tmp_path,
        engine=shared_engine,
        settings=HostSettings(cache_dir=None),
        downloads_dir=tmp_path / "cache",
    ) as host:
        assert asyncio.run(ask(host)) == 200


def test_values_of_the_configuration_are_taken_as_they_are(tmp_path: Path) -> None:
    """A program that embeds the host may bring its own."""
    config = PackageConfig(path=tmp_path / "x", values={"default_registry": "mine.example"})
    assert config.registry_for("a:b").name == "mine.example"
