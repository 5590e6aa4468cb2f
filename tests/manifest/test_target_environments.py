"""Definitions of target environments."""

from pathlib import Path

import pytest

from edgezero_spin.manifest.errors import InvalidManifestError
from edgezero_spin.manifest.target_environments import (
    TriggerEnvironment,
    WorldName,
    WorldReference,
    parse_environment,
)

PATH = Path("own.toml")

EVERYTHING = """\
default = { worlds = ["acme:up/platform@1.0.0"] }
[triggers.http]
worlds = [
  "acme:up/http-trigger@1.0.0",
  { registry = "registry.example", world = "acme:up/a@1.0.0-rc.1" },
  { reference = "registry.example/acme/wit:1.0", world = "acme:up/b" },
  { path = "../wit", world = "acme:up/c@1.0.0" },
]
capabilities = ["local_service_chaining"]
[triggers.redis]
worlds = []
[metadata]
plugins = ["aka"]
templates = { url = "https://example.com", tag = "v1", more = 1 }
"""


def world(name: str, version: str | None = None) -> WorldName:
    """A world of the package."""
    return WorldName("acme:up", name, version)


def test_a_definition_says_what_there_is_for_each_trigger() -> None:
    """A world is named alone or with one place; what it is for besides is left out."""
    found = parse_environment(EVERYTHING, PATH)
    assert found.of_trigger("http") == TriggerEnvironment(
        worlds=(
            WorldReference(world=world("http-trigger", "1.0.0")),
            WorldReference(world=world("a", "1.0.0-rc.1"), registry="registry.example"),
            WorldReference(world=world("b"), reference="registry.example/acme/wit:1.0"),
            WorldReference(world=world("c", "1.0.0"), path="../wit"),
        ),
        capabilities=("local_service_chaining",),
    )
    assert found.of_trigger("redis") == TriggerEnvironment(worlds=())
    assert found.of_trigger("cron") == found.default
    assert str(found.triggers["http"].worlds[1].world) == "acme:up/a@1.0.0-rc.1"


def test_without_a_default_other_triggers_are_not_supported() -> None:
    """The triggers of the definition are all that there are."""
    assert parse_environment("[triggers]", PATH).of_trigger("cron") is None


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("", ["triggers: missing field `triggers`"], id="empty"),
        pytest.param("x", ["this is not TOML"], id="no TOML"),
        pytest.param("triggers = 1", ["triggers: invalid type: expected a table"], id="number"),
        pytest.param("triggers.http = []", ["triggers.http: invalid type"], id="list"),
        pytest.param("[triggers.http]", ["triggers.http.worlds: missing field"], id="no worlds"),
        pytest.param(
            '[triggers.http]\nworlds = "a:b/c"\ncapabilities = [1]\nmore = 1',
            [
                "triggers.http.worlds: invalid type: expected a list, got a string",
                "triggers.http.capabilities[0]: invalid type: expected a string, got an integer",
                "triggers.http: unknown field `more`".replace(": u", ".more: u"),
            ],
            id="wrong kinds, all at once",
        ),
        pytest.param(
            '[triggers]\n[default]\nworlds = ["a:b", "A:b/c", "a:b/c@1", "a:b/c@", 3]\n[other]',
            [
                "default.worlds[0]: 'a:b' is not a well-formed world name",
                "default.worlds[1]: 'A:b/c' is not",
                "default.worlds[2]: 'a:b/c@1' is not",
                "default.worlds[3]: 'a:b/c@' is not",
                "default.worlds[4]: invalid type: expected a string or a table, got an integer",
                "other: unknown field `other`",
            ],
            id="names",
        ),
        pytest.param(
            "[triggers.http]\nworlds = [{}, { world = 1, path = 2 }, "
            '{ world = "a:b/c", path = "x", registry = "r" }, { world = "a:b/c" }, '
            '{ world = "a:b/c", path = "" }, { world = "a:b/c", path = "x", id = 1 }]',
            [
                "worlds[0].world: missing field `world`",
                "worlds[0]: a world has one place",
                "worlds[1].world: invalid type: expected a string, got an integer",
                "worlds[1].path: invalid type: expected a string, got an integer",
                "worlds[2]: a world has one place",
                "worlds[3]: a world has one place",
                "worlds[4].path: must not be empty",
                "worlds[5].id: unknown field `id`",
            ],
            id="places",
        ),
    ],
)
def test_every_fault_is_told_with_its_place(text: str, problems: list[str]) -> None:
    """The file is named once, and each problem with the key that it is in."""
    with pytest.raises(InvalidManifestError) as caught:
        parse_environment(text, PATH)
    told = [str(each) for each in caught.value.problems]
    assert len(told) == len(problems), told
    for found, expected in zip(told, problems, strict=True):
        assert expected in found
    assert str(caught.value).startswith('Failed to read target environment from "own.toml": ')
