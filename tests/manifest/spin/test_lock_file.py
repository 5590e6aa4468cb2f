"""Reading ``spin.lock``: Spin's own, ours, and what must not be run."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError
from edgezero_spin.manifest.spin import ContentRef, LockedApp, load_lock, parse_lock
from edgezero_spin.manifest.spin.locked_app import LockedComponent

MINIMAL: dict[str, Any] = {"spin_lock_version": 0, "triggers": [], "components": []}


def read(**changes: Any) -> LockedApp:
    """Read a minimal lock with changes."""
    return parse_lock(json.dumps({**MINIMAL, **changes}), Path("spin.lock"))


def component(**changes: Any) -> dict[str, Any]:
    """A component with changes."""
    return {"id": "a", "source": {"content_type": "application/wasm", "source": "file:///a"}} | (
        changes
    )


def test_what_is_unknown_is_ignored() -> None:
    """Fields of newer hosts that need not be understood are skipped."""
    app = read(surplus={"x": 1}, components=[component(surplus=1)])  # LOCK-8
    assert app.components[0].id == "a"


def test_optional_features_are_dropped() -> None:
    """Only what is required stays."""
    app = read(host_requirements={"anything": "optional", "middleware": "required"})  # LOCK-4
    assert app.host_requirements == {"middleware": "required"}
    assert app.to_value()["spin_lock_version"] == 1  # LOCK-1


def test_content_may_be_inline() -> None:
    """Base64 without padding becomes bytes and comes back the same."""
    value = component(files=[{"inline": "aGk", "digest": "sha256:1", "path": "/hi.txt"}])
    [item] = read(components=[value]).components[0].files  # LOCK-33, LOCK-35
    assert item.content == ContentRef(inline=b"hi", digest="sha256:1")
    assert item.to_value() == {"inline": "aGk", "digest": "sha256:1", "path": "/hi.txt"}


def test_what_a_component_inherits() -> None:
    """All, some, and nothing are told apart and written back."""
    source = {"content_type": "application/wasm", "source": "file:///d"}
    value = component(
        dependencies={
            "x:all": {"source": source, "export": None, "inherit": "All"},
            "x:none": {"source": source, "export": "e"},
            "x:some": {"source": source, "export": None, "inherit": {"Some": ["files"]}},
        }
    )
    [found] = read(components=[value]).components  # LOCK-37
    inherit = [item.inherit for item in found.dependencies.values()]
    assert inherit == [True, False, ("files",)]
    assert found.to_value()["dependencies"] == value["dependencies"]


def test_lookups() -> None:
    """Components are found by id, triggers by type, labels as texts."""
    app = read(
        metadata={"name": "n"},
        triggers=[{"id": "t", "trigger_type": "http", "trigger_config": {"component": "a"}}],
        components=[component(metadata={"key_value_stores": ["default"], "description": "d"})],
    )
    found = app.component("a")
    assert isinstance(found, LockedComponent)
    assert (found.labels("key_value_stores"), found.labels("databases")) == (("default",), ())
    assert found.description == "d"
    assert app.component("b") is None
    assert [trigger.component for trigger in app.triggers_of("http")] == ["a"]
    assert app.triggers_of("redis") == ()
    assert app.name == "n"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"spin_lock_version": 2}, "spin_lock_version: must be from 0 to 1, got 2"),  # LOCK-1
        ({"must_understand": ["magic"]}, 'must_understand: unknown member "magic"'),  # LOCK-2
        (
            {"host_requirements": {"magic": "required", "more": "required"}},
            "does not support the following features required by this application: magic, more",
        ),
        (
            {"components": [component(host_requirements={"magic": "required"})]},
            "components[0].host_requirements: This version of Spin does not support",
        ),
        ({"components": [{"id": "a"}]}, "components[0].source: the content has no source"),
        (
            {"components": [component(source={"inline": "aGk="})]},
            "components[0].source.inline: this is not base64: padding is not allowed",
        ),
        ({"components": [component(source={"inline": "a!"})]}, "source.inline: this is not base64"),
        ({"triggers": [{}]}, "triggers[0].id: missing field `id`"),
        ({"variables": {"v": {"secret": 1}}}, "variables.v.secret: invalid type"),
        *(
            ({"components": [component(metadata={name: value})]}, f"metadata.{name}{expected}")
            for name in ("allowed_outbound_hosts", "key_value_stores", "databases", "ai_models")
            for value, expected in (
                ([1], "[0]: invalid type: expected a string, got an integer"),
                ("x", ": invalid type: expected a list, got a string"),
            )
        ),
    ],
)
def test_locks_that_cannot_be_run(changes: dict[str, Any], expected: str) -> None:
    """A lock that this host does not understand is refused, with the place."""
    with pytest.raises(InvalidManifestError) as caught:
        read(**changes)
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_texts_that_are_no_lock(text: str) -> None:
    """What is not a JSON object is said to be none."""
    with pytest.raises(InvalidManifestError, match=r"spin\.lock: this is not "):
        parse_lock(text, Path("spin.lock"))


def test_a_missing_lock_is_named(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(ManifestUnreadableError, match=r"spin\.lock: there is no such file"):
        load_lock(tmp_path / "spin.lock")
