"""What the programs say when they start, and when they refuse to."""

import json
from pathlib import Path

import pytest

from tests.spin.applications import HEAD, component, do, probe_manifest
from tests.spin.conftest import Serve
from tests.spin.programs import EMBEDDED, Program, StartFailedError, running
from tests.spin.wire import ask

ROUTES = ["/...", "/a/:b/c", "/a/...", "/a", "/:x", "/x//y", "/dots.txt", "b"]


def routes_manifest(probe: Path) -> str:
    """Components with every kind of route and description."""
    text = HEAD
    for number, route in enumerate(ROUTES):
        description = f'description = "Number {number}"' if number % 2 else ""
        text += component(probe, f"c{number}", route, description)
    text += component(probe, "hidden", None)
    text += '[[trigger.http]]\nid = "fixed"\nroute = "/fixed"\nstatic_response = { body = "x" }\n'
    text += '[[trigger.http]]\nroute = "/moved"\n'
    text += 'static_response = { status_code = 302, headers = { Location = "/", b = "c" } }\n'
    text += '[[trigger.http]]\nroute = "/twice"\ncomponent = "c0"\n'
    return text


@pytest.fixture
def routes(probe: Path, tmp_path: Path) -> Path:
    """A folder with an application of many routes."""
    (tmp_path / "spin.toml").write_text(routes_manifest(probe))
    return tmp_path


@pytest.mark.parametrize("arguments", [[], ["--quiet"]], ids=["plain", "quiet"])
def test_routes_are_listed(serve: Serve, routes: Path, arguments: list[str]) -> None:
    """Address, routes in their order, descriptions."""  # OUT-4 to OUT-6
    with serve(routes, arguments) as both:
        for target in ("/fixed", "/moved", "/twice", "/fixed/", "/nothing/here/at/all"):
            for method in ("GET", "POST"):
                both.same(target, method=method)
    embedded, real = (one.stdout.text.replace(str(one.port), "*") for one in both)
    assert embedded == real


def test_routes_as_json(serve: Serve, routes: Path) -> None:
    """The same for programs."""  # OUT-7, CONF-47
    with serve(routes, ["--format", "json"]) as both:
        pass
    told = []
    for one in both:
        text = one.stdout.text.replace(str(one.port), "*")
        told.append(json.loads(text[text.index("{") :]))
    assert told[0] == told[1]


GRANTS = 'key_value_stores = ["default", "kv"]\nsqlite_databases = ["default", "sql"]'
RUNTIME_CONFIG = """
[key_value_store.kv]
type = "spin"
path = "kv.db"
[sqlite_database.sql]
type = "spin"
path = "sql.db"
[outbound_http]
max_connections = 3
"""


def told_by(text: str, folder: Path, program: Program) -> list[str]:
    """The lines of standard error that do not depend on time or on the program's name."""
    lines = text.replace(str(folder), "").replace(f"state-{program.name}", "state").splitlines()
    return [line for line in lines if line and not line.startswith("Preparing Wasm modules")]


@pytest.mark.parametrize(
    ("grants", "arguments"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(GRANTS, ["--runtime-config-file", "{folder}/rc.toml"], id="stores"),
        pytest.param('key_value_stores = ["default"]', [], id="key-value"),
        pytest.param('sqlite_databases = ["default"]', [], id="sqlite"),
        pytest.param("", ["--log-dir", "logs/here"], id="logs elsewhere"),
        pytest.param("", ["--runtime-config-file", "{folder}/rc.toml"], id="configured only"),
    ],
)
def test_stores_and_logs_are_named(
    serve: Serve, probe: Path, tmp_path: Path, grants: str, arguments: list[str]
) -> None:
    """Where logs and default stores are, and what the runtime configuration has."""
    # OUT-1 to OUT-3
    probe_manifest(tmp_path, probe, grants, files={"rc.toml": RUNTIME_CONFIG})
    with serve(tmp_path, [text.format(folder=tmp_path) for text in arguments]) as both:
        pass
    embedded, real = (told_by(one.stderr.text, tmp_path, one.program) for one in both)
    assert embedded == real


def test_logs(serve: Serve, probe: Path, tmp_path: Path) -> None:
    """What a component says is in its files, and on standard error unless it is quiet."""
    # ENV-5 to ENV-8
    probe_manifest(tmp_path, probe)
    for arguments in ([], ["--quiet"], ["--follow", "probe"], ["--truncate-logs"]):
        with serve(tmp_path, arguments) as both:
            for _ in range(2):
                both.same("/", do("say", "to out\n", "to error\n"))
        said = [one.stderr.text.count("to ") for one in both]
        assert said[0] == said[1], arguments
        found = []
        for one in both:
            logs = tmp_path / f"state-{one.program.name}" / "logs"
            found.append({path.name: path.read_text() for path in logs.iterdir()})
        assert found[0] == found[1], arguments


REFUSED = {
    "no triggers": HEAD + '[trigger]\n[component.c]\nsource = "probe.wasm"\n',
    "base": HEAD + '[application.trigger.http]\nbase = "/x"\n{c}',
    "unknown component": HEAD + '[[trigger.http]]\nroute = "/"\ncomponent = "nobody"\n{c}',
    "both": HEAD + '[[trigger.http]]\nroute = "/"\nid = "t"\ncomponent = "c"\n'
    "static_response = {{ body = 'x' }}\n{c}",
    "neither": HEAD + '[[trigger.http]]\nroute = "/"\nid = "t"\n{c}',
    "private false": HEAD + "[[trigger.http]]\nroute = {{ private = false }}\n"
    'id = "t"\ncomponent = "c"\n{c}',
    "route": HEAD + '[[trigger.http]]\nroute = "/a/*b"\ncomponent = "c"\n{c}',
    "unnamed": HEAD + '[[trigger.http]]\nroute = "/a/:"\ncomponent = "c"\n{c}',
    "no route": HEAD + '[[trigger.http]]\ncomponent = "c"\n{c}',
    "unknown key": HEAD + '[[trigger.http]]\nroute = "/x"\nnope = 1\ncomponent = "c"\n{c}',
    "unknown label": HEAD + '{c}key_value_stores = ["nowhere"]\n',
    "unknown database": HEAD + '{c}sqlite_databases = ["nowhere"]\n',
    "unknown variable": HEAD + '{c}variables = {{ a = "{{{{ b }}}}" }}\n',
    "unmatched braces": HEAD + '{c}variables = {{ a = "{{{{ b" }}\n',
    "required variable": HEAD + "[variables]\nb = {{ required = true }}\n"
    "{c}variables = {{ a = '{{{{ b }}}}' }}\n",
    "missing wasm": HEAD + '[[trigger.http]]\nroute = "/m"\ncomponent = "m"\n'
    '[component.m]\nsource = "missing.wasm"\n',
    "no wasm": HEAD + '[[trigger.http]]\nroute = "/m"\ncomponent = "m"\n'
    '[component.m]\nsource = "spin.toml"\n',
    "static status": HEAD + '[[trigger.http]]\nroute = "/"\nid = "t"\n'
    "static_response = {{ status_code = 99999 }}\n",
    "version": 'spin_manifest_version = "3"\n',
    "nothing": "",
    "no toml": "what?",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_one_refuses_the_other_refuses(
    spin: Program, probe: Path, tmp_path: Path, name: str
) -> None:
    """The run fails before it serves, with exit status 1."""  # GEN-2
    (tmp_path / "spin.toml").write_text(REFUSED[name].format(c=component(probe, "c", "/c")))
    for program in (EMBEDDED, spin):
        with (
            pytest.raises(StartFailedError) as caught,
            running(program, ["-f", "spin.toml"], folder=tmp_path) as started,
        ):
            ask(started.port, "/")
        refused = caught.value
        print(program.name, refused.stderr)
        assert (refused.status, refused.stdout, "Error: " in refused.stderr) == (1, "", True)


def test_a_trigger_that_nobody_has_beside_an_http_one(
    spin: Program, probe: Path, tmp_path: Path
) -> None:
    """Spin refuses the application; here what can be served is, and the other one is named."""
    trigger = '[[trigger.nothing]]\ncomponent = "c"\n'
    (tmp_path / "spin.toml").write_text(HEAD + trigger + component(probe, "c", "/c"))
    with running(EMBEDDED, ["-f", "spin.toml"], folder=tmp_path) as started:
        assert ask(started.port, "/c").status == 200
        assert started.wait_for("nothing")
    with (
        pytest.raises(StartFailedError),
        running(spin, ["-f", "spin.toml"], folder=tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    "arguments",
    [
        ["--follow", "nobody"],
        ["--quiet", "--follow", "probe"],
        ["--runtime-config-file", "missing.toml"],
        ["--key-value", "x"],
        ["--env", "x"],
        ["--variable", "x"],
        ["--profile", "nope"],
        ["--nonsense"],
        ["--component-id", "nobody"],
        ["--sqlite", "SELEC"],
        ["--sqlite", "@missing.sql"],
        ["--tls-cert", "x"],
    ],
    ids=" ".join,
)
def test_flags_that_one_refuses_the_other_refuses(
    spin: Program, probe: Path, tmp_path: Path, arguments: list[str]
) -> None:
    """The status says that something was wrong."""  # CLI-30
    grants = 'sqlite_databases = ["default"]\nkey_value_stores = ["default"]'
    probe_manifest(tmp_path, probe, grants)
    for program in (EMBEDDED, spin):
        with (
            pytest.raises(StartFailedError) as caught,
            running(program, ["-f", "spin.toml", *arguments], folder=tmp_path),
        ):
            pass
        print(program.name, caught.value.stderr)
        assert caught.value.status in (1, 2)
