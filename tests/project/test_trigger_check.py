"""Whether spin.toml starts what an app handles."""

from pathlib import Path

import pytest

from edgezero_spin.project.app_look import look_at_app
from edgezero_spin.project.trigger_check import AppTrigger, TriggerMismatchError, check_triggers

ORDERS = AppTrigger("redis", "orders")
RETURNS = AppTrigger("redis", "returns")
DOORS = AppTrigger("mqtt", "doors/+/open", 1)
ALARMS = AppTrigger("mqtt", "alarms")
NIGHT = AppTrigger("cron", "0 0 3 * * *")

HEAD = """spin_manifest_version = 2
[application]
name = "shop"
[application.trigger.redis]
address = "redis://localhost"
[component.shop]
source = "app.wasm"
"""
HTTP = '[[trigger.http]]\nroute = "/..."\ncomponent = "shop"\n'
OF_OTHER = (
    '[[trigger.redis]]\nchannel = "x"\ncomponent = "other"\n[component.other]\nsource = "o.wasm"\n'
)


def written(folder: Path, *tables: str) -> Path:
    """A manifest with these tables."""
    path = folder / "spin.toml"
    path.write_text(HEAD + "\n".join(tables))
    return path


def second(text: str) -> str:
    """Another component of the same file, for one handler."""
    return (
        '[component.second]\nsource = "app.wasm"\n'
        f'environment = {{ EDGEZERO__TRIGGER = "{text}" }}\n'
    )


@pytest.mark.parametrize(
    ("tables", "triggers"),
    [
        ((HTTP,), ()),
        ((HTTP, OF_OTHER), ()),
        ((HTTP, ORDERS.table("shop"), OF_OTHER), (ORDERS,)),
        ((ORDERS.table("shop"), DOORS.table("shop"), NIGHT.table("shop")), (ORDERS, DOORS, NIGHT)),
        ((ORDERS.table("shop").replace("orders", "{{ channel }}"),), (ORDERS,)),
        ((DOORS.table("shop"), ALARMS.table("shop")), (DOORS, ALARMS)),
    ],
)
def test_manifests_that_fit(
    tables: tuple[str, ...], triggers: tuple[AppTrigger, ...], tmp_path: Path
) -> None:
    """Each handler has a table, and each table of the component a handler."""
    written(tmp_path, *tables)
    check_triggers(triggers, tmp_path / "app.wasm", tmp_path)


def test_components_of_one_file_are_told_apart(tmp_path: Path) -> None:
    """Each has one of the handlers, by its environment."""
    tables = [RETURNS.table("second"), second("returns")]
    written(tmp_path, HTTP, *tables)
    with pytest.raises(TriggerMismatchError, match="nothing starts the redis handler 'orders'"):
        check_triggers((ORDERS, RETURNS), tmp_path / "app.wasm", tmp_path)
    other = second("orders").replace("second", "third")
    written(tmp_path, HTTP, *tables, ORDERS.table("third"), other)
    check_triggers((ORDERS, RETURNS), tmp_path / "app.wasm", tmp_path)


@pytest.mark.parametrize(
    ("tables", "triggers", "problem"),
    [
        (
            (HTTP,),
            (ORDERS, NIGHT),
            "nothing starts the redis handler 'orders', the cron handler '0 0 3 * * *' of the app; "
            'add:\n\n[[trigger.redis]]\nchannel = "orders"\ncomponent = "shop"\n\n'
            '[[trigger.cron]]\ncron_expression = "0 0 3 * * *"\ncomponent = "shop"',
        ),
        (
            (HTTP, ORDERS.table("shop")),
            (),
            "starts component 'shop', and the app has no handler of it; write "
            '@app.redis("orders"), or remove the table',
        ),
        (
            (ORDERS.table("shop"), RETURNS.table("shop")),
            (ORDERS, RETURNS),
            "is not told which one starts it; give each a component of its own, made from the same "
            'file, with environment = { EDGEZERO__TRIGGER = "orders" }',
        ),
        (
            (DOORS.table("shop").replace('"1"', '"2"'),),
            (DOORS,),
            "has qos '2', and the handler of the app 1; write qos = \"1\"",
        ),
        (
            (ORDERS.table("shop"), RETURNS.table("second"), second("retruns")),
            (ORDERS, RETURNS),
            "starts component 'second', whose EDGEZERO__TRIGGER is 'retruns'; write environment = "
            '{ EDGEZERO__TRIGGER = "returns" }',
        ),
    ],
)
def test_manifests_that_do_not_fit(
    tables: tuple[str, ...], triggers: tuple[AppTrigger, ...], problem: str, tmp_path: Path
) -> None:
    """One error names the file, what does not fit, and what to write."""
    path = written(tmp_path, *tables)
    with pytest.raises(TriggerMismatchError) as caught:
        check_triggers(triggers, tmp_path / "app.wasm", tmp_path)
    assert problem in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_other_components_are_nobodys_business(tmp_path: Path) -> None:
    """Where the file that is built stands in no manifest, nothing is compared."""
    check_triggers((ORDERS,), tmp_path / "app.wasm", tmp_path)
    written(tmp_path, HTTP)
    check_triggers((ORDERS,), tmp_path / "other.wasm", tmp_path)
    below = tmp_path / "src"
    below.mkdir()
    with pytest.raises(TriggerMismatchError):
        check_triggers((ORDERS,), tmp_path / "app.wasm", below)


def test_an_app_says_what_starts_it(tmp_path: Path) -> None:
    """It is imported in a process of its own."""
    (tmp_path / "app.py").write_text(
        "from edgezero_spin import App, run_app\napp = App()\n"
        '@app.redis("orders")\ndef order() -> None: ...\n'
        '@app.mqtt("doors/{door}/open", qos=1)\ndef door(door: str) -> None: ...\n'
        "IncomingHandler = run_app(app)\n"
    )
    look = look_at_app("app", "", tmp_path)
    assert look.triggers == (ORDERS, DOORS)
    assert look.needs == {"http", "redis_trigger", "mqtt_trigger"}
