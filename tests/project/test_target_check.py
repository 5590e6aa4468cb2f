"""Target checks of whole applications, with packages on this disk and in a registry."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.errors import EdgeZeroError, ManifestError, ProjectError
from edgezero_spin.host.registry.downloads import Downloads
from edgezero_spin.host.runtime.component_loading import read_wasm
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.target_check import TargetCheckError, check_targets
from tests.host.registry.oci_server import Registry, digest_of, running_registry
from tests.wasm.component.wit_components import dummy_component, encoded

WIT = """package acme:up@1.0.0;
interface getter { get: func() -> u32; }
interface evil { cackle: func(); }
interface trigger { run: func(); }
world getting { import getter; export trigger; }
world cackling { import getter; import evil; export trigger; }
world idle { }
"""
GETTING = 'worlds = [{ path = "up.wasm", world = "acme:up/getting@1.0.0" }]'
CACKLING = 'worlds = [{ path = "up.wasm", world = "acme:up/cackling@1.0.0" }]'


class Application:
    """A folder with components, definitions and a manifest.

    Attributes:
        folder: Where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "app"
        self.folder.mkdir()
        self._downloads = Downloads(folder / "cache", package_config=folder / "registries.toml")
        (self.folder / "up.wasm").write_bytes(encoded(WIT))
        for world in ("getting", "cackling", "idle"):
            (self.folder / f"{world}.wasm").write_bytes(dummy_component(WIT, world))
        self.define("env", f"[triggers.http]\n{GETTING}")
        self.define("more", f"[triggers.http]\n{CACKLING}")

    def define(self, name: str, text: str) -> None:
        """Write a definition."""
        (self.folder / f"{name}.toml").write_text(text)

    def write(self, components: dict[str, str], targets: str = '{ path = "env.toml" }') -> None:
        """Write a manifest: components with more of their tables, each started by HTTP."""
        text = f'spin_manifest_version = 2\n[application]\nname = "app"\ntargets = [{targets}]\n'
        for id, more in components.items():
            text += f'[[trigger.http]]\nroute = "/{id}"\ncomponent = "{id}"\n'
            source = "" if "source =" in more else f'source = "{id}.wasm"\n'
            text += f"[component.{id}]\n{source}{more}\n"
        (self.folder / "spin.toml").write_text(text)

    def check(self, *component_ids: str) -> None:
        """Compare the components, or those of these ids."""
        manifest = load_spin_manifest(self.folder)
        check_targets(manifest, component_ids, self._downloads, read_wasm)

    def problems(self, *component_ids: str) -> list[str]:
        """What the comparison finds."""
        with pytest.raises(TargetCheckError) as caught:
            self.check(*component_ids)
        return [str(each) for each in caught.value.problems]

    def refusal(self, kind: type[EdgeZeroError] = ProjectError) -> str:
        """Why nothing can be compared."""
        with pytest.raises(kind) as caught:
            self.check()
        assert not isinstance(caught.value, TargetCheckError)
        return str(caught.value)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """An application, and a machine with nothing of this user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    return Application(tmp_path)


def test_one_message_for_each_component_and_environment(app: Application) -> None:
    """What fits is not told, and what does not says which import (MAN-13, CLI-14)."""
    app.write({"getting": "", "cackling": "", "idle": ""}, '{path="env.toml"}, {path="more.toml"}')
    lacking = (
        "The environment requires the following exports, which the component does not provide:\n"
        "  - acme:up/trigger@1.0.0 (instance)"
    )
    assert app.problems() == [
        'Component cackling (file "cackling.wasm") can\'t run in environment env '
        "(world acme:up/getting@1.0.0).\n"
        "The component requires the following imports, which the environment does not provide:\n"
        "  - acme:up/evil@1.0.0",
        'Component idle (file "idle.wasm") can\'t run in environment env '
        f"(world acme:up/getting@1.0.0).\n{lacking}",
        'Component idle (file "idle.wasm") can\'t run in environment more '
        f"(world acme:up/cackling@1.0.0).\n{lacking}",
    ]
    app.check("getting")
    assert len(app.problems("cackling")) == 1


def test_targets_of_a_component_replace_those_of_the_application(app: Application) -> None:
    """None at all is a list, too (MAN-44)."""
    app.write({"cackling": 'targets = [{ path = "more.toml" }]', "idle": "targets = []"})
    app.check()
    app.write({"getting": 'targets = [{ path = "env.toml" }]', "idle": ""}, "")
    app.check()


def test_one_of_several_worlds_is_enough(app: Application) -> None:
    """Where none fits, the nearest one is told."""
    app.write({"cackling": ""})
    worlds = [f'{{ path = "up.wasm", world = "acme:up/{name}" }}' for name in ("idle", "cackling")]
    app.define("env", f"[triggers.http]\nworlds = [{', '.join(worlds)}]")
    app.check()
    worlds = [f'{{ path = "up.wasm", world = "acme:up/{name}" }}' for name in ("idle", "getting")]
    app.define("env", f"[triggers.http]\nworlds = [{', '.join(worlds)}]")
    [problem] = app.problems()
    assert "(world acme:up/getting, the nearest of 2)" in problem
    app.define("env", "[triggers.http]\nworlds = []")
    app.check()


def test_a_trigger_has_worlds_of_its_own_or_the_default(app: Application) -> None:
    """A type that the environment does not know is refused, unless there is a default."""
    app.write({"cackling": ""})
    app.define("env", f"[triggers.redis]\n{CACKLING}")
    assert app.refusal() == (
        "Environment env does not support trigger type http (supported: redis)"
    )
    app.define("env", f"[triggers.redis]\n{CACKLING}\n[default]\n{GETTING}")
    assert len(app.problems()) == 1


def test_service_chaining_is_a_capability(app: Application) -> None:
    """A host that cannot call another component without a socket is not one to run on."""
    app.write({"getting": 'allowed_outbound_hosts = ["http://other.spin.internal"]'})
    assert app.problems() == [
        'Component getting (file "getting.wasm") can\'t run in environment env because it '
        "requires the feature(s) 'local_service_chaining' which the environment does not support"
    ]
    app.define("env", f'[triggers.http]\n{GETTING}\ncapabilities = ["local_service_chaining"]')
    app.check()


def test_world_and_capability_are_one_message(app: Application) -> None:
    """A component that lacks both is told once."""
    app.write({"cackling": 'allowed_outbound_hosts = ["http://*.spin.internal"]'})
    [problem] = app.problems()
    assert "acme:up/evil" in problem
    assert problem.endswith("'local_service_chaining' which the environment does not support")


def test_dependencies_are_joined_first(app: Application) -> None:
    """An import that a dependency satisfies is none of the environment (MAN-71)."""
    provider = WIT + "world providing { export evil; }"
    (app.folder / "provider.wasm").write_bytes(dummy_component(provider, "providing"))
    app.write({"cackling": 'dependencies = { "acme:up/evil" = { path = "provider.wasm" } }'})
    app.check()
    app.write({"cackling": 'dependencies = { "acme:up/other" = { path = "provider.wasm" } }'})
    assert "component cackling cannot be joined with its dependencies" in app.refusal()


def test_what_a_dependency_imports_counts(app: Application) -> None:
    """Whatever it inherits: it is joined, and its imports are the application's."""
    provider = WIT + "interface far { f: func(); } world providing { import far; export evil; }"
    (app.folder / "provider.wasm").write_bytes(dummy_component(provider, "providing"))
    app.write({"cackling": 'dependencies = { "acme:up/evil" = { path = "provider.wasm" } }'})
    [problem] = app.problems()
    assert "- acme:up/far@1.0.0" in problem


def test_components_in_every_slot_of_a_trigger_are_compared(app: Application) -> None:
    """One that starts several has them all looked at, and one that starts none is left alone."""
    app.write({"getting": ""})
    manifest = app.folder / "spin.toml"
    manifest.write_text(
        manifest.read_text().replace(
            '"getting"\n[', '"getting"\n[trigger.http.components]\nextra = ["idle"]\n[', 1
        )
        + '[[trigger.http]]\nroute = "/static"\nstatic_response = { status_code = 204 }\n'
        '[component.idle]\nsource = "idle.wasm"\n[component.unused]\nsource = "none.wasm"\n'
    )
    [problem] = app.problems()
    assert problem.startswith("Component idle ")


def test_an_inline_component_has_the_id_of_its_trigger(app: Application) -> None:
    """As Spin names it."""
    (app.folder / "spin.toml").write_text(
        'spin_manifest_version = 2\n[application]\nname = "app"\n'
        'targets = [{ path = "env.toml" }]\n[[trigger.http]]\nid = "it"\nroute = "/..."\n'
        'component = { source = "idle.wasm" }\n'
    )
    [problem] = app.problems()
    assert "trigger type" not in problem
    assert "idle.wasm" in problem


def test_wit_text_is_read_with_its_dependencies(app: Application) -> None:
    """A folder as Spin takes it, and a single file."""
    (app.folder / "wit/deps/up").mkdir(parents=True)
    (app.folder / "wit/deps/up/up.wit").write_text(WIT)
    (app.folder / "wit/own.wit").write_text(
        "package mine:worlds; world all { include acme:up/getting@1.0.0; }"
    )
    app.define("env", '[triggers.http]\nworlds = [{ path = "wit", world = "mine:worlds/all" }]')
    app.write({"getting": "", "cackling": ""})
    assert len(app.problems()) == 1
    (app.folder / "up.wit").write_text(WIT)
    app.define(
        "env", '[triggers.http]\nworlds = [{ path = "up.wit", world = "acme:up/cackling@1.0.0" }]'
    )
    app.check()


def test_wit_text_without_its_reader_says_what_to_install(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages in the binary format need nothing."""
    monkeypatch.setattr("edgezero_spin.project.wit_files.search_path", lambda: "")
    app.write({"getting": ""})
    app.check()
    (app.folder / "wit").mkdir()
    app.define("env", '[triggers.http]\nworlds = [{ path = "wit", world = "a:b/c" }]')
    message = app.refusal()
    assert "is WIT text, which wasm-tools reads" in message
    assert str(app.folder / "wit") in message


@pytest.mark.parametrize(
    ("worlds", "expected"),
    [
        ('{ path = "no.wasm", world = "a:b/c" }', "no.wasm: No such file"),
        ('{ path = "no", world = "a:b/c" }', "no: No such file"),
        ('{ path = "idle.wasm", world = "a:b/c" }', "it is a component, not a WIT package"),
        ('{ path = "spin.toml", world = "a:b/c" }', "neither a folder nor wasm"),
        ('{ path = "broken.wit", world = "a:b/c" }', "broken.wit is not a WIT package: "),
        (
            '{ path = "up.wasm", world = "acme:up/others@1.0.0" }',
            "world acme:up/others@1.0.0: the package has no world of this name (there: "
            "acme:up/getting@1.0.0, acme:up/cackling@1.0.0, acme:up/idle@1.0.0)",
        ),
        ('"acme:up/others"', "acme:up/others is unversioned"),
        ('{ registry = "127.0.0.1:1", world = "a:b/c@1.0.0" }', "a:b@1.0.0 from 127.0.0.1:1"),
        ('{ reference = "127.0.0.1:1/a", world = "a:b/c@1.0.0" }', "a:b@1.0.0 from 127.0.0.1:1/a"),
        ('{ reference = "Not one", world = "a:b/c@1.0.0" }', "from Not one: "),
    ],
)
def test_a_world_that_cannot_be_had_is_one_error(
    app: Application, worlds: str, expected: str
) -> None:
    """It names the environment, the world and the place."""
    (app.folder / "broken.wit").write_text("package a:b; wurld c {}")
    app.define("env", f"[triggers.http]\nworlds = [{worlds}]")
    app.write({"getting": ""})
    message = app.refusal()
    assert message.startswith("target environment env: world ")
    assert expected in message


def test_a_definition_that_cannot_be_read_names_its_file(app: Application) -> None:
    """One that is missing, is a folder or breaks the rules."""
    app.write({"getting": ""}, '{ path = "none.toml" }')
    assert f'from "{app.folder / "none.toml"}": there is no such file' in app.refusal(ManifestError)
    app.write({"getting": ""}, '{ path = "." }')
    assert "this is a folder" in app.refusal(ManifestError)
    app.define("env", "triggers = 1")
    app.write({"getting": ""})
    assert f'{app.folder / "env.toml"}": triggers: invalid type' in app.refusal(ManifestError)


def test_a_component_that_is_not_there_or_none_is_one_error(app: Application) -> None:
    """Nothing is said to fit that was not read."""
    app.write({"missing": ""})
    assert "missing.wasm" in app.refusal(EdgeZeroError)
    (app.folder / "missing.wasm").write_bytes(encoded(WIT)[:40])
    assert 'component missing: file "missing.wasm" is not a component' in app.refusal()
    (app.folder / "missing.wasm").write_text('(component (import "a:b/c" (instance)))')
    [problem] = app.problems()
    assert "- a:b/c\n" in problem


# From elsewhere


@pytest.fixture
def registry(app: Application) -> Iterator[Registry]:
    """A registry that has the package, which the configuration asks without TLS."""
    with running_registry() as server:
        server.packages["acme/up"] = {"1.0.0": encoded(WIT)}
        (app.folder.parent / "registries.toml").write_text(
            f'[registry."{server.host}".oci]\nprotocol = "http"\n'
        )
        yield server


@pytest.mark.parametrize("form", ["registry", "reference"])
def test_packages_of_registries_are_kept(app: Application, registry: Registry, form: str) -> None:
    """A second check asks nobody: the lock says the digest, and the cache has the bytes."""
    place = registry.host if form == "registry" else f"{registry.host}/acme/up:1.0.0"
    worlds = ", ".join(
        f'{{ {form} = "{place}", world = "acme:up/{name}@1.0.0" }}' for name in ("idle", "getting")
    )
    app.define("env", f"[triggers.http]\nworlds = [{worlds}]")
    app.write({"getting": "", "cackling": ""})
    assert len(app.problems()) == 1
    blobs = [path for path in registry.asked if "blobs" in path]
    assert len(blobs) == 1
    lock = app.folder / ".spin" / "target-environments.lock"
    digest = digest_of(encoded(WIT))
    assert json.loads(lock.read_text()) == {place: {"package": {"acme:up@1.0.0": digest}}}
    registry.asked.clear()
    assert len(app.problems()) == 1
    assert registry.asked == []
    # What is not the package is fetched again.
    (app.folder.parent / "cache" / "wasm" / digest).write_bytes(b"other")
    assert len(app.problems()) == 1
    assert [path for path in registry.asked if "blobs" in path] == blobs


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"x": 1}', '{"x": {"package": {"acme:up@1.0.0": 1}}}']
)
def test_a_lock_of_anything_is_written_again(
    app: Application, registry: Registry, text: str
) -> None:
    """It only spares a question."""
    worlds = f'{{ registry = "{registry.host}", world = "acme:up/getting@1.0.0" }}'
    app.define("env", f"[triggers.http]\nworlds = [{worlds}]")
    app.write({"getting": ""})
    lock = app.folder / ".spin" / "target-environments.lock"
    lock.parent.mkdir()
    text = text.replace("x", registry.host)
    lock.write_text(text)
    app.check()
    found = json.loads(lock.read_text())
    assert found[registry.host]["package"]["acme:up@1.0.0"] == digest_of(encoded(WIT))


def test_a_definition_comes_from_a_url(app: Application, registry: Registry) -> None:
    """It has the name of its file, and no path of this disk."""
    worlds = f'{{ registry = "{registry.host}", world = "acme:up/getting@1.0.0" }}'
    registry.files["/defs/far@1.0.toml"] = f"[triggers.http]\nworlds = [{worlds}]".encode()
    url = f"http://{registry.host}/defs/far@1.0.toml"
    app.write({"getting": "", "cackling": ""}, f'{{ url = "{url}?raw=true" }}')
    [problem] = app.problems()
    assert "can't run in environment far@1.0 " in problem
    registry.files["/defs/far@1.0.toml"] = f"[triggers.http]\n{GETTING}".encode()
    assert "the path 'up.wasm' is one of another machine" in app.refusal()
    registry.files["/defs/far@1.0.toml"] = b"\xff"
    assert url in app.refusal()
    app.write({"getting": ""}, f'{{ url = "http://{registry.host}/none.toml" }}')
    assert "the server answered 404" in app.refusal()
    app.write({"getting": ""}, '{ url = "file:///etc/passwd" }')
    assert "only http and https can be downloaded" in app.refusal()
