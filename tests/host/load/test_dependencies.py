"""Components that satisfy imports of another one, in the same store."""

import asyncio
import base64
import json
import subprocess
import sysconfig
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.compat.wagi import WagiSettings
from edgezero_spin.host.errors import DeadlineExceeded, GuestTrapped, LinkError, WitError
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.http.trigger import HttpEntry, HttpTriggers
from edgezero_spin.host.load.dependencies import (
    DependencyError,
    DependencyPlan,
    Inherited,
    dependencies_of,
    granted,
    restricted_to,
)
from edgezero_spin.host.load.plan import ApplicationPlan, ComponentPlan
from edgezero_spin.host.runtime.component_loading import load_component, read_wasm
from edgezero_spin.host.runtime.engine import Engine, InstanceLimits
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.wasm.component.dependency_names import CompositionError
from edgezero_spin.wasm.component.spin_dependencies import SpinDependency, compose_dependencies
from tests.host.compat.commands import command
from tests.host.load.dependency_texts import (
    counting_provider,
    counting_user,
    environment_provider,
    identity_provider,
    stream_provider,
    stream_user,
)
from tests.host.runtime.wat import HOST, echo_text
from tests.host.support import INTERFACES, SCRIPT, Capture, HostLog, instance_state

ENVIRONMENT = (("A", "1"), ("B", "2"))

Join = Callable[..., PreparedComponent]


@pytest.fixture(params=["linked", "composed"])
def join(request: pytest.FixtureRequest, shared_engine: Engine, tmp_path: Path) -> Join:
    """Give a component its dependencies, all of them text: as the host does, or as a push."""

    def joined(
        user: str,
        providers: Mapping[str, str],
        *,
        inherit: Inherited = False,
        export: str | None = None,
    ) -> PreparedComponent:
        plans = []
        for number, (name, text) in enumerate(providers.items()):
            path = tmp_path / f"provider-{number}.wat"
            path.write_text(text)
            plans.append(DependencyPlan(name=name, source=path, inherit=inherit, export=export))
        path = tmp_path / "user.wat"
        path.write_text(user)
        if request.param == "composed":
            path.write_bytes(composed(path, plans))
            plans.clear()
        component = load_component(shared_engine, path, joined=True)
        found = dependencies_of(shared_engine, component, "user", plans, INTERFACES, None)
        return link(shared_engine, component, INTERFACES, found)

    return joined


def composed(path: Path, plans: list[DependencyPlan]) -> bytes:
    """One component of a component and its dependencies; the command `wasm-tools` takes it."""
    content = compose_dependencies(
        "user",
        read_wasm(path),
        [
            SpinDependency(
                name=plan.name,
                data=read_wasm(plan.source),
                export=plan.export,
                inherit=plan.inherit,
            )
            for plan in plans
        ],
    )
    tool = Path(sysconfig.get_path("scripts")) / "wasm-tools"
    done = subprocess.run(
        [tool, "validate", "--features", "all", "-"], input=content, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return content


def call(linked: PreparedComponent, function: str, *arguments: Any, **limits: Any) -> Any:
    """Call a function of a fresh instance."""
    state = instance_state(environment=ENVIRONMENT)
    with linked.instantiate(state, InstanceLimits(**limits)) as instance:
        return instance.call(None, function, *arguments)


@pytest.mark.parametrize(
    ("type_", "flat", "value"),
    [
        ("u32", "i32", 4_000_000_000),
        ("s64", "i64", -(2**63)),
        ("f64", "f64", 1.5),
        ("bool", "i32", True),
        ("char", "i32", "é"),
        ("string", "i32 i32", "grüße"),
        ("(list u8)", "i32 i32", bytes(range(256)) * 40),
        ("(list string)", "i32 i32", ["a", "", "b" * 1000]),
        ("(list (tuple string u32))", "i32 i32", [("a", 1), ("b", 2)]),
        ("(option string)", "i32 i32 i32", "x"),
        ("(option string)", "i32 i32 i32", None),
        ("(tuple u32 string)", "i32 i32 i32", (7, "x")),
    ],
)
def test_values_cross_unchanged(join: Join, type_: str, flat: str, value: Any) -> None:
    """From the user to the dependency and back, whatever their type."""
    linked = join(echo_text(type_, flat), {HOST: identity_provider(type_, flat)})
    assert call(linked, "echo", value) == value


NEW = "(call $new (i32.const {}))"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(f"(call $next {NEW.format(5)})", 6, id="own result, borrowed self"),
        pytest.param(
            f"(local.set $a {NEW.format(5)}) (drop (call $next (local.get $a))) "
            "(call $next (local.get $a))",
            7,
            id="twice",
        ),
        pytest.param(
            f"(call $next (call $join {NEW.format(5)} {NEW.format(6)}))", 12, id="own arguments"
        ),
        pytest.param(f"(call $drop {NEW.format(5)}) (call $dropped)", 1, id="dropped by the user"),
        pytest.param(
            f"(drop (call $join {NEW.format(5)} {NEW.format(6)})) (call $dropped)",
            2,
            id="dropped by the dependency",
        ),
        pytest.param(
            f"(i32.store (i32.const 128) {NEW.format(5)}) "
            f"(i32.store (i32.const 132) {NEW.format(6)}) "
            "(call $sum (i32.const 128) (i32.const 2))",
            11,
            id="a list of borrowed ones",
        ),
        pytest.param(
            f"(call $split {NEW.format(10)} (i32.const 200)) "
            "(local.set $n (i32.load (i32.const 200))) "
            "(call $drop (i32.load (local.get $n))) "
            "(i32.add (i32.mul (i32.const 100) (call $next (i32.load offset=4 (local.get $n))))"
            "(call $dropped))",
            602,
            id="a list of owned ones",
        ),
        pytest.param(
            f"(call $perhaps (i32.const 1) {NEW.format(10)} (i32.const 200)) "
            "(i32.add (i32.mul (i32.const 100) (i32.load (i32.const 200))) "
            "(call $next (i32.load (i32.const 204))))",
            11,
            id="an option in, a result out",
        ),
        pytest.param(
            "(call $perhaps (i32.const 0) (i32.const 0) (i32.const 200)) "
            "(i32.add (i32.mul (i32.const 100) (i32.load (i32.const 200))) "
            "(i32.load (i32.const 204)))",
            107,
            id="none in, an error out",
        ),
    ],
)
def test_a_dependency_may_define_resources(join: Join, body: str, expected: int) -> None:
    """Their handles cross in every position, and are dropped once."""
    linked = join(counting_user(body), {HOST: counting_provider()})
    assert call(linked, "run") == expected
    # Handles that are left at the end are no trouble either.
    assert call(linked, "run") == expected


def test_handles_are_the_users_own(join: Join) -> None:
    """One that was given away cannot be used again."""
    body = f"(local.set $a {NEW.format(5)}) (drop (call $join (local.get $a) {NEW.format(6)})) "
    linked = join(counting_user(body + "(call $next (local.get $a))"), {HOST: counting_provider()})
    with pytest.raises(GuestTrapped):
        call(linked, "run")


@pytest.mark.parametrize("owned", [False, True])
def test_resources_of_the_host_cross_as_they_are(join: Join, owned: bool) -> None:
    """A stream that the user opened is written by the dependency."""
    linked = join(stream_user(owned), {HOST: stream_provider(owned)})
    capture = Capture()

    state = instance_state(logs=Logs(None, echo_to=capture))
    with linked.instantiate(state) as instance:
        instance.call(None, "run")
        # A stream that was lent is still there, one that was given is gone.
        assert len(state.table) == (0 if owned else 1)
    assert capture.content == b"said by the dependency"


# MAN-75
@pytest.mark.parametrize(
    ("inherit", "seen"),
    [
        (False, 0),
        (True, 2),
        (("environment",), 2),
        (("files", "variables", "anything"), 0),
    ],
)
def test_a_dependency_sees_what_it_inherits(
    request: pytest.FixtureRequest, join: Join, inherit: Inherited, seen: int
) -> None:
    """Otherwise what a component sees that is granted nothing; where composed, it traps."""
    # V-91/1
    linked = join(echo_text("u32", "i32"), {HOST: environment_provider()}, inherit=inherit)
    if not seen and "composed" in request.node.callspec.id:
        with pytest.raises(GuestTrapped, match="unreachable"):
            call(linked, "echo", 100)
        return
    assert call(linked, "echo", 100) == 100 + seen


GRANTED = {
    "ai_models": "ai_models",
    "allowed_outbound_hosts": "outbound",
    "environment": "environment",
    "files": "mounts",
    "key_value_stores": "key_value",
    "sqlite_databases": "databases",
    "variables": "variables",
}


@pytest.mark.parametrize("kind", GRANTED)
def test_each_kind_is_inherited_by_itself(kind: str) -> None:
    """The other six stay with the user (MAN-75)."""
    marks: dict[str, Any] = {field: (field,) for field in GRANTED.values()}
    grants = attrs.evolve(instance_state().grants, **marks)
    left = restricted_to(grants, (kind, "unknown"))
    assert [field for field in GRANTED.values() if getattr(left, field)] == [GRANTED[kind]]
    assert not any(getattr(restricted_to(grants, ()), field) for field in GRANTED.values())
    assert left.log is grants.log


@pytest.mark.parametrize(
    ("function", "arguments", "error"),
    [
        ("fermyon:spin/key-value@2.0.0 [static]store.open", ("default",), ("access-denied", None)),
        ("fermyon:spin/variables@2.0.0 get", ("x",), "undefined"),
        ("fermyon:spin/sqlite@2.0.0 [static]connection.open", ("default",), "access-denied"),
    ],
)
def test_what_is_not_inherited_is_denied(
    function: str, arguments: tuple[Any, ...], error: Any
) -> None:
    """By the interface's own error, as Spin's adapter answers (MAN-75)."""
    interface, name = function.split(" ")
    state = instance_state(stores={"default": object()}, databases={"default": object()})  # type: ignore[dict-item]
    with pytest.raises(WitError) as raised:
        granted(INTERFACES, ())[interface].functions[name](state, *arguments)
    payload = raised.value.payload
    assert payload == error or payload[0] == error


def test_no_request_leaves_a_dependency_that_inherits_no_hosts() -> None:
    """The error names the interface (MAN-75)."""

    class Request:
        dropped = False

        def drop_body(self) -> None:
            self.dropped = True

    request = Request()
    handle = granted(INTERFACES, ("environment",))["wasi:http/outgoing-handler"].functions["handle"]
    with pytest.raises(WitError) as raised:
        handle(instance_state(), request, None)
    assert raised.value.payload == (
        "internal-error",
        '"wasi:http/outgoing-handler" is not permitted',
    )
    assert request.dropped


def test_what_a_dependency_changes_of_the_instance_is_changed() -> None:
    """Only grants are its own: what it holds counts for the instance (KV-4)."""
    state = instance_state(environment=ENVIRONMENT)

    def hold(state: InstanceState) -> int:
        state.open_stores += 1
        return len(state.grants.environment)

    interface = attrs.evolve(INTERFACES["wasi:random/random"], functions={"hold": hold})
    [restricted] = granted({"a": interface}, ()).values()
    assert restricted.functions["hold"](state) == 0
    assert (state.open_stores, len(state.grants.environment)) == (1, 2)


# MAN-71, MAN-75b
@pytest.mark.parametrize(
    "name",
    ["test:host", "test:host/api", "test:host/api@1.2.0", "test:host@1.2.0"],
)
def test_a_name_may_say_less_than_the_import(join: Join, name: str) -> None:
    """Package, interface and version: what is left out matches."""
    versioned = f"{HOST}@1.2.0"
    user = echo_text("u32", "i32").replace(f'"{HOST}"', f'"{versioned}"')
    linked = join(user, {name: identity_provider("u32", "i32", versioned)})
    assert call(linked, "echo", 7) == 7


def test_another_export_may_be_named(join: Join) -> None:
    """`export` (MAN-72)."""
    provider = identity_provider("u32", "i32", "other:package/ops@2.0.0")
    linked = join(echo_text("u32", "i32"), {HOST: provider}, export="other:package/ops@2.0.0")
    assert call(linked, "echo", 7) == 7


def test_a_plain_name_is_an_import_of_that_name(join: Join) -> None:
    """A function that the world imports by itself (MAN-71)."""
    user = """(component
      (import "double" (func $double (param "value" u32) (result u32)))
      (core func $lowered (canon lower (func $double)))
      (core module $m (import "h" "double" (func $double (param i32) (result i32)))
        (func (export "run") (param i32) (result i32) (call $double (local.get 0))))
      (core instance $i (instantiate $m (with "h" (instance (export "double" (func $lowered))))))
      (func (export "run") (param "value" u32) (result u32) (canon lift (core func $i "run"))))"""
    provider = """(component
      (core module $m (func (export "twice") (param i32) (result i32)
        (i32.add (local.get 0) (local.get 0))))
      (core instance $i (instantiate $m))
      (func (export "twice") (param "value" u32) (result u32)
        (canon lift (core func $i "twice"))))"""
    assert call(join(user, {"double": provider}, export="twice"), "run", 21) == 42


@pytest.mark.parametrize(
    ("providers", "export", "says"),
    [
        pytest.param(
            {"other:package": "u32 i32"},
            None,
            "dependency 'other:package' doesn't match any imports of component 'user' "
            r"\(it imports test:host/api\)",
            id="no such import",
        ),
        pytest.param(
            {"test:host/api@2.0.0": "u32 i32"}, None, "doesn't match any imports", id="version"
        ),
        pytest.param({"test:host/ap": "u32 i32"}, None, "doesn't match any imports", id="part"),
        pytest.param({"plain": "u32 i32"}, None, "doesn't match any imports", id="plain"),
        pytest.param(
            {"test:host": "u32 i32", HOST: "u32 i32"},
            None,
            "component 'user' has dependency conflicts: import 'test:host/api' satisfied by "
            "dependencies: 'test:host, test:host/api'",
            id="conflict",
        ),
        pytest.param(
            {HOST: "u32 i32"},
            "other",
            "dependency 'test:host/api' doesn't export 'other' to satisfy import "
            r"'test:host/api' \(it exports test:host/api\)",
            id="no such export",
        ),
    ],
)
def test_dependencies_that_fit_nothing(
    join: Join, providers: dict[str, str], export: str | None, says: str
) -> None:
    """Each fault in one sentence (MAN-75b)."""
    texts = {name: identity_provider(*text.split()) for name, text in providers.items()}
    with pytest.raises((DependencyError, CompositionError), match=says):
        join(echo_text("u32", "i32"), texts, export=export)


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        pytest.param(
            identity_provider("u64", "i64"),
            "type mismatch for `echoed`",
            id="another type",
        ),
        pytest.param(
            identity_provider("u32", "i32").replace('"value"', '"number"'),
            "type mismatch for `echo`",
            id="another parameter",
        ),
        pytest.param(
            identity_provider("u32", "i32").replace('(export "echo" (func $echo))', ""),
            "missing expected export `echo`",
            id="no such function",
        ),
    ],
)
def test_an_export_of_another_type_is_refused(join: Join, provider: str, says: str) -> None:
    """At the start, and what does not fit is named (MAN-75b)."""
    linked = f"not compatible with import 'test:host/api': {says}"
    composed = f"component 'user' cannot be joined with its dependencies: {says}"
    with pytest.raises((LinkError, CompositionError), match=f"{linked}|{composed}"):
        join(echo_text("u32", "i32"), {HOST: provider})


def test_a_trap_of_a_dependency_is_one_of_its_user(join: Join) -> None:
    """And its backtrace is told."""
    provider = identity_provider("u32", "i32", body="(unreachable)")
    linked = join(echo_text("u32", "i32"), {HOST: provider})
    with pytest.raises(GuestTrapped, match="unreachable"):
        call(linked, "echo", 7)


def test_the_deadline_counts_in_a_dependency(join: Join) -> None:
    """It runs on its user's time (LIFE-6)."""
    provider = identity_provider("u32", "i32", body="(loop $on (br $on)) (i32.const 0)")
    linked = join(echo_text("u32", "i32"), {HOST: provider})
    with pytest.raises(DeadlineExceeded):
        call(linked, "echo", 7, deadline_s=0.05)


COUNTER = (
    "(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) "
    "(i32.load (i32.const 8))"
)


TWO_IMPORTS = """(component
  (import "test:host/api" (instance $one
    (export "echo" (func (param "value" u32) (result u32)))))
  (import "test:host/more" (instance $other
    (export "echo" (func (param "value" u32) (result u32)))))
  (core func $one (canon lower (func $one "echo")))
  (core func $other (canon lower (func $other "echo")))
  (core module $m
    (import "" "one" (func $one (param i32) (result i32)))
    (import "" "other" (func $other (param i32) (result i32)))
    (func (export "run") (result i32)
      (drop (call $one (i32.const 0))) (call $other (i32.const 0))))
  (core instance $i (instantiate $m
    (with "" (instance (export "one" (func $one)) (export "other" (func $other))))))
  (func (export "run") (result u32) (canon lift (core func $i "run"))))"""


def test_a_dependency_for_two_imports_is_one_instance(join: Join) -> None:
    """What it keeps for one of them the other sees."""
    provider = identity_provider("u32", "i32", body=COUNTER).replace(
        f'(export "{HOST}" (instance $api))',
        f'(export "{HOST}" (instance $api)) (export "test:host/more" (instance $api))',
    )
    assert call(join(TWO_IMPORTS, {"test:host": provider}), "run") == 2


def test_every_instance_has_its_own_dependencies(join: Join) -> None:
    """Also at the same time: nothing crosses between instances (LIFE-2)."""
    linked = join(echo_text("u32", "i32"), {HOST: identity_provider("u32", "i32", body=COUNTER)})
    barrier = threading.Barrier(4)
    seen: list[list[int]] = []

    def use() -> None:
        with linked.instantiate(instance_state()) as instance:
            barrier.wait()
            seen.append([instance.call(None, "echo", 0) for _ in range(50)])

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [list(range(1, 51))] * 4


MANIFEST = """\
spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "script"
[component.script]
source = "script.wat"
[component.script.dependencies]
"example:nowhere/thing@1.0.0" = {dependency}
[component.helper]
source = "helper.wat"
"""

HELPER = """(component
  (core module $m (func (export "ask")))
  (core instance $i (instantiate $m))
  (func $ask (canon lift (core func $i "ask")))
  (instance $thing (export "ask" (func $ask)))
  (export "example:nowhere/thing@1.0.0" (instance $thing)))"""


@pytest.mark.parametrize(
    "dependency", ['{ path = "helper.wat" }', '{ component = "helper" }'], ids=["path", "component"]
)
def test_an_application_with_a_dependency_answers(
    shared_engine: Engine, tmp_path: Path, dependency: str
) -> None:
    """From its manifest, and from the lock made of it (MAN-72, LOCK-37)."""
    asking = "(then (call $ask)))"
    answering = "(then (call $ask) (call $answer (i32.const 200) (i32.const 0)) (return)))"
    (tmp_path / "script.wat").write_text(SCRIPT.read_text().replace(asking, answering))
    (tmp_path / "helper.wat").write_text(HELPER)
    (tmp_path / "spin.toml").write_text(MANIFEST.replace("{dependency}", dependency))
    options: Any = {"engine": shared_engine, "settings": HostSettings(cache_dir=None)}

    async def ask(host: Host) -> int:
        return (await host.handle(HttpRequest(target="/i"))).status

    with Host.from_manifest(tmp_path, work_dir=tmp_path / "work", **options) as host:
        assert asyncio.run(ask(host)) == 200
    with Host.from_lock(tmp_path / "work" / "spin.lock", **options) as host:
        assert asyncio.run(ask(host)) == 200
    # Without it the guest traps there.
    without = MANIFEST.partition("[component.script.dependencies]")[0]
    (tmp_path / "spin.toml").write_text(without)
    with HostLog(), Host.from_manifest(tmp_path, **options) as host:
        assert asyncio.run(ask(host)) == 500


def test_the_content_of_a_dependency_may_be_in_the_lock(
    shared_engine: Engine, tmp_path: Path
) -> None:
    """As for any other component (LOCK-33, LOCK-37)."""
    asking = "(then (call $ask)))"
    answering = "(then (call $ask) (call $answer (i32.const 200) (i32.const 0)) (return)))"
    (tmp_path / "script.wat").write_text(SCRIPT.read_text().replace(asking, answering))
    lock = {
        "spin_lock_version": 0,
        "metadata": {"name": "demo"},
        "triggers": [
            {
                "id": "all",
                "trigger_type": "http",
                "trigger_config": {"component": "script", "route": "/..."},
            }
        ],
        "components": [
            {
                "id": "script",
                "source": {
                    "content_type": "application/wasm",
                    "source": (tmp_path / "script.wat").as_uri(),
                },
                "dependencies": {
                    "example:nowhere/thing": {
                        "source": {
                            "content_type": "application/wasm",
                            "inline": base64.b64encode(HELPER.encode()).decode().rstrip("="),
                        },
                        "export": None,
                        "inherit": {"Some": ["variables"]},
                    }
                },
            }
        ],
    }
    (tmp_path / "spin.lock").write_text(json.dumps(lock))

    async def ask(host: Host) -> int:
        return (await host.handle(HttpRequest(target="/i"))).status

    settings = HostSettings(cache_dir=None)
    path = tmp_path / "spin.lock"
    with Host.from_lock(path, engine=shared_engine, settings=settings) as host:
        assert asyncio.run(ask(host)) == 200
        [part] = host.application.plan.components
        assert [plan.inherit for plan in part.dependencies] == [("variables",)]


def test_a_command_that_is_a_core_module_has_no_use_for_dependencies(
    shared_engine: Engine, tmp_path: Path
) -> None:
    """Its imports are those of WASI 0.1 (WAGI-1)."""
    (tmp_path / "command.wat").write_text(command(""))
    (tmp_path / "helper.wat").write_text(HELPER)
    part = ComponentPlan(
        id="command",
        source=tmp_path / "command.wat",
        dependencies=(DependencyPlan(name="a:b", source=tmp_path / "helper.wat"),),
    )
    trigger = HttpEntry(id="all", route="/", component="command", wagi=WagiSettings())
    plan = ApplicationPlan(name="a", components=(part,), triggers=(HttpTriggers((trigger,)),))
    with pytest.raises(DependencyError, match=r"component 'command' \(it imports nothing\)"):
        Host(plan, engine=shared_engine)
