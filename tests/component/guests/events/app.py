"""An app with a handler of each kind of trigger, and two of one."""

import sys

import attrs

from edgezero_spin import App, CronEvent, Json, Kv, MqttMessage, RedisMessage, run_app


@attrs.frozen
class Order:
    id: int


app = App(kv=["notes"])


@app.get("/notes/{key}")
async def show(key: str, kv: Kv) -> str:
    return await kv["notes"].get(key, str) or ""


@app.redis("orders")
async def on_order(order: Json[Order], message: RedisMessage, kv: Kv) -> None:
    await kv["notes"].put(f"order-{order.id}", message.channel)


@app.redis("ends")
def on_end(message: RedisMessage) -> None:
    if message.payload.startswith(b"e"):
        raise LookupError("the end")


@app.mqtt("doors/{door}/open", qos=1)
async def opened(door: int, message: MqttMessage, kv: Kv) -> None:
    await kv["notes"].put(f"door-{door}", message.payload.decode())
    print("opened", file=sys.stderr)


@app.cron("0 */5 * * * *")
async def tick(event: CronEvent, kv: Kv) -> None:
    await kv["notes"].put("tick", f"{event.expression} {event.timestamp}")


IncomingHandler = run_app(app)
