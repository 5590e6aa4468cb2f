"""Adding a component: an application with one more, or exactly as it was."""

import os
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import load_app_manifest
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.add_component import AddedComponent, ComponentRequest, add_component
from edgezero_spin.project.add_store import add_store
from edgezero_spin.project.discovery import discover_component
from edgezero_spin.project.template_manifest import (
    COMPONENT_ID,
    ProjectTemplate,
    TemplateParameter,
)
from edgezero_spin.project.template_store import find_template
from tests.project.test_templates import template, without_patterns
from tests.rights import public_folder, without_rights

SPIN = """\
# mine
spin_manifest_version = 2
[application]
name = "x" # short
[[trigger.http]]
route = "/..."
component = "first"
[component.first]
source = "first.wasm"
key_value_stores = [ 'default' ]"""
APP = """\
[adapters.spin.adapter]
manifest = "spin.toml" # the only one
[adapters.spin.commands]
build = "make"
"""
HEAD = '[add_component.snippets]\ncomponent = "component.txt"\n'
VARIABLES = "token = { required = true, secret = true }\n"
SNIPPET = """\
[component.{{project-name}}]
source = "{{output-path}}/x.wasm"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An application with one component."""
    path = tmp_path / "app"
    path.mkdir()
    (path / "spin.toml").write_text(SPIN)
    return path


def add(app: Path, id: str = "second", **changes: Any) -> AddedComponent:
    """Add a component, from our template unless another is given."""
    values = {"template": find_template(COMPONENT_ID), **changes}
    ask = values.pop("ask", None)
    request = ComponentRequest(manifest=app / "spin.toml", id=id, **values)
    return add_component(request, ask=ask)


def own(
    folder: Path, manifest: str = "", snippet: str = SNIPPET, **content: bytes
) -> ProjectTemplate:
    """A template of a person's own, beside the application."""
    path = folder.parent / "template"
    path.mkdir()
    made = template(path, HEAD + manifest, **content)
    (path / "metadata" / "snippets").mkdir()
    (path / "metadata" / "snippets" / "component.txt").write_text(snippet)
    (path / "metadata" / "snippets" / "variables.txt").write_text(VARIABLES)
    return made


def everything(folder: Path) -> dict[str, bytes]:
    """Every file and folder below one."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"/"
        for path in folder.rglob("*")
    }


def test_a_component_of_ours(folder: Path) -> None:
    """It lies in a folder of its own and answers below its id; spin.toml goes on as it was."""
    # TPL-4, TPL-13, PRV-5
    done = add(folder)
    text = (folder / "spin.toml").read_text()
    assert text.startswith(SPIN + '\n\n[[trigger.http]]\nroute = "/second/..."\n')
    assert load_spin_manifest(folder / "spin.toml").components.keys() == {"first", "second"}
    written = [folder / "second" / name for name in ("app.py", "edgezero.toml")]
    assert list(done.files) == written
    assert sorted((folder / "second").iterdir()) == written
    assert list(done.lines()) == [
        *(f"wrote {path}" for path in written),
        f"added component `second` to {folder / 'spin.toml'}",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["second", "spin.toml"]


def test_it_is_an_app_with_stores_of_its_own(folder: Path) -> None:
    """Its edgezero.toml finds the common spin.toml; a store goes to it and no other one."""
    add(folder, folder="services/second", route="/s")
    app = load_app_manifest(folder / "services" / "second" / "edgezero.toml")
    done = add_store(app, "kv", "cache", {})
    assert done.provisioned.component_id == "second"
    components = load_spin_manifest(folder / "spin.toml").components
    assert components["first"].key_value_stores == ("default",)
    assert components["second"].key_value_stores == ("cache",)
    assert (folder / "runtime-config.toml").is_file()


@pytest.mark.parametrize("spelled", ["spin", "Spin"])
def test_an_app_whose_component_was_clear_names_it(spelled: str, folder: Path) -> None:
    """There are several now, so the project would be out of order otherwise."""  # CMP-7
    path = folder / "edgezero.toml"
    path.write_text(APP.replace("s.spin", f"s.{spelled}"))
    project = load_app_manifest(path)
    done = add(folder, project=project)
    line = 'manifest = "spin.toml" # the only one\n'
    assert path.read_text() == APP.replace("s.spin", f"s.{spelled}").replace(
        line, line + 'component = "first"\n'
    )
    assert discover_component(load_app_manifest(path)).component_id == "first"
    assert any('added component = "first"' in said for said in done.lines())
    before = path.read_bytes()
    assert add(folder, "third", project=load_app_manifest(path)).named is None
    assert path.read_bytes() == before


def test_a_build_command_for_one_component_is_pointed_out(folder: Path) -> None:
    """What replaces build may not know of the new component."""  # BLD-1
    path = folder / "edgezero.toml"
    path.write_text(APP)
    (notice,) = add(folder, project=load_app_manifest(path)).notices
    assert "runs `make`, which may not build `second`" in notice
    path.write_text(path.read_text().replace("make", "edgezero build"))
    assert add(folder, "third", project=load_app_manifest(path)).notices == ()


def test_a_template_with_all_there_is(folder: Path) -> None:
    """Files, a folder, variables, and a label that needs a stanza."""  # TPL-3, TPL-4, TPL-7
    made = own(
        folder,
        'variables = "variables.txt"\n[outputs]\n'
        'a = { action = "create_dir", path = "assets/x", at = "manifest" }\n'
        'b = { action = "create_dir", path = "y" }\n',
        SNIPPET + 'key_value_stores = ["cache"]\n',
        a__txt=b"{{project-name}} {{output-path}}",
    )
    done = add(folder, template=made, vcs=False)
    assert (folder / "second" / "a.txt").read_text() == "second second"
    assert (folder / "second" / "y").is_dir()
    assert (folder / "assets" / "x").is_dir()
    assert f"made the folder {folder / 'assets' / 'x'}" in list(done.lines())
    manifest = load_spin_manifest(folder / "spin.toml")
    assert manifest.variables["token"].secret
    (notice,) = done.notices
    assert "[key_value_store.cache]" in notice


def test_values_come_from_whoever_has_them(folder: Path) -> None:
    """Given, else asked for; the route has a flag of its own."""  # TPL-11
    parameters = (
        '[parameters]\none = { type = "string", prompt = "First" }\n'
        'two = { type = "string", prompt = "Second" }\n'
        'http-path = { type = "string", prompt = "Route", default = "/static/..." }\n'
    )
    made = own(folder, parameters, a__txt=b"{{one}} {{two}} {{http-path}}")
    asked: list[str] = []

    def ask(parameter: TemplateParameter) -> str:
        asked.append(parameter.prompt)
        return "asked"

    add(folder, template=made, values={"one": "given"}, ask=ask)
    assert asked == ["Second"]
    assert (folder / "second" / "a.txt").read_text() == "given asked /static/..."
    add(folder, "third", template=made, values={"one": "", "two": ""}, route="/x")
    assert (folder / "third" / "a.txt").read_text() == "  /x"
    with pytest.raises(ProjectError, match="--value two="):
        add(folder, "fourth", template=made, values={"one": ""})


def test_a_parameter_that_does_not_matter_is_not_asked_for(folder: Path) -> None:
    """The manifest has the entry already."""  # TPL-5
    condition = (
        "[add_component.conditions.named]\n"
        'condition = { manifest_entry_exists = "application.name" }\nskip_parameters = ["one"]\n'
        '[parameters]\none = { type = "string", prompt = "?" }\n'
    )
    add(folder, template=own(folder, condition), values={})
    assert "second" in load_spin_manifest(folder / "spin.toml").components


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "Second_One"}, "no component id 'Second_One': .*: try `second-one`"),
        ({"id": "first"}, "component `first` is there already"),
        ({"folder": "../x"}, "not a folder below"),
        ({"folder": "/x"}, "not a folder below"),
        ({"route": "/..."}, r"route '/\.\.\.' is served by `first`.*--route"),
        ({"route": "second"}, "http-path: 'second' does not match"),
        ({"values": {"nope": "x"}}, r"no parameter nope \(available: http-path\)"),
        ({"template": find_template("edgezero-http")}, "adds no components"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    changes: dict[str, Any], said: str, folder: Path
) -> None:
    """It is said what, and what would do."""  # TPL-13
    before = everything(folder)
    with pytest.raises(ProjectError, match=said):
        add(folder, **changes)
    assert everything(folder) == before


@pytest.mark.parametrize(
    ("spin", "said"),
    [
        ("spin_manifest_version = '1'\n", "manifest of version 1"),
        ("spin_version = '1'\n", "manifest of version 1"),
        ("x = ", "this is not TOML"),
        ("component = { first = { source = 'x' } }\n", "Add by hand"),
        (None, "failed to read .*spin.toml: No such file"),
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_added_to(spin: str | None, said: str, folder: Path) -> None:
    """The file is named, and the folder stays empty."""  # TPL-13
    (folder / "spin.toml").unlink()
    if spin is not None:
        (folder / "spin.toml").write_text(spin)
    before = everything(folder)
    with pytest.raises(ProjectError, match=said):
        add(folder)
    assert everything(folder) == before


@pytest.mark.parametrize(
    ("snippet", "said"),
    [
        ("[component.{{project-name}}]\nid = 'x'\nsource = 'x'\n", "unknown field `id`"),
        ("[component.first]\nfiles = []\n", "Add by hand"),
        ("[component.first]\nsource = 'x'\n", "component.first.source is there already"),
        ("[[component]]\nid = 'x'\n", "component is there already, and what the template adds"),
        ("[component.{{project-name}}\n", "this is not TOML"),
        ("{{ nobody }}", "'nobody' is undefined"),
        ("{% if %}", "missing expression"),
    ],
)
def test_a_snippet_that_is_wrong(snippet: str, said: str, folder: Path) -> None:
    """Neither the manifest nor the files are written."""  # TPL-4
    made = own(folder, snippet=snippet, a__txt=b"x")
    before = everything(folder)
    with pytest.raises(ProjectError, match=said):
        add(folder, template=made)
    assert everything(folder) == before


def test_a_manifest_under_construction_can_be_added_to(folder: Path) -> None:
    """Faults that it has already are no reason."""
    (folder / "spin.toml").write_text(SPIN.replace("source =", "surprise ="))
    add(folder)
    assert "[component.second]" in (folder / "spin.toml").read_text()


@pytest.mark.parametrize("taken", ["second/app.py", "second", "second/app.py/x"])
def test_what_exists_is_not_replaced(taken: str, folder: Path) -> None:
    """A file with other content, and a file or folder where the other should be."""  # TPL-12
    path = folder / taken
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    before = everything(folder)
    with pytest.raises(ProjectError, match="exists already, and nothing is replaced"):
        add(folder)
    assert everything(folder) == before


def test_other_files_in_the_folder_do_not_matter(folder: Path) -> None:
    """Nor does a file that an interrupted run has written."""
    add(folder)
    whole = everything(folder)
    (folder / "spin.toml").write_text(SPIN)
    (folder / "second" / "app.py").unlink()
    (folder / "second" / "notes.txt").write_text("mine")
    add(folder)
    assert everything(folder) == {**whole, "second/notes.txt": b"mine"}


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_what_fails_half_way_is_undone(
    failure: BaseException, step: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files, edgezero.toml, spin.toml: whichever write fails, all is as it was."""
    (folder / "edgezero.toml").write_text(APP)
    project = load_app_manifest(folder / "edgezero.toml")
    before = everything(folder)
    sync, writes = os.fsync, iter(range(1, 100))

    def fails_once(handle: int) -> None:
        if next(writes) == step:
            raise failure
        sync(handle)

    monkeypatch.setattr(os, "fsync", fails_once)
    with pytest.raises((ProjectError, KeyboardInterrupt)):
        add(folder, project=project)
    assert everything(folder) == before


def test_a_folder_that_cannot_be_written() -> None:
    """The reason and the place are told; nothing is left of what was begun."""
    with public_folder() as folder:
        (folder / "spin.toml").write_text(SPIN)
        folder.chmod(0o555)
        with (
            without_rights(),
            pytest.raises(ProjectError, match=r"cannot make .*Permission denied"),
        ):
            add(folder, template=without_patterns(COMPONENT_ID))
        assert everything(folder) == {"spin.toml": SPIN.encode()}
        # The component's folder can be made, but the manifest cannot be changed.
        folder.chmod(0o777)
        (folder / "spin.toml").chmod(0o444)
        with without_rights(), pytest.raises(ProjectError, match=r"cannot write.*read-only"):
            add(folder, template=without_patterns(COMPONENT_ID))
        assert everything(folder) == {"spin.toml": SPIN.encode()}
