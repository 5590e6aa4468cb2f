"""Every routing vector of the contract, on a real Spin too."""

import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.spin.applications import HEAD
from tests.spin.conftest import Serve

ROUTES = Path(__file__).parents[1] / "host" / "http" / "routes.toml"


def tables() -> list[list[dict[str, Any]]]:
    """The vectors of the contract by their routes; those with a base need no host."""
    cases = [case for case in tomllib.loads(ROUTES.read_text())["case"] if "base" not in case]
    return [list(same) for _, same in itertools.groupby(cases, lambda case: case["routes"])]


@pytest.mark.parametrize("cases", tables(), ids=lambda cases: cases[0]["vector"])
def test_route_vectors(serve: Serve, probe: Path, tmp_path: Path, cases: list[Any]) -> None:
    """The component, its captures and its headers are those of the vector, from both."""
    lines = [HEAD]
    for item in cases[0]["routes"]:
        route = json.dumps(item["route"]) if "route" in item else "{ private = true }"
        lines.append(f'[[trigger.http]]\nroute = {route}\ncomponent = "{item["id"]}"')
    for id in dict.fromkeys(item["id"] for item in cases[0]["routes"]):
        lines.append(f"[component.{id}]\nsource = {json.dumps(str(probe))}")
        lines.append(f'environment = {{ ID = "{id}" }}')
    (tmp_path / "spin.toml").write_text("\n".join(lines))
    with serve(tmp_path) as both:
        for case in cases:
            for target in case["targets"]:
                answer = both.same(target)
                if "to" not in case:
                    assert answer.status == 404
                    continue
                headers = dict(json.loads(answer.body)["headers"])
                for name in ("path-info", "matched-route", "raw-component-route"):
                    assert headers[f"spin-{name}"] == case[name], name
                assert headers["spin-component-route"] == case["component-route"]
    starts = [one.stdout.text.replace(str(one.port), "*") for one in both]
    assert starts[0] == starts[1]
