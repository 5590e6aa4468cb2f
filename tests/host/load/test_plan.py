"""From a locked application to what the host runs, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin.host import Host, HostSettings
from edgezero_spin.host.errors import HandlerError
from edgezero_spin.host.http.gateway import CompleteResponse
from edgezero_spin.host.http.trigger import HttpEntry, HttpTriggers
from edgezero_spin.host.load.application import PublicRoute
from edgezero_spin.host.load.plan import ApplicationError, ApplicationPlan, keep_components, plan_of
from edgezero_spin.host.load.trigger_kinds import BUILT_IN
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.manifest.spin import LockedApp, parse_lock
from tests.host.support import script_host, script_plan

COMPONENT = {"id": "c", "source": {"content_type": "application/wasm", "source": "file:///c.wasm"}}


def planned(app: LockedApp, **options: Any) -> ApplicationPlan:
    """The plan of an application for a host with the kinds that are built in."""
    return plan_of(app, BUILT_IN, **options)


def entries_of(plan: ApplicationPlan) -> tuple[HttpEntry, ...]:
    """Its HTTP triggers."""
    [triggers] = plan.triggers
    assert isinstance(triggers, HttpTriggers)
    return triggers.entries


def app(tmp_path: Path, *triggers: dict[str, Any], **parts: Any) -> LockedApp:
    """A locked application with one component."""
    value = {
        "spin_lock_version": 0,
        "metadata": {"name": "demo", **parts.get("metadata", {})},
        "triggers": [
            {"id": f"t{number}", "trigger_type": "http", "trigger_config": config}
            for number, config in enumerate(triggers)
        ],
        "components": [{**COMPONENT, **parts.get("component", {})}],
    }
    return parse_lock(json.dumps(value), tmp_path / "spin.lock")


def test_a_plan_has_what_the_lock_says(tmp_path: Path) -> None:
    """Sources become paths; environments, grants and descriptions are kept."""
    component = {
        "metadata": {"key_value_stores": ["default"], "description": "Says hello"},
        "env": {"A": "1", "B": "2"},
        "files": [{"source": "file:///srv/my%20files", "path": "/"}],
    }
    locked = app(tmp_path, {"component": "c", "route": "/..."}, component=component)
    plan = planned(locked)
    [part] = plan.components
    assert (part.source, part.description) == (Path("/c.wasm"), "Says hello")
    assert dict(part.environment) == {"A": "1", "B": "2"}
    assert part.key_value_stores == ("default",)
    assert [(mount.guest_path, mount.host_path) for mount in part.mounts] == [
        ("/", Path("/srv/my files"))
    ]


def test_static_and_private_triggers(tmp_path: Path) -> None:
    """A static response needs no component, a private route is in no table."""
    plan = planned(
        app(
            tmp_path,
            {"route": "/s", "static_response": {"status_code": 302, "headers": {"Location": "/"}}},
            {"component": "c", "route": {"private": True}},
        )
    )
    assert entries_of(plan)[0].static == CompleteResponse(302, (("location", b"/"),))
    assert (entries_of(plan)[1].route, entries_of(plan)[1].component) == (None, "c")


@pytest.mark.parametrize(
    ("config", "parts", "problem"),
    [
        ({"route": "/"}, {}, "Triggers must specify either component or static_response - t0 has"),
        ({"route": {"private": False}, "component": "c"}, {}, "route must be a string pattern"),
        ({"component": "c"}, {}, "route must be a string pattern"),
        # MAN-26
        ({"route": "/", "component": "c", "executor": {"type": "cgi"}}, {}, '{ type = "wagi" }'),
        ({"route": "/", "component": "c", "executor": "wagi"}, {}, '{ type = "wagi" }'),
        (
            {"route": "/", "component": "c", "executor": {"type": "wagi", "args": "x"}},
            {},
            "unknown key 'args'",
        ),
        (
            {"route": "/", "component": "c", "executor": {"type": "wagi", "argv": ["x"]}},
            {},
            "executor.argv: expected one text",
        ),
        # WAGI-1
        (
            {"route": "/", "component": "c", "executor": {"type": "wagi", "entrypoint": "main"}},
            {},
            "cannot use the deprecated 'entrypoint'",
        ),
        # RESP-13
        ({"route": "/", "static_response": {"status_code": 99}}, {}, "99 is not 200 to 999"),
        (
            {"route": "/", "static_response": {"headers": {"a b": "c"}}},
            {},
            "'a b' is not a valid header",
        ),
        # What Spin's own types refuse.
        (
            {"route": "/", "static_response": {"headers": {"a": 1}}},
            {},
            "static_response.headers.a: expected a string, got an integer",
        ),
        (
            {"route": "/", "static_response": {"headers": {"a": ["b"]}}},
            {},
            "static_response.headers.a: expected a string, got a list",
        ),
        (
            {"route": "/", "static_response": {"headers": ["b"]}},
            {},
            "static_response.headers: expected a table, got a list",
        ),
        ({"route": "/", "static_response": {"body": 1}}, {}, "static_response.body: expected a"),
        ({"route": "/", "static_response": {"status_code": True}}, {}, "True is not 200 to 999"),
        ({"route": "/", "static_response": {"status_code": "404"}}, {}, "is not 200 to 999"),
        ({"route": "/", "static_response": "x"}, {}, "static_response: expected a table"),
        (
            {"route": "/", "component": "c"},
            {"metadata": {"trigger": {"type": "http", "base": "/v1"}}},
            "base is '/v1'",
        ),
        (
            {"route": "/", "component": "c"},
            {"component": {"source": {"digest": "sha256:00"}}},
            "is not a file on this disk",
        ),
    ],
)
def test_what_cannot_run_is_refused_by_name(
    tmp_path: Path, config: dict[str, Any], parts: dict[str, Any], problem: str
) -> None:
    """Each fault is told before anything is loaded."""
    with pytest.raises(ApplicationError) as caught:
        planned(app(tmp_path, config, **parts))
    assert problem in str(caught.value)


def test_unknown_keys_are_ignored_where_spin_ignores_them(tmp_path: Path) -> None:
    """In a static response and in the executor for HTTP, unlike in the one for Wagi."""
    static = {"status_code": 404, "status": 200, "body": "b"}
    plan = planned(
        app(
            tmp_path,
            {"route": "/s", "static_response": static},
            {"route": "/c", "component": "c", "executor": {"type": "http", "argv": 1}},
        )
    )
    assert entries_of(plan)[0].static == CompleteResponse(404, (), b"b")
    assert entries_of(plan)[1].wagi is None


def test_other_triggers_beside_http_are_left_out(tmp_path: Path) -> None:
    """The HTTP ones run, and a line says what does not and who may run it."""
    locked = app(tmp_path, {"component": "c", "route": "/"}, {"component": "c", "channel": "x"})
    [http, other] = locked.triggers
    other = attrs.evolve(other, trigger_type="sqs", trigger_config={"component": "d"})
    plan = planned(attrs.evolve(locked, triggers=(other, http)), file=Path("spin.toml"))
    assert [entry.id for entry in entries_of(plan)] == ["t0"]
    [notice] = plan.notices
    assert notice.startswith("spin.toml: No built-in trigger named 'sqs' (trigger 't1'); ")
    assert notice.endswith("`spin up` may run others; it is left out")


def test_an_application_without_http_is_refused(tmp_path: Path) -> None:
    """With the words of Spin, and who may run it (LOCK-44)."""
    locked = app(tmp_path, {"component": "c", "route": "/"}, {"component": "c", "channel": "x"})
    other = attrs.evolve(locked.triggers[1], trigger_type="sqs")
    with pytest.raises(ApplicationError) as caught:
        planned(attrs.evolve(locked, triggers=(other,)))
    [problem] = caught.value.problems
    assert problem.startswith("No built-in trigger named 'sqs' (trigger 't1'); ")
    assert "`spin up`" in problem


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    """Two triggers with a fault each give two lines."""
    with pytest.raises(ApplicationError) as caught:
        planned(app(tmp_path, {"route": "/"}, {"component": "c"}))
    assert len(caught.value.problems) == 2


MIDDLEWARE = """(component
  (import "wasi:http/handler@0.3.0" (instance $h (export "handle" (func))))
  (alias export $h "handle" (func $f))
  (core func $c (canon lower (func $f)))
  (core module $m (import "" "f" (func $f)) (func (export "run") (call $f)))
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $c))))))
  (func $run (canon lift (core func $i "run")))
  (instance $e (export "handle" (func $run)))
  (export "wasi:http/handler@0.3.1" (instance $e)))"""


def test_a_component_without_a_handler_is_refused(shared_engine: Engine, tmp_path: Path) -> None:
    """A component that exports none, or one of another type, or two, is named."""  # RESP-15, XP-2
    for text, problem in (
        ("(component)", "Expected component to export one of wasi:http/handler@0.3.0"),
        (
            "(component (component $h) (instance $i (instantiate $h)) (export "
            '"wasi:http/handler@0.3.0-rc-2026-01-06" (instance $i)))',
            "it exports wasi:http/handler@0.3.0-rc-2026-01-06, which this host does not run",
        ),
        (
            "(component (component $h) (instance $i (instantiate $h)) (export "
            '"wasi:http/handler@0.3.1" (instance $i)))',
            "has no `handle: async func(request: request)",
        ),
        (
            "(component (component $h) (instance $i (instantiate $h)) (export "
            '"wasi:http/handler@0.3.0" (instance $i)) (export '
            '"wasi:http/incoming-handler@0.2.0" (instance $i)))',
            "component exports multiple different handlers",
        ),
        (MIDDLEWARE, "it imports wasi:http/handler, as middleware does"),
    ):
        path = tmp_path / "guest.wat"
        path.write_text(text)
        with pytest.raises(HandlerError) as caught:
            Host(
                script_plan(source=path),
                engine=shared_engine,
                settings=HostSettings(cache_dir=None),
            )
        assert problem in str(caught.value)


def test_an_application_needs_a_trigger_and_its_components(shared_engine: Engine) -> None:
    """No trigger is Spin's own message; a missing component is named (CONF-45)."""
    settings = HostSettings(cache_dir=None)
    empty = ApplicationPlan(name="e", components=(), triggers=())
    with pytest.raises(ApplicationError, match=r"\ANo triggers in app\Z"):
        Host(empty, engine=shared_engine, settings=settings)
    missing = HttpEntry(id="t", route="/", component="no-such")
    with pytest.raises(ApplicationError, match="'no-such', which does not exist"):
        script_host(shared_engine, missing)


def test_routes_are_told_in_the_order_they_are_tried(shared_engine: Engine) -> None:
    """Most specific first, with the component's description (OUT-5, OUT-6)."""
    triggers = [
        HttpEntry(id=str(number), route=route, component="script")
        for number, route in enumerate(["/...", "/a/...", "/a"])
    ]
    with script_host(shared_engine, *triggers) as host:
        assert host.routes == (
            PublicRoute("script", "/a", False, "Does as told"),
            PublicRoute("script", "/a", True, "Does as told"),
            PublicRoute("script", "/", True, "Does as told"),
        )


def chained() -> LockedApp:
    """``front`` may call ``back``; ``side`` is on its own (LOCK-50)."""
    source = {"content_type": "application/wasm", "source": "file:///x.wasm"}
    hosts = {"allowed_outbound_hosts": ["http://back.spin.internal", "{{ elsewhere }}"]}
    value = {
        "spin_lock_version": 0,
        "triggers": [
            {"id": f"{id}-t", "trigger_type": "http", "trigger_config": {"component": id}}
            for id in ("front", "back", "side")
        ],
        "components": [
            {"id": "front", "source": source, "metadata": hosts},
            {"id": "back", "source": source},
            {"id": "side", "source": source},
        ],
    }
    return parse_lock(json.dumps(value), Path("spin.lock"))


@pytest.mark.parametrize("ids", [["side"], ["front", "back"], ["back", "side"]])
def test_some_components_can_be_kept(ids: list[str]) -> None:
    """Only they and their triggers are left, in the lock's order (LOCK-43)."""
    kept = keep_components(chained(), ids)
    assert [part.id for part in kept.components] == ids
    assert [trigger.component for trigger in kept.triggers] == ids


@pytest.mark.parametrize(
    ("ids", "problem"),
    [
        (["front"], "component 'front' may call 'back', which is left out"),
        (["none", "side"], "Unknown component(s) none (the application has front, back, side)"),
    ],
)
def test_what_cannot_be_left_out(ids: list[str], problem: str) -> None:
    """A component that another calls, and one that does not exist (LOCK-43)."""
    with pytest.raises(ApplicationError) as caught:
        keep_components(chained(), ids)
    assert problem in str(caught.value)
