"""Rates: asks another service for exchange rates, and remembers what it said for a while.

A key-value store has no expiry on Spin, so the time goes into the store with the value. What
is too old is asked for again; while the other service is down, it is better than nothing.
"""

import os
import time

import attrs
from attrs.validators import gt

from edgezero_spin import App, HttpError, Kv, NotFound, Outbound, OutboundError, Query, run_app

SERVICE = "https://rates.example.com"

app = App("rates", kv=["default"])


@attrs.frozen
class Latest:
    """What the other service answers."""

    rates: dict[str, float]


@attrs.frozen
class Kept:
    """What is remembered of it."""

    fetched_at: float
    rates: dict[str, float]


@attrs.frozen
class Wanted:
    amount: float = attrs.field(default=1.0, validator=gt(0))


@attrs.frozen
class Converted:
    amount: float
    fresh: bool


@app.get("/convert/{source}/{target}")
async def convert(
    source: str, target: str, query: Query[Wanted], kv: Kv, outbound: Outbound
) -> Converted:
    key = f"rates/{source}"
    kept = await kv.default.get(key, Kept)
    fresh = kept is not None and time.time() - kept.fetched_at < lifetime_s()
    if kept is None or not fresh:
        try:
            kept = Kept(time.time(), await latest(source, outbound))
        except OutboundError as error:
            if kept is None:
                raise HttpError(502, f"no rates for {source} at the moment") from error
        else:
            fresh = True
            await kv.default.put(key, kept)
    if target not in kept.rates:
        raise NotFound(f"a rate from {source} to {target}")
    return Converted(round(query.amount * kept.rates[target], 2), fresh)


async def latest(source: str, outbound: Outbound) -> dict[str, float]:
    answer = await outbound.send("GET", f"{SERVICE}/latest/{source}", timeout_s=5)
    if answer.status != 200:
        raise OutboundError(f"{SERVICE} answered {answer.status}")
    found: Latest = await answer.json(Latest)
    return found.rates


def lifetime_s() -> float:
    return float(os.environ.get("RATES_LIFETIME_S", "600"))


IncomingHandler = run_app(app)
