"""Templates: what a manifest may say, and how files are rendered."""

import tomllib
from pathlib import Path, PurePosixPath

import pytest

from edgezero_spin.errors import ManifestError, ProjectError
from edgezero_spin.project.new_templates import (
    BUILT_IN_ID,
    Template,
    built_in_templates,
    find_template,
    load_template,
    render_template,
)

HEAD = 'manifest_version = "1"\nid = "own"\n'


def template(folder: Path, manifest: str = "", **files: bytes) -> Template:
    """Write a template and load it; double underscores in names stand for dots."""
    (folder / "metadata").mkdir()
    (folder / "metadata" / "spin-template.toml").write_text(HEAD + manifest)
    for name, content in files.items():
        path = folder / "content" / name.replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return load_template(folder)


def rendered(made: Template, **values: str) -> dict[str, bytes]:
    """The files of a template by name."""
    names = {name.replace("_", "-"): value for name, value in values.items()}
    return {str(name): data for name, data in render_template(made, names).items()}


def test_files_are_liquid_and_other_files_are_copied(tmp_path: Path) -> None:
    """Names with dashes and Spin's filters work; a suffix .tmpl goes; bytes stay bytes."""
    # TPL-8, TPL-9, TPL-10
    made = template(
        tmp_path,
        a__py__tmpl=b"{{project-name | pascal_case}} {{project-name|snake_case}}\r\n",
        b__txt="{{ project-name | kebab_case }} {% raw %}{{ kept }}{% endraw %} ä".encode(),
        c__bin=b"\xff{{project-name}}",
    )
    assert rendered(made, project_name="my-app") == {
        "a.py": b"MyApp my_app\r\n",
        "b.txt": "my-app {{ kept }} ä".encode(),
        "c.bin": b"\xff{{project-name}}",
    }


@pytest.mark.parametrize(
    "text", [b"{{ nobody-gave-this }}", b"{% if %}", b"{{ a | no_such_filter }}", b"{{ a"]
)
def test_a_file_that_is_no_template_is_named(text: bytes, tmp_path: Path) -> None:
    """A slip in a template is an error with the file's name, not a half-empty file."""
    made = template(tmp_path, broken__txt=text)
    with pytest.raises(ProjectError, match=r"broken\.txt"):
        rendered(made, a="x")


def test_files_can_be_left_out_of_new_applications(tmp_path: Path) -> None:
    """``skip_files`` and ``skip_parameters`` of the variant count."""  # TPL-3
    manifest = (
        '[new_application]\nskip_files = ["b.txt"]\nskip_parameters = ["other"]\n'
        '[parameters]\none = { type = "string", prompt = "?" }\n'
        'other = { type = "string", prompt = "?" }\n'
    )
    made = template(tmp_path, manifest, a__txt=b"", b__txt=b"")
    assert list(rendered(made)) == ["a.txt"]
    assert [parameter.name for parameter in made.parameters] == ["one"]


@pytest.mark.parametrize(
    ("manifest", "said"),
    [  # TPL-2, TPL-6
        ("surprise = 1\n", "surprise"),
        ("[new_application]\nsupported = false\n", "makes no new applications"),
        ('[parameters]\na = { type = "int", prompt = "?" }\n', "'int'"),
        ('[parameters]\na = { type = "string" }\n', "prompt"),
        ('[parameters]\na = { type = "string", prompt = "?", pattern = "[" }\n', "pattern"),
        ('[parameters]\na = { type = "string", prompt = "?", extra = 1 }\n', "extra"),
    ],
)
def test_a_manifest_is_checked(manifest: str, said: str, tmp_path: Path) -> None:
    """Unknown keys and kinds are refused as Spin refuses them."""
    with pytest.raises(ManifestError) as caught:
        template(tmp_path, manifest)
    assert said in str(caught.value)


def test_a_manifest_of_another_version_is_refused(tmp_path: Path) -> None:
    """Version 1 is the one that there is."""  # TPL-2
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "spin-template.toml").write_text('manifest_version = "2"\nid = "x"\n')
    with pytest.raises(ManifestError, match='must be "1"'):
        load_template(tmp_path)


def test_templates_are_found_by_id_or_folder(tmp_path: Path) -> None:
    """Ours by id, others by their folder; else the message offers the ids."""
    assert find_template(BUILT_IN_ID).id == BUILT_IN_ID
    template(tmp_path)
    assert find_template(str(tmp_path)).id == "own"
    with pytest.raises(ProjectError, match=rf"no template 'nope' \(available: .*{BUILT_IN_ID}"):
        find_template("nope")


@pytest.mark.parametrize("made", built_in_templates(), ids=lambda made: made.id)
def test_our_templates_work_with_spin_new(made: Template) -> None:
    """With the defaults alone every file renders, and the app's files fit together."""  # TPL-11
    values = {parameter.name: parameter.default or "" for parameter in made.parameters}
    assert all(parameter.default is not None for parameter in made.parameters)
    files = render_template(
        made,
        {**values, "project-name": "Some App", "authors": "", "username": "", "output-path": ""},
    )
    manifest = tomllib.loads(files[PurePosixPath("edgezero.toml")].decode())
    # Spin renames no files, so the configuration has to have the name the app looks for.
    assert PurePosixPath(f"{manifest['app']['name']}.toml") in files
    assert all(b"{%" not in data for data in files.values())
