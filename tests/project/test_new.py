"""A new project: complete and in order, or not there at all."""

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import load_app_manifest
from edgezero_spin.manifest.runtime_config import load_runtime_config
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.new import NewProject, create_project
from edgezero_spin.project.provision import provision
from edgezero_spin.project.template_manifest import PROJECT_ID, ProjectTemplate
from edgezero_spin.project.template_store import find_template
from edgezero_spin.project.template_values import choose_values
from tests.project.test_templates import template, without_patterns
from tests.rights import public_folder, without_rights


def make(parent: Path, name: str = "my-app", **values: str) -> NewProject:
    """Make a project from our template."""
    given = {key.replace("_", "-"): value for key, value in values.items()}
    return create_project(name, find_template(PROJECT_ID), parent=parent, values=given, vcs=False)


def test_the_files_of_a_project(tmp_path: Path) -> None:
    """The data files of the contract, the code, its tests, and nothing left over."""  # NEW-5
    made = create_project("My App", find_template(PROJECT_ID), parent=tmp_path)
    assert made.path == tmp_path / "my-app"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my-app"]
    names = {str(name) for name in made.files}
    assert {"spin.toml", "runtime-config.toml", "edgezero.toml", "my-app.toml"} <= names
    assert {"app.py", "README.md", ".gitignore", "tests/test_app.py", "pyproject.toml"} <= names
    assert {
        str(path.relative_to(made.path))
        for path in made.path.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(made.path).parts
    } == names


def test_a_project_for_wasi_03_says_so(tmp_path: Path) -> None:
    """In the one file that the build reads; every other project says nothing of it."""
    made = create_project("new", find_template(PROJECT_ID), parent=tmp_path, vcs=False, wasi="0.3")
    adapter = load_app_manifest(made.path / "edgezero.toml").adapter("spin")
    assert adapter is not None
    assert adapter.wasi == "0.3"
    plain = load_app_manifest(make(tmp_path).path / "edgezero.toml").adapter("spin")
    assert plain is not None
    assert plain.wasi is None
    bare = tmp_path / "template"
    bare.mkdir()
    with pytest.raises(ProjectError, match=r"has no edgezero\.toml"):
        create_project(
            "other",
            template(bare, app__py=b"pass"),
            parent=tmp_path,
            wasi="0.3",
        )
    assert not (tmp_path / "other").exists()


def test_the_spin_manifest(tmp_path: Path) -> None:
    """One component of the application's name on every route, with the labels in use."""  # NEW-6
    manifest = load_spin_manifest(make(tmp_path).path / "spin.toml")
    text = tomllib.loads((tmp_path / "my-app" / "spin.toml").read_text())
    assert text["spin_manifest_version"] == 2
    assert text["application"]["name"] == "my-app-adapter-spin"
    assert text["application"]["version"] == "0.1.0"
    assert [trigger["route"] for trigger in text["trigger"]["http"]] == ["/..."]
    assert list(manifest.components) == ["my-app-adapter-spin"]
    component = text["component"]["my-app-adapter-spin"]
    assert component["allowed_outbound_hosts"] == ["https://example.com"]
    assert "app_config" in component["key_value_stores"]
    assert component["build"]["command"] == "edgezero componentize app:app -o app.wasm"
    assert component["build"]["watch"]


def test_the_app_manifest(tmp_path: Path) -> None:
    """Sample routes, the adapter's tables and the commands."""  # NEW-8, NEW-9
    manifest = load_app_manifest(make(tmp_path).path / "edgezero.toml")
    assert manifest.name == "my-app"
    routes = {(method, trigger.path) for trigger in manifest.triggers for method in trigger.methods}
    assert {
        *(("GET", path) for path in ("/", "/echo/{name}", "/stream", "/headers", "/proxy/{*rest}")),
        *(("POST", path) for path in ("/echo", "/proxy/{*rest}")),
    } <= routes
    spin = manifest.adapter("spin")
    assert spin is not None
    assert (spin.manifest, spin.component) == ("spin.toml", "my-app-adapter-spin")
    # Words of a Rust project, which say nothing here.
    assert (spin.crate, spin.build.target, spin.build.features) == (None, None, ())
    assert spin.commands.build
    serve = "spin up --from . --runtime-config-file ./runtime-config.toml"
    assert (spin.commands.serve, spin.commands.deploy) == (serve, "spin deploy --from .")
    assert manifest.logging_for("spin").level == "info"


def test_every_label_has_a_stanza(tmp_path: Path) -> None:
    """Nothing is left to provision, and the runtime configuration lacks nothing."""  # NEW-7
    made = make(tmp_path)
    before = (made.path / "spin.toml").read_bytes()
    done = provision(load_app_manifest(made.path / "edgezero.toml"), {})
    assert [store.present for store in done.labels] == [True, True]
    assert done.notices == ()
    assert (made.path / "spin.toml").read_bytes() == before
    stores = load_runtime_config(made.path / "runtime-config.toml").key_value_stores
    assert stores["app_config"].type == "spin"


def test_the_configuration(tmp_path: Path) -> None:
    """A greeting and a nested section; no secret that nothing reads."""  # NEW-10
    made = make(tmp_path)
    config = tomllib.loads((made.path / "my-app.toml").read_text())
    assert config["greeting"] == "hello from my-app"
    assert config["service"] == {"timeout_ms": 1500}
    assert sorted(config) == ["greeting", "service"]
    for name in tomllib.loads((made.path / "spin.toml").read_text())["variables"]:
        assert f'"{name}"' in (made.path / "handlers.py").read_text()


def test_what_git_leaves_out(tmp_path: Path) -> None:
    """State, builds and local values stay out of a repository."""  # NEW-11
    made = create_project("a", find_template(PROJECT_ID), parent=tmp_path)
    for name in (".spin/x.db", ".edgezero/x", "app.wasm", ".env"):
        done = subprocess.run(["git", "check-ignore", "-q", name], cwd=made.path, check=False)
        assert done.returncode == 0, name
    assert (made.path / ".git").is_dir()  # NEW-12


def test_no_repository_inside_another(tmp_path: Path) -> None:
    """A project in a repository belongs to it."""  # TPL-12
    (tmp_path / ".git").mkdir()
    made = create_project("a", find_template(PROJECT_ID), parent=tmp_path)
    assert not (made.path / ".git").exists()
    assert make(tmp_path, "b").path.joinpath("app.py").exists()
    assert not (tmp_path / "b" / ".gitignore").exists()


def test_a_machine_without_git_gets_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project is made all the same."""  # NEW-12
    monkeypatch.setenv("PATH", str(tmp_path))
    made = create_project("a", find_template(PROJECT_ID), parent=tmp_path)
    assert (made.path / "app.py").exists()
    assert len(made.warnings) == 1
    assert "git init" in made.warnings[0]


def test_an_author_whose_name_is_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is replaced; the rest of the name and the project are there."""  # TPL-9
    (tmp_path / "gitconfig").write_bytes(b"[user]\n\tname = J\xfcrgen\n\temail = j@a.example\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    made = find_template(PROJECT_ID)
    assert create_project("a", made, parent=tmp_path).warnings == ()
    values = choose_values(
        made, made.for_new_application(), {"app-name": "a"}, project_name="a", output_path="a"
    )
    assert values["authors"] == "J\ufffdrgen <j@a.example>"


@pytest.mark.parametrize("kind", ["folder", "file", "broken link"])
def test_what_exists_is_not_touched(kind: str, tmp_path: Path) -> None:
    """The path is named, and nothing at all is written."""  # NEW-4
    target = tmp_path / "my-app"
    if kind == "folder":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to("nowhere")
    with pytest.raises(ProjectError, match="already exists") as caught:
        make(tmp_path)
    assert str(target) in str(caught.value)
    assert list(tmp_path.iterdir()) == [target]
    assert kind != "folder" or list(target.iterdir()) == []


def test_a_parent_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A slip in ``--dir`` makes no folders."""
    with pytest.raises(ProjectError, match=r"there is no folder .*gone"):
        make(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_is_interrupted_leaves_nothing(
    failure: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or Ctrl-C half-way: no folder, whole or in part."""
    write = Path.write_bytes
    written: list[Path] = []

    def third_fails(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) == 3:
            raise failure
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", third_fails)
    with pytest.raises((ProjectError, KeyboardInterrupt)):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_cannot_be_written() -> None:
    """It is named with the reason."""
    with public_folder() as folder:
        folder.chmod(0o555)
        with (
            without_rights(),
            pytest.raises(ProjectError, match=r"cannot create.*Permission denied"),
        ):
            create_project("my-app", without_patterns(PROJECT_ID), parent=folder, vcs=False)
        assert list(folder.iterdir()) == []


def own(folder: Path, parameters: str) -> ProjectTemplate:
    """A template with parameters and one file."""
    folder.mkdir()
    return template(folder, f"[parameters]\n{parameters}\n", a__txt=b"{{ one }}")


@pytest.mark.parametrize(
    ("parameters", "values", "said"),
    [  # TPL-6, TPL-11
        ('one = { type = "string", prompt = "First" }', {}, "--value one=... (First)"),
        ('one = { type = "string", prompt = "?" }', {"two": ""}, "no parameter two"),
        ('one = { type = "string", prompt = "?", pattern = "^a$" }', {"one": "b"}, "match"),
        ('one = { type = "string", prompt = "?", allowed_values = ["a"] }', {"one": "b"}, "a"),
    ],
)
def test_values_are_checked(
    parameters: str, values: Mapping[str, str], said: str, tmp_path: Path
) -> None:
    """What is missing, unknown or does not fit is named before anything is written."""
    made = own(tmp_path / "template", parameters)
    with pytest.raises(ProjectError) as caught:
        create_project("a", made, parent=tmp_path, values=values)
    assert said in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_values_reach_the_files(tmp_path: Path) -> None:
    """A value that is given beats the default."""  # TPL-11
    made = own(tmp_path / "template", 'one = { type = "string", prompt = "?", default = "d" }')
    create_project("a", made, parent=tmp_path)
    create_project("b", made, parent=tmp_path, values={"one": "v"})
    assert (tmp_path / "a" / "a.txt").read_text() == "d"
    assert (tmp_path / "b" / "a.txt").read_text() == "v"


@settings(max_examples=25)
@given(name=st.text(max_size=12), description=st.text(max_size=20))
def test_any_name_gives_a_project_in_order(
    name: str, description: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Both manifests are valid whatever was typed; a description that is not is refused."""
    parent = tmp_path_factory.mktemp("any")
    try:
        made = make(parent, name, project_description=description)
    except ProjectError as error:
        assert "project-description" in str(error)
        return
    manifest = load_app_manifest(made.path / "edgezero.toml")
    assert provision(manifest, {}).labels
    load_spin_manifest(made.path / "spin.toml")
    assert (made.path / f"{manifest.name}.toml").is_file()


def test_a_project_passes_its_own_tests_and_checks(tmp_path: Path) -> None:
    """pytest, ruff and mypy --strict are content with what was made."""
    folder = make(tmp_path).path
    for command in (
        ["pytest", "-q", "-p", "no:cacheprovider"],
        ["ruff", "check", "--no-cache", "--isolated", "--select", "E,F,W,I,B,UP,C4,SIM,RUF", "."],
        ["ruff", "format", "--no-cache", "--isolated", "--check", "."],
        ["mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "app.py", "tests"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
