"""Templates: what a manifest may say, and how files are rendered."""

import re
import tomllib
from pathlib import Path, PurePosixPath

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.errors import ManifestError, ProjectError
from edgezero_spin.project.template_liquid import Liquid
from edgezero_spin.project.template_manifest import (
    COMPONENT_ID,
    PROJECT_ID,
    ProjectTemplate,
    TemplateVariant,
    built_in_templates,
    load_template,
)
from edgezero_spin.project.template_rendering import (
    FILTERS,
    NotLiquidError,
    render_template,
    with_values,
)
from edgezero_spin.project.template_store import find_template

HEAD = 'manifest_version = "1"\nid = "own"\n'


def template(folder: Path, manifest: str = "", **files: bytes) -> ProjectTemplate:
    """Write a template and load it; double underscores in names stand for dots."""
    (folder / "metadata").mkdir()
    (folder / "metadata" / "spin-template.toml").write_text(HEAD + manifest)
    for name, content in files.items():
        path = folder / "content" / name.replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return load_template(folder)


def without_patterns(id: str) -> ProjectTemplate:
    """A template of ours for a user who cannot run this Python, which searches for patterns."""
    made = find_template(id)
    plain = [attrs.evolve(parameter, pattern=None) for parameter in made.parameters]
    return attrs.evolve(made, parameters=tuple(plain))


def rendered(made: ProjectTemplate, **values: str) -> dict[str, bytes]:
    """The files of a new application by name."""
    names = {name.replace("_", "-"): value for name, value in values.items()}
    files = render_template(made, made.for_new_application(), names).files
    return {str(name): data for name, data in files.items()}


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
    "text",
    [
        b"{% for a in (1..2000) %}{% for b in (1..2000) %}{% endfor %}{% endfor %}",
        b"{% for a in (1..90000) %}" + b"x" * 1000 + b"{% endfor %}",
    ],
)
def test_a_template_that_makes_too_much_is_an_error(text: bytes, tmp_path: Path) -> None:
    """Loops and what they write have an end, and the file is named."""
    made = template(tmp_path, endless__txt=text)
    with pytest.raises(ProjectError, match=r"endless\.txt.*limit"):
        rendered(made)


@pytest.mark.parametrize(
    "text", [b"{{ nobody-gave-this }}", b"{{ a | no_such_filter }}", b"{% include 'nowhere' %}"]
)
def test_what_nobody_gave_is_an_error(text: bytes, tmp_path: Path) -> None:
    """A slip in a template is named with its file, which is not half-empty instead."""
    made = template(tmp_path, broken__txt=text)
    with pytest.raises(ProjectError, match=r"broken\.txt"):
        rendered(made, a="x")


@pytest.mark.parametrize("text", [b"{% if %}", b"{{ a", b"style={{}}"])
def test_a_file_that_is_no_liquid_is_copied(text: bytes, tmp_path: Path) -> None:
    """A file in another language may hold braces, as Spin has it; the file is named."""  # TPL-8
    made = template(tmp_path, app__jsx=text)
    done = render_template(made, TemplateVariant(), {"a": "x"})
    assert done.files == {PurePosixPath("app.jsx"): text}
    (warning,) = done.warnings
    assert "app.jsx is copied as it is" in warning


def test_a_name_that_nobody_gave_can_be_tested(tmp_path: Path) -> None:
    """Templates ask so for parameters that a variant leaves out."""  # TPL-8
    made = template(tmp_path, a__txt=b"{% if gone %}x{% else %}y{% endif %}")
    assert rendered(made) == {"a.txt": b"y"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # TPL-10
        ("My first_app-2 | kebab_case", "my-first-app2"),
        ("MyFirstApp | snake_case", "my_first_app"),
        ("my-first_app | pascal_case", "MyFirstApp"),
        ("my.first-app | dotted_pascal_case", "My.FirstApp"),
        ("/static | http_wildcard", "/static/..."),
        ("/static/ | http_wildcard", "/static/..."),
        ("/static/... | http_wildcard", "/static/..."),
        ("/ | http_wildcard", "/..."),
    ],
)
def test_spins_filters(text: str, expected: str, tmp_path: Path) -> None:
    """Each is there under Spin's name."""
    value, _, name = text.rpartition(" | ")
    made = template(tmp_path, a__txt=b"{{ a | %s }}" % name.encode())
    assert rendered(made, a=value) == {"a.txt": expected.encode()}


def test_partials_are_found_with_and_without_their_suffix(tmp_path: Path) -> None:
    """They lie beside the snippets, and see what they are given."""  # TPL-1
    made = template(tmp_path, a__txt=b"{% render 'row', x: a %} {% include 'row.liquid' x: a %}")
    partials = tmp_path / "metadata" / "partials"
    partials.mkdir()
    (partials / "row.liquid").write_text("<{{ x }}>")
    assert rendered(made, a="v") == {"a.txt": b"<v> <v>"}


PIECES = [*"a{}|'% \n", "{{ a }}", "{{a|snake_case}}", "{{'{{'}}"]
TEXTS = st.lists(st.sampled_from(PIECES)).map("".join)


@given(text=TEXTS, value=st.text(alphabet="aB-/é{}"))
def test_values_and_filters_are_written_as_liquid_writes_them(text: str, value: str) -> None:
    """What is done without Liquid is what Liquid would have done."""
    written = with_values(text, {"a": value})
    if written is not None:
        try:
            assert Liquid(FILTERS, {}).render(text, "text", {"a": value}) == written
        except NotLiquidError:
            # A brace more in front, which Liquid takes for a part of the name.
            assert "{{{" in text


@pytest.mark.parametrize("id", [PROJECT_ID, COMPONENT_ID])
def test_our_templates_need_no_liquid(id: str) -> None:
    """So that a new project needs no extra but ``tools``."""
    made = find_template(id)
    given = ("project-name", "output-path", "project-description", "authors", "username")
    values = dict.fromkeys([*(parameter.name for parameter in made.parameters), *given], "x")
    for path in made.folder.rglob("*"):
        if path.is_file() and path.name != "spin-template.toml":
            assert with_values(path.read_text(encoding="utf-8"), values) is not None, path


def test_files_for_git_are_left_out_where_git_is_not_wanted(tmp_path: Path) -> None:
    """In every folder."""  # TPL-12
    made = template(tmp_path, a__txt=b"")
    for folder in ("content", "content/deep"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / ".gitignore").touch()
    assert len(render_template(made, TemplateVariant(), {}).files) == 3
    assert list(render_template(made, TemplateVariant(), {}, vcs=False).files) == [
        PurePosixPath("a.txt")
    ]


OUTPUTS = """\
[outputs]
one = { action = "create_dir", path = "{{ a }}/x" }
two = { action = "create_dir", path = "assets", at = "manifest" }
"""


def test_folders_are_made_beside_the_files(tmp_path: Path) -> None:
    """In the component's folder or the manifest's; never outside of them."""  # TPL-7
    made = template(tmp_path, OUTPUTS)
    done = render_template(made, TemplateVariant(), {"a": "v"})
    assert done.component_folders == (PurePosixPath("v/x"),)
    assert done.manifest_folders == (PurePosixPath("assets"),)
    for outside in ("..", "/etc"):
        with pytest.raises(ProjectError, match="outside of the project"):
            render_template(made, TemplateVariant(), {"a": outside})


CONDITIONS = """\
[add_component]
skip_files = ["spin.toml"]
[add_component.snippets]
component = "component.txt"
application_trigger = "trigger.txt"
[add_component.conditions.address_exists]
condition = { manifest_entry_exists = "application.trigger.redis" }
skip_files = ["a.txt"]
skip_parameters = ["address"]
skip_snippets = ["application_trigger"]
"""


@pytest.mark.parametrize(
    ("manifest", "holds"),
    [  # TPL-5
        ({}, False),
        ({"application": {"trigger": {"redis": {"address": "x"}}}}, True),
        ({"application": {"trigger": [{"redis": {}}]}}, False),
        ({"application": {"trigger": "redis"}}, False),
    ],
)
def test_a_condition_asks_the_manifest(
    manifest: dict[str, object], holds: bool, tmp_path: Path
) -> None:
    """What it leaves out is left out beside what the variant leaves out anyway."""  # TPL-3
    variant = template(tmp_path, CONDITIONS).for_component(manifest)
    assert variant.skip_files == ({"spin.toml", "a.txt"} if holds else {"spin.toml"})
    assert variant.skip_parameters == ({"address"} if holds else set())
    left = {"component": "component.txt"}
    assert variant.snippets == (left if holds else {**left, "application_trigger": "trigger.txt"})


def test_a_template_says_what_it_is_for(tmp_path: Path) -> None:
    """Without a word it makes applications only; the message names the other command."""
    # TPL-3, TPL-13
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(ProjectError, match=r"adds no components: .*edgezero new"):
        template(tmp_path / "a").for_component({})
    only = "[new_application]\nsupported = false\n[add_component]\n"
    made = template(tmp_path / "b", only)
    assert made.for_component({}) == TemplateVariant()
    with pytest.raises(ProjectError, match=r"makes no new applications: .*edgezero add component"):
        made.for_new_application()


def test_files_can_be_left_out_of_new_applications(tmp_path: Path) -> None:
    """``skip_files`` and ``skip_parameters`` of the variant count."""  # TPL-3
    manifest = (
        '[new_application]\nskip_files = ["b.txt"]\nskip_parameters = ["other"]\n'
        '[parameters]\none = { type = "string", prompt = "?" }\n'
        'other = { type = "string", prompt = "?" }\n'
    )
    made = template(tmp_path, manifest, a__txt=b"", b__txt=b"")
    assert list(rendered(made)) == ["a.txt"]
    assert made.for_new_application().skip_parameters == {"other"}


@pytest.mark.parametrize(
    ("manifest", "said"),
    [  # TPL-2, TPL-6
        ("surprise = 1\n", "surprise"),
        ("[new_application.snippets]\ncomponent = 'x'\n", "add_component has them"),
        ("[add_component.snippets]\nroutes = 'x'\n", "unknown field `routes`"),
        ("[add_component.conditions.x]\n", "missing field `condition`"),
        ("[add_component.conditions.x]\ncondition = { never = 'a' }\n", "unknown field `never`"),
        ("[[custom_filters]]\nname = 'x'\n", "filters of a template's own"),
        ("[outputs]\na = { action = 'run', path = 'x' }\n", "'run'"),
        ("[outputs]\na = { action = 'create_dir', path = 'x', at = 'home' }\n", "'home'"),
        ('[parameters]\na = { type = "int", prompt = "?" }\n', "'int'"),
        ('[parameters]\na = { type = "string" }\n', "prompt"),
        ('[parameters]\na = { type = "string", prompt = "?", pattern = "[" }\n', "pattern"),
        ("[parameters]\na = { type = 'string', prompt = '?', pattern = '[[:alpha:]]' }\n",
         "not a regular expression that Python has"),
        ("[parameters]\na = { type = 'string', prompt = '?', pattern = '\\p{L}' }\n", "pattern"),
        ('[parameters]\na = { type = "string", prompt = "?", extra = 1 }\n', "extra"),
    ],
)  # fmt: skip
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
    assert find_template(PROJECT_ID).id == PROJECT_ID
    template(tmp_path)
    assert find_template(str(tmp_path)).id == "own"
    with pytest.raises(ProjectError, match=rf"no template 'nope' \(available: .*{PROJECT_ID}"):
        find_template("nope")


ANYTHING = {"project-name": "some-app", "authors": "", "username": "", "output-path": "some-app"}


def defaults(made: ProjectTemplate) -> dict[str, str]:
    """The names that a person who accepts everything gives."""
    assert all(parameter.default is not None for parameter in made.parameters)
    return {parameter.name: parameter.default or "" for parameter in made.parameters} | ANYTHING


def test_which_templates_there_are() -> None:
    """Projects with HTTP, a database and each kind of event, and one for a component."""
    found = {made.id.removeprefix("edgezero-") for made in built_in_templates()}
    assert found == {"http", "sqlite", "events", "redis", "mqtt", "cron", "component"}


def test_our_project_works_with_spin_new() -> None:
    """With the defaults alone every file renders, and the app's files fit together."""  # TPL-11
    made = find_template(PROJECT_ID)
    done = render_template(made, made.for_new_application(), defaults(made))
    assert done.warnings == ()
    files = done.files
    manifest = tomllib.loads(files[PurePosixPath("edgezero.toml")].decode())
    # Spin renames no files, so the configuration has to have the name the app looks for.
    assert PurePosixPath(f"{manifest['app']['name']}.toml") in files
    assert all(b"{%" not in data for data in files.values())


def test_our_component_works_with_spin_add() -> None:
    """With the defaults alone, and in a folder of any depth."""  # TPL-4, TPL-13
    made = find_template(COMPONENT_ID)
    values = defaults(made) | {"output-path": "services/some-app"}
    done = render_template(made, made.for_component({}), values)
    assert done.warnings == ()
    manifest = tomllib.loads(done.files[PurePosixPath("edgezero.toml")].decode())
    assert manifest["adapters"]["spin"]["adapter"]["manifest"] == "../../spin.toml"
    snippet = tomllib.loads(done.snippets["component"])
    assert snippet["component"]["some-app"]["source"] == "services/some-app/app.wasm"
    assert snippet["trigger"]["http"] == [{"route": "/...", "component": "some-app"}]


@pytest.mark.parametrize(
    ("route", "routes"),
    [
        ("/...", ['"/"', '"/{name}"']),
        ("/", ['"/"']),
        ("/a/b/...", ['"/a/b"', '"/a/b/{name}"']),
        ("/a/b", ['"/a/b"']),
    ],
)
def test_our_component_answers_below_its_route(route: str, routes: list[str]) -> None:
    """Its code is Python, with the patterns that the route lets through."""
    made = find_template(COMPONENT_ID)
    values = defaults(made) | {"http-path": route}
    done = render_template(made, made.for_component({}), values)
    code = done.files[PurePosixPath("app.py")].decode()
    compile(code, "app.py", "exec")
    assert re.findall(r"@app\.get\((.*)\)", code) == routes
    (parameter,) = made.parameters
    assert parameter.check(route) == route


@pytest.mark.parametrize(
    "route", ["", "a", "/a/", "/:id", "/{id}", "/a b", '/"', "/a\n", "/.../a/"]
)
def test_our_component_takes_no_other_routes(route: str) -> None:
    """Those that the code could not be written for, and those that are none."""
    (parameter,) = find_template(COMPONENT_ID).parameters
    with pytest.raises(ProjectError, match="http-path"):
        parameter.check(route)
