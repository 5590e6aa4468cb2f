"""Header fields that the gateway keeps, for further requests with the same ones."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.exchange.handler_type import HandlerType
from edgezero_spin.host.http.gateway import (
    CompleteResponse,
    ComponentCall,
    Gateway,
    KeptHeaders,
    RawPair,
    RequestHead,
)
from edgezero_spin.host.http.routes import RouteDeclaration, TriggerRouteTable

FIELDS = [(b"Host", b"shop.example"), (b"accept", b"*/*"), (b"spin-full-url", b"forged")]


def gateway() -> Gateway:
    """Two components that take requests in different ways."""
    routes = TriggerRouteTable([RouteDeclaration("/old/...", "old"), RouteDeclaration("/:x", "x")])
    types = {"old": HandlerType.WASI_0_2, "x": HandlerType.WASI_0_3}
    components: Any = {id: SimpleNamespace(handler_type=type_) for id, type_ in types.items()}
    return Gateway(routes, components, {}, {"name": "shop"})


def exchange_of(path: str, kept: KeptHeaders | None, fields: list[RawPair] = FIELDS) -> Exchange:
    """A request as its component gets it."""
    admitted = gateway().admit(RequestHead("GET", path, None, fields, "https", None, kept))
    return cast(ComponentCall, admitted).exchange


def test_requests_with_the_same_fields_are_as_if_each_were_the_first() -> None:
    """Also where components see different ones of them, and one changes what it got."""
    kept: KeptHeaders = {}
    for path in ("/old/a", "/x", "/old/b", "/y", "/old/a"):
        found, alone = exchange_of(path, kept), exchange_of(path, None)
        assert (found.headers, found.authority) == (alone.headers, alone.authority)
        found.headers.append(("x-of-one", b"request"))
    assert set(kept) == {HandlerType.WASI_0_2, HandlerType.WASI_0_3}
    names = [name for name, _ in exchange_of("/x", kept).headers]
    assert names.count("spin-full-url") == 1 and "host" in names


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(b"accept", b"*/*")], 400),
        ([*FIELDS, (b"host", b"other")], 400),
        ([*FIELDS, (b"x", b"\xff")], 500),
        ([*FIELDS, (b"x", b"1" * 128 * 1024)], 431),
    ],
)
def test_fields_that_are_refused_are_refused_again(fields: list[RawPair], status: int) -> None:
    """Nothing is kept of them."""
    kept: KeptHeaders = {}
    for _ in range(2):
        admitted = gateway().admit(RequestHead("GET", "/x", None, fields, kept=kept))
        assert isinstance(admitted, CompleteResponse) and admitted.status == status
    assert kept == {}
