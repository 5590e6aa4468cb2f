"""Which component of ``spin.toml`` an app is, and what is said when that is not clear."""

from pathlib import Path

import pytest

from edgezero_spin.manifest import load_app_manifest
from edgezero_spin.project.discovery import (
    ComponentUnknownError,
    SpinProject,
    discover_component,
)

ADAPTER = '[adapters.spin.adapter]\nmanifest = "app/spin.toml"\n'
ONE = "[component.first]\n"
TWO = "[component.first]\n[component.second]\n"


def discover(folder: Path, spin: str | None, adapter: str = ADAPTER) -> SpinProject:
    """Find the component of a project of two files."""
    (folder / "edgezero.toml").write_text(adapter, encoding="utf-8")
    (folder / "app").mkdir()
    if spin is not None:
        (folder / "app" / "spin.toml").write_text(spin, encoding="utf-8")
    return discover_component(load_app_manifest(folder / "edgezero.toml"))


@pytest.mark.parametrize(
    ("spin", "selector", "found"),
    [
        pytest.param(ONE, None, "first", id="one, not selected"),  # CMP-6, TV-136
        pytest.param(ONE, "first", "first", id="one, selected"),  # CMP-4
        pytest.param(TWO, "second", "second", id="two, selected"),  # CMP-4, TV-136
    ],
)
def test_a_component_is_found(tmp_path: Path, spin: str, selector: str | None, found: str) -> None:
    """The selector decides, and a single component needs none."""
    adapter = ADAPTER + (f'component = "{selector}"\n' if selector else "")
    project = discover(tmp_path, spin, adapter)
    assert project == SpinProject(tmp_path / "app" / "spin.toml", found)
    assert project.root == tmp_path / "app"


@pytest.mark.parametrize(
    ("spin", "adapter", "parts"),
    [
        pytest.param(
            ONE,
            "[adapters.spin.adapter]\n",
            ["[adapters.spin.adapter].manifest", "spin.toml"],
            id="no manifest named",  # CMP-1, TV-143
        ),
        pytest.param(
            None,
            ADAPTER,
            ["failed to read spin manifest at", "spin.toml"],
            id="no file",  # CMP-2
        ),
        pytest.param(
            "[component", ADAPTER, ["failed to parse", "as TOML", "spin.toml"], id="no TOML"
        ),
        pytest.param(
            "component = 1", ADAPTER, ["no [component.*] declarations found"], id="no table"
        ),
        pytest.param(
            "[application]", ADAPTER, ["no [component.*] declarations found"], id="none"
        ),  # CMP-3, TV-136
        pytest.param(
            ONE,
            ADAPTER + 'component = "typo"\n',
            ["`typo`", "(available: first)", "spin.toml"],
            id="selector misses the only one",  # CMP-5, TV-136
        ),
        pytest.param(
            TWO,
            ADAPTER,
            ["2 components", "first", "second", "[adapters.spin.adapter].component is unset"],
            id="several",  # CMP-7, TV-136
        ),
    ],
)
def test_what_is_not_clear_is_refused(
    tmp_path: Path, spin: str | None, adapter: str, parts: list[str]
) -> None:
    """The message names the file and what there would be to choose from."""
    with pytest.raises(ComponentUnknownError) as caught:
        discover(tmp_path, spin, adapter)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("spin", "name"),
    [
        (f'[application]\nname = "x"\n{ONE}', "x"),
        (ONE, None),
        (f"application.name = 1\n{ONE}", None),
    ],
)
def test_the_applications_name_is_read_on_the_way(
    tmp_path: Path, spin: str, name: str | None
) -> None:
    """Cloud commands need it; nothing else of the file is judged."""  # CLD-2
    assert discover(tmp_path, spin).application == name


@pytest.mark.parametrize(
    ("listed", "labels"),
    [('["a", "b"]', ("a", "b")), ("[]", ()), ("1", ()), ('["a", 1]', ("a",))],
)
def test_labels_of_the_component_are_read_on_the_way(
    tmp_path: Path, listed: str, labels: tuple[str, ...]
) -> None:
    """Those of the chosen component, as far as they are texts."""
    spin = f'[component.other]\nkey_value_stores = ["x"]\n{ONE}key_value_stores = {listed}'
    assert discover(tmp_path, spin, ADAPTER + 'component = "first"').labels == labels
