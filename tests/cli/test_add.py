"""``edgezero add`` as a person runs it, in a project that ``edgezero new`` made."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import edgezero, refusal


def test_a_store_is_added_to_a_new_project(tmp_path: Path) -> None:
    """The project is in order afterwards: nothing to provision, nothing for the doctor."""
    edgezero("new", "app", cwd=tmp_path)
    folder = tmp_path / "app"
    done = edgezero("add", "kv", "sessions", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "added `sessions` to [stores.kv]" in done.stdout
    assert edgezero("config", "validate", "--strict", cwd=folder).returncode == 0
    provisioned = edgezero("provision", cwd=folder)
    assert provisioned.stderr == ""
    *labels, secrets = provisioned.stdout.splitlines()
    assert all(line.endswith("; skipping") for line in labels)
    assert "(declared: api_token)" in secrets
    doctor = edgezero("doctor", cwd=folder).stdout
    assert [line for line in doctor.splitlines() if line.startswith("problem")] == [
        f"problem component app-adapter-spin: {folder / 'app.wasm'} is not there"
    ]


def test_wrong_kinds_and_missing_projects(tmp_path: Path) -> None:
    """A kind that is none is wrong usage; a folder without a project is named."""
    assert edgezero("add", "secret", "x", cwd=tmp_path).returncode == 2
    assert "failed to load edgezero.toml" in refusal(edgezero("add", "kv", "x", cwd=tmp_path))


def test_a_component_is_added_to_a_new_project(tmp_path: Path) -> None:
    """What was done and what comes next is said, and the project is in order."""  # TPL-13
    edgezero("new", "app", cwd=tmp_path)
    folder = tmp_path / "app"
    before = (folder / "spin.toml").read_text()
    done = edgezero("add", "component", "reports", "--route", "/r/...", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"wrote {folder / 'reports' / 'app.py'}",
        f"wrote {folder / 'reports' / 'edgezero.toml'}",
        f"added component `reports` to {folder / 'spin.toml'}",
        "Next:",
        "  edgezero build",
        "  edgezero serve",
    ]
    assert (folder / "spin.toml").read_text().startswith(before)
    assert edgezero("config", "validate", "--strict", cwd=folder).returncode == 0
    doctor = edgezero("doctor", cwd=folder).stdout
    assert [line for line in doctor.splitlines() if line.startswith("problem")] == [
        f"problem component {name}: {folder / file} is not there"
        for name, file in (("app-adapter-spin", "app.wasm"), ("reports", "reports/app.wasm"))
    ]


def test_an_application_without_edgezero_toml(tmp_path: Path) -> None:
    """A spin.toml is enough, wherever it is named from."""
    (tmp_path / "spin.toml").write_text("spin_manifest_version = 2\n[application]\nname = 'x'\n")
    done = edgezero("add", "component", "reports", "-f", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports" / "app.py").is_file()


def test_what_cannot_be_added_is_one_line(tmp_path: Path) -> None:
    """Nowhere to add to, an id that is none, a template that is none."""
    assert "could not locate spin.toml" in refusal(edgezero("add", "component", "x", cwd=tmp_path))
    (tmp_path / "spin.toml").write_text("spin_manifest_version = 2\n[application]\nname = 'x'\n")
    for arguments, said in (
        (["a_b"], "try `a-b`"),
        (["x", "--template", "nope"], "no template 'nope'"),
        (["x", "--adapter", "ghost"], "`ghost` is not registered in this build"),
    ):
        message = refusal(edgezero("add", "component", *arguments, cwd=tmp_path))
        assert said in message
    assert [path.name for path in tmp_path.iterdir()] == ["spin.toml"]


ASKING = """\
manifest_version = "1"
id = "own"
[parameters]
color = { type = "string", prompt = "Which colour", allowed_values = ["red", "blue"] }
size = { type = "string", prompt = "Which size", pattern = '^\\d+$' }
"""


@pytest.fixture
def asking(tmp_path: Path) -> Path:
    """A template that has to be told two things."""
    (tmp_path / "own" / "metadata").mkdir(parents=True)
    (tmp_path / "own" / "metadata" / "spin-template.toml").write_text(ASKING)
    (tmp_path / "own" / "content").mkdir()
    (tmp_path / "own" / "content" / "a.txt").write_text("{{color}} {{size}}")
    return tmp_path / "own"


def test_a_person_is_asked_for_what_lacks(asking: Path, tmp_path: Path) -> None:
    """At a terminal each question is asked until the answer fits."""  # TPL-11
    terminal, end = pty.openpty()
    with os.fdopen(terminal, "wb", closefd=False) as typing:
        typing.write(b"green\nred\nbig\n12\n")
    command = [sys.executable, "-m", "edgezero_spin.cli", "new", "a", "--template", str(asking)]
    try:
        done = subprocess.run(
            command, cwd=tmp_path, stdin=end, stderr=end, capture_output=False, timeout=60
        )
        said = os.read(terminal, 65536).decode()
    finally:
        os.close(terminal)
        os.close(end)
    assert done.returncode == 0, said
    assert (tmp_path / "a" / "a.txt").read_text() == "red 12"
    assert "'green' is not one of 'red', 'blue'" in said
    assert "size: 'big' does not match" in said


def test_values_come_from_a_file(asking: Path, tmp_path: Path) -> None:
    """A flag beats it; what is not text in it is named."""  # TPL-11
    values = tmp_path / "values.toml"
    values.write_text('color = "red"\nsize = "1"\n')
    new = ("new", "a", "--template", asking, "--values-file", values)
    done = edgezero(*new, "--value", "size=2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a" / "a.txt").read_text() == "red 2"
    values.write_text("size = 1\n")
    message = refusal(edgezero(*new, "--dir", asking, cwd=tmp_path))
    assert f"{values}: size: invalid type: expected a string, got an integer" in message
    message = refusal(edgezero(*new[:-1], "gone.toml", "--dir", asking, cwd=tmp_path))
    assert "gone.toml: there is no such file" in message


def test_nobody_is_asked_in_a_pipe(asking: Path, tmp_path: Path) -> None:
    """The flag that is needed is named."""  # TPL-11
    message = refusal(edgezero("new", "a", "--template", asking, cwd=tmp_path))
    assert "--value color=... (Which colour)" in message
    assert not (tmp_path / "a").exists()


COMPONENT = """\
[component.{{project-name | kebab_case}}]
source = "{{ output-path }}/app.wasm"
"""


@pytest.fixture
def adding(tmp_path: Path) -> Path:
    """A template that adds a component with one file."""
    folder = tmp_path / "adding"
    (folder / "metadata" / "snippets").mkdir(parents=True)
    (folder / "metadata" / "spin-template.toml").write_text(
        'manifest_version = "1"\nid = "adding"\n[add_component.snippets]\ncomponent = "c.txt"\n'
    )
    (folder / "metadata" / "snippets" / "c.txt").write_text(COMPONENT)
    (folder / "content").mkdir()
    (folder / "content" / "a.txt").write_text("{{project-name}}")
    return folder


@pytest.mark.parametrize(
    ("typed", "file", "source"),
    [  # CLI-19, NEW-1
        (["-t", "TEMPLATE", "one"], "one/a.txt", "one/app.wasm"),
        (["TEMPLATE", "one", "-a"], "one/a.txt", "one/app.wasm"),
        (["one", "-t", "TEMPLATE", "--output", "in/ner"], "in/ner/a.txt", "in/ner/app.wasm"),
        (["one", "-t", "TEMPLATE", "--init"], "a.txt", "./app.wasm"),
        (["component", "one", "-t", "TEMPLATE"], "one/a.txt", "one/app.wasm"),
        (["-C", ".", "-t", "TEMPLATE", "kv"], "kv/a.txt", "kv/app.wasm"),
    ],
)
def test_the_flags_of_spin_add(
    typed: list[str], file: str, source: str, adding: Path, tmp_path: Path
) -> None:
    """A line typed for `spin add` adds the same component with the same source."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "spin.toml").write_text("spin_manifest_version = 2\n[application]\nname = 'x'\n")
    arguments = [str(adding) if word == "TEMPLATE" else word for word in typed]
    done = edgezero("add", *arguments, "--file", folder / "spin.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / file).is_file()
    assert f'source = "{source}"' in (folder / "spin.toml").read_text()


def test_files_are_replaced_when_asked(adding: Path, tmp_path: Path) -> None:
    """The application's own manifest is not, whatever a template brings."""
    folder = tmp_path / "app"
    folder.mkdir()
    manifest = "spin_manifest_version = 2\n[application]\nname = 'x'\n"
    (folder / "spin.toml").write_text(manifest)
    (folder / "a.txt").write_text("mine")
    (adding / "content" / "spin.toml").write_text("not this")
    add = ("add", "-t", adding, "one", "--init")
    assert "--allow-overwrite" in refusal(edgezero(*add, cwd=folder))
    assert (folder / "a.txt").read_text() == "mine"
    assert edgezero(*add, "--allow-overwrite", cwd=folder).returncode == 0
    assert (folder / "a.txt").read_text() == "one"
    assert (folder / "spin.toml").read_text().startswith(manifest)
