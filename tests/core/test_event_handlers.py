"""Handlers of Redis, MQTT and cron in an app: what starts them, and what they are given."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import attrs
import pytest

from edgezero_spin import (
    App,
    BackgroundTasks,
    CronEvent,
    Depends,
    Json,
    Kv,
    MqttMessage,
    RedisMessage,
    Request,
    State,
)
from edgezero_spin.core.event_handlers import DeclaredTrigger, NoEventHandlerError
from edgezero_spin.core.topics import parse_topic
from edgezero_spin.testing import KitError, TestClient


@attrs.frozen
class Order:
    """What the messages of these tests are."""

    id: int


@attrs.frozen
class Settings:
    """A state of these tests."""

    shop: str


def a_shop() -> str:
    """A dependency."""
    return "shop"


def make_app() -> App:
    """An app with a handler of each kind."""
    app = App(kv=["notes"], state=[Settings("corner")])

    @app.redis("orders")
    async def on_order(
        order: Json[Order], message: RedisMessage, kv: Kv, settings: State[Settings]
    ) -> None:
        await kv["notes"].put(f"order-{order.id}", f"{settings.shop} {message.channel}")

    @app.mqtt("doors/{door}/open", qos=1)
    def opened(door: int, message: MqttMessage, shop: Annotated[str, Depends(a_shop)]) -> None:
        print(door, message.topic, message.qos, shop)

    @app.mqtt("alarms/{*rest}")
    def alarm(rest: str) -> None:
        print("alarm", rest)

    @app.cron("0 */5 * * * *")
    async def tidy(event: CronEvent, tasks: BackgroundTasks) -> None:
        print(event.time.isoformat(), event.expression)
        tasks.add_task(print, "tidied")

    return app


def test_handlers_are_given_what_routes_are() -> None:
    """The payload as a model, the event, levels of the topic, stores, state, dependencies."""
    client = TestClient(make_app())
    result = client.redis("orders", json={"id": 7})
    assert result.ok
    assert result.calls.texts == ["open notes", "set notes order-7"]
    assert client.kv["notes"].json("order-7") == "corner orders"
    assert client.mqtt("doors/7/open", "x", qos=1).stdout == "7 doors/7/open 1 shop\n"
    assert client.mqtt("alarms/a/b%20").stdout == "alarm a/b%20\n"
    at = datetime(2026, 11, 30, 12, 5, tzinfo=UTC)
    result = client.cron("0 */5 * * * *", at=at)
    assert result.stdout == "2026-11-30T12:05:00+00:00 0 */5 * * * *\ntidied\n"


def test_what_a_handler_raises_is_told() -> None:
    """A traceback for what is a fault of the app, a line for what is one of the message."""
    app = make_app()

    @app.redis("broken")
    def broken() -> None:
        raise LookupError("no such thing")

    client = TestClient(app)
    result = client.redis("broken")
    assert (result.ok, result.error) == (False, "LookupError: no such thing")
    assert "Traceback" in result.stderr
    with pytest.raises(KitError, match="no such thing"):
        result.raise_for_error()
    result = client.redis("orders", b"{}")
    assert not result.ok
    assert "Traceback" not in result.stderr
    assert "invalid JSON payload" in result.stderr
    result = client.mqtt("doors/front/open")
    assert result.error == "invalid path parameters: door: not a whole number"


@pytest.mark.parametrize(
    ("hand_over", "problem"),
    [
        (lambda client: client.redis("other"), "no redis handler of the app takes .*'orders'"),
        (lambda client: client.mqtt("doors/7"), "no mqtt handler of the app takes"),
        (lambda client: client.cron("0 0 0 * * *"), "no cron handler of the app takes"),
    ],
)
def test_events_that_nobody_takes(hand_over: Callable[[TestClient], Any], problem: str) -> None:
    """The test is told what the app listens to."""
    with pytest.raises(KitError, match=problem):
        hand_over(TestClient(make_app()))


def test_clients_hand_over_from_a_loop() -> None:
    """As they send requests."""

    async def run() -> None:
        client = TestClient(make_app())
        assert (await client.aio.redis("orders", json={"id": 1})).ok
        assert (await client.aio.mqtt("doors/1/open")).ok
        assert (await client.aio.cron("0 */5 * * * *")).ok

    asyncio.run(run())


def test_what_the_manifest_has_to_have_is_known() -> None:
    """Kinds, texts and qualities, and the interfaces of the component."""
    app = make_app()
    assert app.events.triggers == (
        DeclaredTrigger("redis", "orders"),
        DeclaredTrigger("mqtt", "doors/+/open", 1),
        DeclaredTrigger("mqtt", "alarms/#"),
        DeclaredTrigger("cron", "0 */5 * * * *"),
    )
    assert app.needs >= {"http", "redis_trigger", "mqtt_trigger", "cron_trigger"}
    assert App().needs & {"redis_trigger", "mqtt_trigger", "cron_trigger"} == set()


def test_a_component_is_not_told_which_trigger_started_it() -> None:
    """With several of a kind the environment has to say; with one it need not."""
    events = make_app().events
    assert events.expected("redis", None).text == "orders"
    app = make_app()
    app.redis("returns")(lambda: None)
    assert app.events.expected("redis", "returns").text == "returns"
    with pytest.raises(NoEventHandlerError, match='EDGEZERO__TRIGGER = "orders"'):
        app.events.expected("redis", None)
    with pytest.raises(NoEventHandlerError, match="'gone', which EDGEZERO__TRIGGER names"):
        app.events.expected("redis", "gone")
    with pytest.raises(NoEventHandlerError, match="no handler of a redis trigger"):
        App().events.expected("redis", None)


def test_filters_that_overlap_need_to_be_told_apart() -> None:
    """Each gets the message of its own subscription, and both match."""
    app = make_app()
    taken: list[str] = []
    app.mqtt("doors/#")(lambda: taken.append("all"))
    message = MqttMessage("doors/1/open", b"")
    with pytest.raises(NoEventHandlerError, match="several handlers of mqtt triggers"):
        asyncio.run(app.take(message))
    asyncio.run(app.take(message, chosen="doors/#"))
    assert taken == ["all"]


def _bad_request(app: App) -> None:
    @app.redis("x")
    def handler(request: Request) -> None: ...


def _bad_event(app: App) -> None:
    @app.redis("x")
    def handler(event: CronEvent) -> None: ...


def _bad_query(app: App) -> None:
    @app.cron("0 0 0 * * *")
    def handler(page: int) -> None: ...


def _bad_route(app: App) -> None:
    @app.get("/x")
    def handler(message: RedisMessage) -> None: ...


def _bad_store(app: App) -> None:
    @app.mqtt("x")
    def handler(kv: Kv) -> None: ...


@pytest.mark.parametrize(
    ("declare", "problem"),
    [
        (_bad_request, "the handler is started by a RedisMessage, not by a request"),
        (_bad_event, "the handler is started by a RedisMessage, not by a CronEvent"),
        (_bad_query, "parameter 'page': CronEvent has no query; take the event itself"),
        (_bad_route, "the handler is started by a request, not by a RedisMessage"),
        (_bad_store, "the app declares no key-value store"),
    ],
)
def test_signatures_that_cannot_be_served(declare: Callable[[App], None], problem: str) -> None:
    """They are refused when the app is compiled, and named."""
    app = App()
    declare(app)
    with pytest.raises(TypeError, match=problem):
        app.compile()


@pytest.mark.parametrize(
    ("declare", "problem"),
    [
        (lambda app: app.redis(""), "a Redis channel needs a name"),
        (lambda app: app.cron("* * * * *"), "write six fields"),
        (lambda app: app.mqtt("a", qos=3), "qos is 0, 1 or 2, got 3"),
        (lambda app: app.mqtt("a/#/b"), "its last level"),
        (lambda app: app.mqtt("a/b+"), "a whole level"),
        (lambda app: app.mqtt("a/{x}/{x}"), "the name 'x' is used twice"),
        (lambda app: app.mqtt(""), "is not a topic"),
        (lambda app: (app.redis("x")(print), app.redis("x")), "has a handler already"),
        (lambda app: (app.mqtt("a/+")(print), app.mqtt("a/{b}")), "'a/\\+' has a handler already"),
    ],
)
def test_declarations_that_mean_nothing(declare: Callable[[App], Any], problem: str) -> None:
    """They are refused where they stand."""
    with pytest.raises(ValueError, match=problem):
        declare(App())


@pytest.mark.parametrize("kind", ["redis", "mqtt", "cron", "get", "post"])
def test_a_decorator_without_parentheses_is_refused(kind: str) -> None:
    """A handler would never be called, and nothing said so."""
    app = App()
    with pytest.raises(TypeError, match=r'as in @app\.\w+\(".+"\), got <function'):

        @getattr(app, kind)  # type: ignore[untyped-decorator]
        def one() -> None: ...


@pytest.mark.parametrize(
    ("text", "filter", "topic", "values"),
    [
        ("a/{b}/c", "a/+/c", "a/x/c", (b"x",)),
        ("a/{b}/c", "a/+/c", "a/x/d", None),
        ("a/{b}", "a/+", "a/x/y", None),
        ("a/{*b}", "a/#", "a/x/y", (b"x/y",)),
        ("a/{*b}", "a/#", "a", (b"",)),
        ("a/#", "a/#", "a/x", ()),
        ("#", "#", "$SYS/x", None),
        ("$SYS/{x}", "$SYS/+", "$SYS/load", (b"load",)),
        ("{a}", "+", "50%", (b"50%25",)),
    ],
)
def test_topics_with_names(
    text: str, filter: str, topic: str, values: tuple[bytes, ...] | None
) -> None:
    """The filter is MQTT's own; the values are those of the levels."""
    pattern = parse_topic(text)
    assert pattern.filter == filter
    assert pattern.match(topic) == values
