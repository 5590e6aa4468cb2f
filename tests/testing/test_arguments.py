"""Arguments of a client that are of a wrong kind: refused alike by both, with what would do."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from edgezero_spin.testing import Client, ComponentClient, PreloadError, TestClient
from tests.host.support import SCRIPT
from tests.testing.notes_app import make_app

CLIENTS = [
    pytest.param(lambda **given: TestClient(make_app(), **given), id="native"),
    pytest.param(lambda **given: ComponentClient(SCRIPT, **given), id="component"),
]


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kv": ["notes"]}, r"kv: .* kv=\{'label': \{'key': value\}\}, got the list \['notes'\]"),
        ({"kv": {1: {}}}, "kv: names are text, got the int 1"),
        ({"config": "x"}, r"config: .* config=\{'label': \{'page': .*, got the str 'x'"),
        ({"sqlite": "CREATE TABLE t(v)"}, "sqlite: .* got the str 'CREATE TABLE"),
        ({"secrets": ["token"]}, r"secrets: .* secrets=\{'name': 'value'\}, got the list"),
        ({"secrets": {"token": 7}}, r"secrets\['token'\]: a variable is text, got the int 7"),
        ({"variables": {"token": None}}, r"variables\['token'\]: a variable is text, got the None"),
        ({"env": ["A"]}, r"env: .* env=\{'NAME': 'value'\}, got the list"),
        ({"env": {"A": 1}}, r"env\['A'\]: an environment variable is text, got the int 1"),
        ({"cookies": {"a": 1}}, r"cookies\['a'\]: a cookie is text, got the int 1"),
        ({"now": "2030-01-01"}, "now: a clock says a datetime.datetime, got the str '2030"),
        ({"seed": "x"}, "seed: it is a whole number, got the str 'x'"),
        ({"seed": True}, "seed: it is a whole number, got the bool True"),
        ({"deadline_s": 0}, "deadline_s: it is a number of seconds above 0, or None .* got 0"),
        ({"deadline_s": "10"}, "deadline_s: .* got '10'"),
    ],
)
def test_wrong_kinds(make: Callable[..., Client], given: dict[str, Any], message: str) -> None:
    """The message names the argument, what it got and what would do."""
    with pytest.raises(PreloadError, match=message):
        make(**given)


def test_both_clients_take_the_same() -> None:
    """What only one of them takes has no meaning for the other; methods are the same."""
    native, component = (
        {
            name
            for name, parameter in inspect.signature(client).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }
        for client in (TestClient, ComponentClient)
    )
    assert native - component == {"manifest", "component", "apps"}
    assert component - native == {"measure_memory", "allow_stale"}
    for client in (TestClient, ComponentClient):
        own = {name for name in vars(client) if not name.startswith("_")} - {"mode"}
        # Beside what both inherit, a component has what host functions ask its client for.
        asked = {"variable", "resolver", "random_bytes", "wrote"}
        assert own == (asked if client is ComponentClient else set())
