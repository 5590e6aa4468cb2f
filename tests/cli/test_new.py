"""``edgezero new`` as a person runs it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from edgezero_spin.project.app_look import look_at_app
from edgezero_spin.project.trigger_check import check_triggers
from tests.cli.running import edgezero, refusal


def test_a_project_is_made_and_said(tmp_path: Path) -> None:
    """The name that was used, where it is and what comes next; it is valid at once."""
    # NEW-1, NEW-12, OPQ-6
    done = edgezero("new", "My App", "--adapter", "spin", "--dir", tmp_path / ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Created my-app in {tmp_path / 'my-app'} (")
    assert "edgezero build" in done.stdout
    done = edgezero(
        *("config", "validate", "--strict", "--model", "app_config:MyAppConfig"),
        cwd=tmp_path / "my-app",
    )
    assert done.returncode == 0, done.stderr
    assert edgezero("config", "validate", "--strict", cwd=tmp_path / "my-app").returncode == 0


def test_what_follows_two_dashes_reaches_every_component(tmp_path: Path) -> None:
    """The build command of a new project hands it on, as the built-in does."""  # BLD-2
    edgezero("new", "a", cwd=tmp_path)
    done = edgezero("build", "--", "--help", cwd=tmp_path / "a")
    assert done.returncode == 0, done.stderr
    assert "Usage: edgezero componentize" in done.stdout
    named = {"EDGEZERO_MANIFEST": "a/edgezero.toml"}  # CLI-4
    done = edgezero("build", "--", "--help", cwd=tmp_path, env=named)
    assert done.returncode == 0, done.stderr
    assert "Usage: edgezero componentize" in done.stdout


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """Taken names, unknown adapters and templates each have their line."""  # NEW-4, CLI-6
    (tmp_path / "taken").mkdir()
    message = refusal(edgezero("new", "taken", cwd=tmp_path))
    assert "taken already exists" in message
    message = refusal(edgezero("new", "a", "--adapter", "ghost", cwd=tmp_path))
    assert "`ghost` is not registered in this build" in message
    message = refusal(edgezero("new", "a", "--template", "nope", cwd=tmp_path))
    known = ("component", "cron", "events", "http")
    offered = ", ".join(f"edgezero-{name}" for name in known)
    assert f"no template 'nope' (available: {offered}" in message
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def template(folder: Path, id: str = "own", more: str = "") -> Path:
    """A template with one parameter that has a default, and one that has none."""
    (folder / "metadata").mkdir(parents=True)
    (folder / "metadata" / "spin-template.toml").write_text(
        f'manifest_version = "1"\nid = "{id}"\n{more}\n[parameters]\n'
        'color = { type = "string", prompt = "Which", default = "red" }\n'
        'size = { type = "string", prompt = "Which size" }\n'
    )
    (folder / "content").mkdir()
    (folder / "content" / "a.txt").write_text("{{project-name}} {{color}} {{size}}")
    return folder


@pytest.mark.parametrize(
    ("typed", "where", "made"),
    [  # CLI-18, NEW-1
        (["-t", "TEMPLATE", "-v", "size=1", "shop"], "shop", "shop red 1"),
        (["TEMPLATE", "shop", "--value", "size=2", "-v", "color=blue"], "shop", "shop blue 2"),
        (["-t", "TEMPLATE", "-a", "-v", "size=1", "-o", "in/ner", "shop"], "in/ner", "shop red 1"),
        (["-t", "TEMPLATE", "-v", "size=1", "--init", "--no-vcs"], ".", "project red 1"),
        (["-t", "TEMPLATE", "-v", "size=1", "--init", "My Shop"], ".", "my-shop red 1"),
    ],
)
def test_the_flags_of_spin_new(typed: list[str], where: str, made: str, tmp_path: Path) -> None:
    """A line typed for `spin new` makes the same files in the same folder."""
    own = template(tmp_path / "own")
    folder = tmp_path / "project"
    folder.mkdir()
    arguments = [str(own) if word == "TEMPLATE" else word for word in typed]
    done = edgezero("new", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / where / "a.txt").read_text() == made
    assert (folder / where / ".git").exists() is ("--no-vcs" not in typed)


@pytest.mark.parametrize(
    ("typed", "where", "name"),
    [
        (["TMP/x"], "x", "x"),
        (["TMP/x/"], "x", "x"),
        (["services/My-App"], "project/services/My-App", "my-app"),
        (["./shop"], "project/shop", "shop"),
        (["."], "project", "project"),
        (["../shop"], "shop", "shop"),
        (["--dir", "services", "a/shop"], "project/services/a/shop", "shop"),
        (["a/shop", "--output", "other"], "project/other", "shop"),
        (["shop"], "project/shop", "shop"),
    ],
)
def test_a_name_may_be_a_path(typed: list[str], where: str, name: str, tmp_path: Path) -> None:
    """Its last part is the name, and the folders before it are made."""
    folder = tmp_path / "project"
    folder.mkdir()
    arguments = [word.replace("TMP", str(tmp_path)) for word in typed]
    done = edgezero("new", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f'name = "{name}"' in (tmp_path / where / "edgezero.toml").read_text()
    assert done.stdout.startswith(f"Created {name} in ")


def test_the_next_step_can_be_copied(tmp_path: Path) -> None:
    """A folder with a space is quoted as a shell wants it."""
    done = edgezero("new", "my shops/one", cwd=tmp_path)
    assert "  cd 'my shops/one'\n" in done.stdout


def test_a_folder_with_files_is_written_into_when_asked(tmp_path: Path) -> None:
    """Else it is refused and nothing changes; a repository alone is not a file in the way."""
    # TPL-12, NEW-2
    own = template(tmp_path / "own")
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    new = ("new", "-t", own, "-v", "size=1", "--init")
    assert edgezero(*new, cwd=folder).returncode == 0
    (folder / "a.txt").write_text("mine")
    (folder / "b.txt").write_text("mine")
    message = refusal(edgezero(*new, cwd=folder))
    assert "already contains other files" in message
    assert (folder / "a.txt").read_text() == "mine"
    assert edgezero(*new, "--allow-overwrite", cwd=folder).returncode == 0
    assert (folder / "a.txt").read_text() == "project red 1"
    assert (folder / "b.txt").read_text() == "mine"
    assert not list(folder.glob("*.edgezero"))


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        (["x", "--init", "-o", "y"], 2, "--init and --output exclude each other"),
        (["x", "--dir", "y", "-o", "z"], 2, "--dir does not go with --output"),
        (["x", "-t", "a", "--tag", "b"], 2, "--template and --tag exclude each other"),
        (["a", "b", "-t", "c"], 2, "two templates are named: a and c"),
        (["a", "b", "c"], 2, "unexpected argument 'c'"),
        (["x", "-E", "spin-up:4.1"], 2, "-E/--target-environment: the templates of"),
        (["x", "-v", "size"], 2, "must be of the form NAME=VALUE"),
        ([], 2, "a name is missing"),
        (["x", "--tag", "nope"], 1, "No templates matched nope"),
        (["x", "-o", "file"], 1, "file already exists"),
        (["x", "-o", "file/inner"], 1, "file"),
        (["x", "-v", "nope=1"], 1, "no parameter nope"),
    ],
)
def test_what_new_refuses(typed: list[str], status: int, says: str, tmp_path: Path) -> None:
    """One message, and no file."""
    (tmp_path / "file").write_text("")
    done = edgezero("new", *typed, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_template_is_found_by_its_tag(tmp_path: Path) -> None:
    """In any case; where several have it, they are named."""  # CLI-18
    env = {"SPIN_DATA_DIR": str(tmp_path / "data")}
    template(tmp_path / "source" / "templates" / "a", "first", 'tags = ["Py", "http"]')
    template(tmp_path / "source" / "templates" / "b", "second", 'tags = ["py"]')
    assert edgezero("templates", "install", "--dir", tmp_path / "source", env=env).returncode == 0
    new = ("new", "shop", "-v", "size=1", "--tag")
    assert "several templates are tagged py: name one with -t: first, second" in refusal(
        edgezero(*new, "py", cwd=tmp_path, env=env)
    )
    done = edgezero(*new, "PY", "--tag", "http", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "shop" / "a.txt").is_file()
    done = edgezero("n", "first", "-v", "size=1", cwd=tmp_path, env=env)
    assert "if you meant the template, write -t first" in done.stderr


def test_a_project_in_the_current_folder_is_in_order(tmp_path: Path) -> None:
    """Our own template by --init: valid, and named after the folder."""
    folder = tmp_path / "shop"
    folder.mkdir()
    done = edgezero("new", "--init", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "cd " not in done.stdout
    assert tomllib.loads((folder / "edgezero.toml").read_text())["app"]["name"] == "shop"
    assert edgezero("config", "validate", "--strict", cwd=folder).returncode == 0


def test_a_project_with_a_database(tmp_path: Path) -> None:
    """Its own tests pass, and spin.toml grants the database that its app names."""
    done = edgezero("new", "-t", "edgezero-sqlite", "todo", "-a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "todo"
    component = tomllib.loads((folder / "spin.toml").read_text())["component"]["todo"]
    assert component["sqlite_databases"] == ["default"]
    assert 'App(sqlite=["default"])' in (folder / "app.py").read_text()
    tested = own_tests(folder)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def own_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the tests of a project that was made."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("kind", "values", "triggers"),
    [
        ("events", ["redis-channel=returns"], ["returns", "0 */5 * * * *"]),
        ("redis", ["redis-channel=returns"], ["returns"]),
        ("cron", ["cron-expression=0 0 3 * * *"], ["0 0 3 * * *"]),
        ("mqtt", ["mqtt-topic=doors"], ["doors/+"]),
    ],
)
def test_a_project_of_handlers_of_events(
    tmp_path: Path, kind: str, values: list[str], triggers: list[str]
) -> None:
    """Its own tests pass, spin.toml starts each of its handlers, and values reach both."""
    given = [word for value in values for word in ("-v", value)]
    done = edgezero("new", "-t", f"edgezero-{kind}", "shop", *given, "-a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "shop"
    look = look_at_app("app", "", folder)
    assert [trigger.text for trigger in look.triggers] == triggers
    check_triggers(look.triggers, folder / "app.wasm", folder)
    tested = own_tests(folder)
    assert tested.returncode == 0, tested.stdout + tested.stderr
