"""Locks, components and options: from a file to a host that answers."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.errors import HostError
from edgezero_spin.host import Host, HostSettings, HttpRequest, RunOptions
from edgezero_spin.host.load.plan import ApplicationError
from edgezero_spin.host.runtime import component_loading
from edgezero_spin.host.runtime.component_loading import CompiledComponent
from edgezero_spin.manifest.spin import load_spin_manifest, lock_application
from tests.host.support import SCRIPT, Capture

SETTINGS = HostSettings(cache_dir=None, pooling=False, max_instances=2)

# LOCK-50, as Spin writes it: a private component, a chain, grants, files, variables.
EXAMPLE = """
{"spin_lock_version": 1, "must_understand": ["component_host_requirements"],
 "metadata": {"name": "demo", "origin": "file:///srv/no-such/spin.toml",
              "trigger": {"type": "http"}, "triggers": {}, "version": "0.1.0"},
 "variables": {"greeting": {"default": "hi"}, "token": {"secret": true}},
 "triggers": [
  {"id": "front-http-trigger", "trigger_type": "http",
   "trigger_config": {"component": "front", "route": "/..."}},
  {"id": "back-http-trigger", "trigger_type": "http",
   "trigger_config": {"component": "back", "route": {"private": true}}}],
 "components": [
  {"id": "front",
   "metadata": {"allowed_outbound_hosts": ["http://back.spin.internal"],
                "databases": ["default"], "key_value_stores": ["default"]},
   "source": {"content_type": "application/wasm", "source": "SCRIPT"},
   "env": {"MODE": "dev"},
   "files": [{"source": "ASSETS", "path": "/"}],
   "config": {"message": "{{ greeting }}", "token": "{{ token }}"},
   "host_requirements": {"local_service_chaining": "required"}},
  {"id": "back", "source": {"content_type": "application/wasm", "inline": "INLINE"}}]}
"""


def ask(host: Host, target: str) -> tuple[int, bytes]:
    """Status and body of one request."""

    async def run() -> tuple[int, bytes]:
        response = await host.handle(HttpRequest(target=target))
        return response.status, await response.read()

    return asyncio.run(run())


def example(folder: Path) -> Path:
    """The lock of LOCK-50 with components that exist."""
    (folder / "assets").mkdir()
    inline = base64.b64encode(SCRIPT.read_bytes()).decode().rstrip("=")
    path = folder / "spin.lock"
    text = EXAMPLE.replace("SCRIPT", SCRIPT.as_uri()).replace("INLINE", inline)
    path.write_text(text.replace("ASSETS", (folder / "assets").as_uri()))
    return path


def test_a_lock_that_spin_wrote_runs(tmp_path: Path) -> None:
    """It answers, and its state is beside it when its manifest is not here (LOCK-50)."""
    path = example(tmp_path)
    with Host.from_lock(path, settings=SETTINGS, variables=["token=t"]) as host:
        assert ask(host, "/h") == (200, b"hello")
        [front, back] = host.application.plan.components
        assert dict(front.environment) == {"MODE": "dev"}
        assert front.mounts[0].host_path == tmp_path / "assets"
        assert back.source.read_bytes() == SCRIPT.read_bytes()
    assert not back.source.exists()
    assert (tmp_path / ".spin" / "logs").is_dir()


def test_a_lock_needs_its_variables(tmp_path: Path) -> None:
    """As the manifest did (VAR-7)."""
    with pytest.raises(Exception, match="no provider resolved required"):
        Host.from_lock(example(tmp_path), settings=SETTINGS)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        pytest.param("file://{home}/spin.toml", "home/.spin", id="its manifest is here"),
        pytest.param("file:///no/such/spin.toml", "lock/.spin", id="its manifest is not"),
        pytest.param(None, "lock/.spin", id="it says nothing"),
        pytest.param("vnd.fermyon.origin-oci:example.com/app:1", None, id="from a registry"),
        pytest.param("file://[x", None, id="no URL"),
    ],
)
def test_where_the_state_of_a_lock_is(
    tmp_path: Path, origin: str | None, expected: str | None
) -> None:
    """With the manifest, with the lock, or nowhere (STATE-1)."""
    home, folder = tmp_path / "home", tmp_path / "lock"
    home.mkdir()
    folder.mkdir()
    app = lock_application(load_spin_manifest(SCRIPT)).to_value()
    app["metadata"].pop("origin")
    if origin is not None:
        app["metadata"]["origin"] = origin.format(home=home)
    (folder / "spin.lock").write_text(json.dumps(app))
    with Host.from_lock(folder / "spin.lock", settings=SETTINGS, echo_to=capture()):
        found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/.spin"))
    assert found == ([] if expected is None else [expected])


def capture() -> Any:
    """Where components may print."""
    return Capture()


def test_a_component_is_all_it_takes() -> None:
    """Every path is its own and no state is kept (MAN-90)."""
    with Host.from_component(SCRIPT, settings=SETTINGS) as host:
        assert ask(host, "/h") == (200, b"hello")
        assert host.notices == ()
        assert [route.path for route in host.routes] == ["/"]


def test_a_manifest_is_no_component(tmp_path: Path) -> None:
    """Said in one sentence."""
    with pytest.raises(ApplicationError, match="not a component file"):
        Host.from_component(tmp_path / "spin.toml")


MANIFEST = """
spin_manifest_version = 2
[application]
name = "files"
[[trigger.http]]
route = "/..."
component = "guest"
[[trigger.http]]
route = "/other"
component = "other"
[component.guest]
source = "guest.wat"
files = [{ source = "static", destination = "/" }]
[component.other]
source = "guest.wat"
"""


def files_app(folder: Path) -> Path:
    """An application with two components, one with files."""
    (folder / "guest.wat").write_text(SCRIPT.read_text())
    (folder / "static").mkdir()
    (folder / "static" / "page").write_text("page")
    path = folder / "spin.toml"
    path.write_text(MANIFEST)
    return path


@pytest.mark.parametrize(
    ("options", "writable", "in_place"),
    [
        pytest.param({}, False, False, id="copied"),
        pytest.param({"transient_write": True}, True, False, id="ENV-13"),
        pytest.param({"direct_mounts": True}, False, True, id="MAN-70"),
    ],
)
def test_what_a_guest_sees_of_the_disk(
    tmp_path: Path, options: Any, writable: bool, in_place: bool
) -> None:
    """A copy that is gone at the end, or the folder itself."""
    path = files_app(tmp_path)
    with Host.from_manifest(path, settings=SETTINGS, **options) as host:
        [mount] = host.application.plan.components[0].mounts
        assert (mount.host_path / "page").read_text() == "page"
        assert (mount.writable, mount.host_path == tmp_path / "static") == (writable, in_place)
    assert mount.host_path.exists() is in_place


def test_guests_do_not_write_to_the_originals(tmp_path: Path) -> None:
    """Both options together would let them."""
    with pytest.raises(ApplicationError, match="do not go together"):
        Host.from_manifest(files_app(tmp_path), direct_mounts=True, transient_write=True)


def test_variables_for_every_component_are_in_the_lock(tmp_path: Path) -> None:
    """They replace a component's own, for the guest and in the lock of the run (LOCK-42)."""
    path = files_app(tmp_path)
    text = path.read_text().replace(
        "[component.other]", '[component.other]\nenvironment = { A = "1", B = "2" }'
    )
    path.write_text(text)
    added = {"B": "3", "C": "x=y"}
    with Host.from_manifest(path, settings=SETTINGS, env=added, work_dir=tmp_path / "work") as host:
        parts = {part.id: dict(part.environment) for part in host.application.plan.components}
    expected = {"guest": added, "other": {"A": "1", **added}}
    assert parts == expected
    lock = json.loads((tmp_path / "work" / "spin.lock").read_text())
    assert {part["id"]: part["env"] for part in lock["components"]} == expected


def test_components_are_compiled_at_the_start_and_never_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request pays for it (LIFE-1)."""
    compiled: list[Path] = []
    compile_ = component_loading._compile

    def note(component: CompiledComponent, *given: Any) -> Any:
        compiled.append(component.path)
        return compile_(component, *given)

    monkeypatch.setattr(component_loading, "_compile", note)
    with Host.from_manifest(files_app(tmp_path), settings=SETTINGS) as host:
        at_the_start = list(compiled)
        assert set(at_the_start) == {tmp_path / "guest.wat"}
        for target in ("/h", "/h", "/other"):
            ask(host, target)
        assert compiled == at_the_start


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('(component (import "wasi:http/types@0.3.0" (instance)))', id="imports"),
        pytest.param("(component", id="no component"),
    ],
)
def test_what_no_trigger_uses_is_not_loaded(tmp_path: Path, text: str) -> None:
    """A component that could not run does not stop the others (MAN-29a, CONF-52)."""
    path = files_app(tmp_path)
    (tmp_path / "unused.wat").write_text(text)
    path.write_text(path.read_text() + '[component.unused]\nsource = "unused.wat"\n')
    with Host.from_manifest(path, settings=SETTINGS) as host:
        assert ask(host, "/h") == (200, b"hello")
    used = path.read_text().replace('component = "other"', 'component = "unused"')
    path.write_text(used)
    with pytest.raises(HostError, match=r"unused\.wat|'unused'"):
        Host.from_manifest(path, settings=SETTINGS)


def test_some_components_and_a_working_folder(tmp_path: Path) -> None:
    """What is left out is not loaded; the lock of the run can be looked at (LOCK-40, LOCK-43)."""
    path = files_app(tmp_path)
    work_dir = tmp_path / "work"
    with Host.from_manifest(
        path, settings=SETTINGS, components=["other"], work_dir=work_dir
    ) as host:
        assert list(host.application.components) == ["other"]
        assert ask(host, "/h") == (404, b"")
        assert ask(host, "/other") == (500, b"")
    lock = json.loads((work_dir / "spin.lock").read_text())
    assert [part["id"] for part in lock["components"]] == ["other"]


@pytest.mark.parametrize("given", [True, False])
def test_files_beside_the_manifest_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    """``runtime-config.toml`` and ``.env``, from any folder, unless other ones are named."""
    app, elsewhere = tmp_path / "app", tmp_path / "elsewhere"
    app.mkdir()
    elsewhere.mkdir()
    (app / "guest.wat").write_text(SCRIPT.read_text())
    (app / "spin.toml").write_text(
        'spin_manifest_version = 2\napplication.name = "a"\nvariables.v = { required = true }\n'
        '[[trigger.http]]\nroute = "/..."\ncomponent = { source = "guest.wat" }\n'
    )
    (app / "runtime-config.toml").write_text(
        f'state_dir = "{app}/beside"\n[llm_compute]\ntype = "spin"\n'
    )
    (app / ".env").write_text("SPIN_VARIABLE_V=1\n")
    monkeypatch.chdir(elsewhere)
    options: RunOptions = {"settings": SETTINGS}
    if given:
        options["runtime_config"] = None
    with Host.from_manifest(app / "spin.toml", **options) as host:
        told = "\n".join(host.notices)
    assert (f"{app}/beside/" in told) is not given
    assert ("[llm_compute] type = " in told) is not given
    (elsewhere / ".env").write_text("SPIN_VARIABLE_W=1\n")
    with pytest.raises(HostError, match="v"):
        # As Spin does, the current folder's file comes first.
        Host.from_manifest(app / "spin.toml", settings=SETTINGS)
