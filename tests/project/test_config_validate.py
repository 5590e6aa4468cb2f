"""Checks of a project's configuration: each on its own, and all in one run."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin.manifest.app_config import looks_like_a_secret
from edgezero_spin.project.config_checks import ConfigProblemsError
from edgezero_spin.project.config_validate import ConfigReport, validate_config
from tests.project.config_project import SPIN, AppConfig, ConfigProject


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    """A project in which nothing is wrong."""
    return ConfigProject(tmp_path)


def problems(project: ConfigProject, *, strict: bool = False, **request: Any) -> list[str]:
    """What is wrong with a project; that nothing is written is checked on the way."""
    before = project.files()
    report = validate_config(project.request(**request), strict=strict)
    assert project.files() == before  # VAL-15
    assert report.ok == (not report.findings)
    return [f"{finding.check}: {finding}" for finding in report.findings]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("model", [None, AppConfig])
def test_a_project_in_order(project: ConfigProject, model: type | None, strict: bool) -> None:
    """No check of any variant has anything to say."""
    assert problems(project, strict=strict, model=model) == []


@pytest.mark.parametrize(
    ("model", "strict", "line"),
    [
        (None, False, "config validate (raw): {manifest} OK"),
        (None, True, "config validate (raw): {manifest} OK (strict)"),
        (AppConfig, True, "config validate (typed): {manifest} and {app_config} OK (strict)"),
    ],
)
def test_the_line_of_success(
    project: ConfigProject, model: type | None, strict: bool, line: str
) -> None:
    """It says which variant ran on which files."""  # VAL-14
    report = validate_config(project.request(model=model), strict=strict)
    assert report.summary == line.format(
        manifest=project.folder / "edgezero.toml", app_config=project.folder / "app-demo.toml"
    )


def test_a_manifest_that_does_not_load(project: ConfigProject) -> None:
    """Nothing else can be checked then."""  # VAL-1
    (project.folder / "edgezero.toml").unlink()
    (line,) = problems(project)
    assert "failed to load" in line and str(project.folder / "edgezero.toml") in line
    project.write("edgezero.toml", "[app]\nname = 1\n[stores.secret]\n")
    assert len(problems(project)) == 2


def test_an_app_without_a_name(project: ConfigProject) -> None:
    """Its configuration is named after it, so the name has to be there."""  # VAL-2, TV-149
    project.write_manifest(app="")
    (line,) = problems(project)
    assert "[app].name" in line


def test_a_configuration_elsewhere(project: ConfigProject) -> None:
    """``--app-config`` takes the place of the default."""  # VAL-12, APC-2
    path = project.write("other.toml", "tags = [")
    (line,) = problems(project, app_config=path)
    assert line.startswith(f'app-config: failed to parse "{path}" as TOML')  # VAL-3


@pytest.mark.parametrize("name", ["edgezero", "app/spin"])
def test_a_manifest_is_no_configuration(project: ConfigProject, name: str) -> None:
    """An app called like a manifest does not have it pushed."""
    project.write_manifest(app=f'name = "{name}"')
    (line,) = problems(project)
    assert f"{name}.toml: this is a manifest" in line


def test_variables_are_part_of_the_check(project: ConfigProject) -> None:
    """A bad override is found, unless overrides are off."""  # VAL-3, OVL-1
    environ = {"APP_DEMO__SERVICE__TIMEOUT_MS": "soon"}
    (line,) = problems(project, environ=environ)
    assert line.startswith("overlay: env overlay failed for")
    assert problems(project, environ=environ, overlay=False) == []


def test_the_component_has_to_be_clear(project: ConfigProject) -> None:
    """Checked in every run, since an unclear one fails wherever the app goes."""
    project.write("app/spin.toml", SPIN + "[component.other]\n")  # VAL-4, CMP-8, OPQ-5
    (line,) = problems(project)
    assert "2 components" in line
    project.write_manifest(component="other")
    assert problems(project) == []


def test_adapters_of_others_are_skipped(project: ConfigProject) -> None:
    """What is not built in is not checked, and Spin not declared is not either."""  # VAL-13
    project.write_manifest(more='[adapters.fastly.adapter]\nmanifest = "none.toml"')
    assert problems(project, strict=True) == []
    project.write(
        "edgezero.toml",
        '[app]\nname = "app-demo"\n[stores.secrets]\nids = ["a", "b"]\ndefault = "a"\n'
        '[adapters.fastly.adapter]\nmanifest = "none.toml"',
    )
    assert problems(project, strict=True) == []


def test_one_id_in_two_kinds(project: ConfigProject) -> None:
    """Both kinds are key-value stores of Spin."""  # VAL-5, TV-146
    project.write_manifest(kv='["shared"]', config='["shared"]')
    (line,) = problems(project)
    for part in ("`shared`", "[stores.kv]", "[stores.config]"):
        assert part in line


@pytest.mark.parametrize(
    ("names", "owners"),
    [
        (
            {"KV__SESSIONS": "shared", "CONFIG__APP_CONFIG": "shared"},
            ("[stores.kv].sessions", "[stores.config].app_config"),
        ),
        ({"KV__SESSIONS": "cache"}, ("[stores.kv].sessions", "[stores.kv].cache")),
        ({"CONFIG__APP_CONFIG": "cache"}, ("[stores.kv].cache", "[stores.config].app_config")),
    ],
)
def test_two_ids_with_one_label(
    project: ConfigProject, names: dict[str, str], owners: tuple[str, str]
) -> None:
    """The environment can bring stores together that the manifest keeps apart."""
    project.write_manifest(kv='["sessions", "cache"]')  # VAL-6, TV-147
    environ = {f"EDGEZERO__STORES__{name}__NAME": label for name, label in names.items()}
    (line,) = problems(project, environ=environ)
    for part in (*owners, f"`{next(iter(names.values()))}`"):
        assert part in line


def test_an_id_that_is_named_apart_is_in_order(project: ConfigProject) -> None:
    """Ids that would meet may be kept apart by their names, but not one id in two kinds."""
    project.write_manifest(kv='["sessions"]')
    environ = {"EDGEZERO__STORES__KV__SESSIONS__NAME": "prod"}
    assert problems(project, environ=environ) == []


def test_several_secret_stores(project: ConfigProject) -> None:
    """Spin has one, which only a strict run minds."""  # VAL-7
    project.write_manifest(secrets='["default", "other"]')
    assert problems(project) == []
    (line,) = problems(project, strict=True)
    assert "Single-capable for secrets" in line and "2 ids" in line


@pytest.mark.parametrize(
    ("handler", "good"),
    [
        ("app.handlers:root", True),
        ("app:h", True),
        ("not_a_path", False),
        ("app:", False),
        ("foo:1bar", False),
        ("app::handlers::root", False),
        ("app.handlers.root", False),
    ],
)
def test_handlers(project: ConfigProject, handler: str, good: bool) -> None:
    """Module and function, which only a strict run minds."""  # VAL-8, TV-148, OPQ-11
    trigger = f'[[triggers.http]]\npath = "/items"\nhandler = "{handler}"'
    project.write_manifest(more=trigger)
    assert problems(project) == []
    found = problems(project, strict=True)
    assert (found == []) is good
    if not good:
        (line,) = found
        for part in ("triggers.http[0].handler", "trigger `/items`", repr(handler)):
            assert part in line
        assert "not a well-formed handler path" in line


def test_a_trigger_is_called_by_its_id(project: ConfigProject) -> None:
    """The path of a route names it only where it has no id."""  # VAL-8
    trigger = '[[triggers.http]]\nid = "items"\npath = "/i"\nhandler = "x"'
    project.write_manifest(more=trigger)
    (line,) = problems(project, strict=True)
    assert "trigger `items`" in line


def test_the_model_is_decoded_and_validated(project: ConfigProject) -> None:
    """Shape first, then the rules of the model; a raw run minds neither."""  # VAL-9
    path = project.folder / "app-demo.toml"
    text = path.read_text()
    project.write("app-demo.toml", text.replace("1500", "99").replace("greeting", "salute"))
    assert problems(project) == []
    lines = problems(project, model=AppConfig)
    assert len(lines) == 3
    assert all(line.startswith("model: failed to deserialise") for line in lines)
    project.write("app-demo.toml", text.replace("1500", "99"))
    (line,) = problems(project, model=AppConfig)
    assert line.startswith("model: validation failed for")


def test_secrets_are_checked_against_manifest_and_platform(project: ConfigProject) -> None:
    """Declared stores, names of variables, and the values of the environment."""
    project.write_manifest(secrets=None)  # VAL-10, VAL-11
    lines = problems(project, model=AppConfig)
    assert [line.count("requires [stores.secrets]") for line in lines] == [1, 1]
    project.write_manifest()
    (line,) = problems(project, model=AppConfig, environ={"APP_DEMO__API_TOKEN": "api-token"})
    assert line.startswith("secrets:") and "'api-token' cannot be a Spin variable" in line


def test_a_missing_secret_field_is_found(project: ConfigProject) -> None:
    """It is told as a secret too, since a default in the model would not help."""  # SAN-5
    project.write("app-demo.toml", 'greeting = "hi"\nvault = "default"')
    assert any("missing or not a string" in line for line in problems(project, model=AppConfig))


def test_values_without_an_entry_are_found(project: ConfigProject) -> None:
    """Colliding keys and infinite numbers are problems before anything is pushed."""
    project.write("app-demo.toml", '"a.b" = 1\na.b = 2\nratio = inf')  # OPQ-13, OPQ-14
    lines = problems(project)
    assert len(lines) == 2
    assert any("same entry key `a.b`" in line for line in lines)
    assert any("ratio: a non-finite float" in line for line in lines)


@attrs.frozen
class Unbounded:
    """A model whose default no store can hold."""

    ratio: float = float("inf")


def test_what_a_model_adds_is_checked_too(project: ConfigProject) -> None:
    """A default of the model is pushed like a value of the file."""  # FLT-1, OPQ-13
    (line,) = problems(project, model=Unbounded)
    assert line.startswith("entries:") and "ratio: a non-finite float" in line


def as_bytes(text: str) -> bytes:
    """What a converter may do to a value."""
    return text.encode()


@attrs.frozen
class Unpushable:
    """A model that makes something of the file that no store can hold."""

    greeting: Any = attrs.field(converter=as_bytes)


def test_what_a_model_makes_of_a_value_has_to_have_a_text(project: ConfigProject) -> None:
    """The converter runs, and its result is looked at."""
    (line,) = problems(project, model=Unpushable)
    assert line.startswith("entries:") and "bytes has no entry text" in line


@pytest.mark.parametrize("model", [dict, int])
def test_only_a_class_with_fields_can_be_a_model(project: ConfigProject, model: type) -> None:
    """Anything else has no keys to push."""  # FLT-5
    (line,) = problems(project, model=model)
    assert "only struct-shaped configs are supported" in line


def test_everything_is_told_in_one_run(project: ConfigProject) -> None:
    """One problem of every check, in the order of the contract."""
    project.write_manifest(
        kv='["shared"]',
        config='["shared"]',
        secrets='["a", "b"]',
        more='[[triggers.http]]\npath = "/"\nhandler = "x"',
    )
    project.write("app/spin.toml", "")
    project.write("app-demo.toml", "a__b = 1\nratio = nan\n'x.y' = 1\nx.y = 2")
    checks = [line.partition(":")[0] for line in problems(project, strict=True)]
    assert checks == [
        "overlay",
        "app-config",
        "component",
        "labels",
        "capabilities",
        "handlers",
        "entries",
    ]


def test_a_broken_manifest_hides_nothing(project: ConfigProject) -> None:
    """Rules broken in the manifest are told beside those of the configuration, with lines."""
    project.write_manifest(more='[[triggers.http]]\npath = 1\nmethods = ["X"]')
    project.write("app-demo.toml", '[service]\ntimeout_ms = 1\nratio = inf\n[other]\ny = ""\n')
    findings = validate_config(project.request(model=AppConfig)).findings
    told = [(found.file.name, found.problem.line, found.check) for found in findings]
    assert told[:3] == [
        ("edgezero.toml", 12, "manifest"),
        ("edgezero.toml", 13, "manifest"),
        ("app-demo.toml", 3, "app-config"),
    ]
    assert {check for _, _, check in told[3:]} == {"model", "secrets"}
    assert ("app-demo.toml", 4, "model") in told


def test_ids_with_hyphens_are_warned_of(project: ConfigProject) -> None:
    """EdgeZero refuses them today; here they work."""  # OPQ-9
    project.write_manifest(config='["app-config"]')
    told = validate_config(project.request())
    assert told.ok
    assert any("`app_config` works everywhere" in warning for warning in told.warnings)


def test_a_report_is_an_error_on_demand(project: ConfigProject) -> None:
    """The error lists every finding; without any there is none."""
    project.write_manifest(kv='["shared"]', config='["shared"]', secrets='["a", "b"]')
    report = validate_config(project.request(), strict=True)
    with pytest.raises(ConfigProblemsError) as caught:
        report.raise_any()
    assert str(caught.value).splitlines()[0] == "config validate (raw): 2 problems"
    assert caught.value.findings == report.findings
    empty = ConfigReport(manifest=Path("x"), app_config=None, mode="raw", strict=False)
    empty.raise_any()


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("api_token", True),
        ("service.password", True),
        ("apiKey", True),
        ("private-key", True),
        ("APIKey", True),
        ("stripe_secret", True),
        ("max_tokens", False),
        ("tokens.limit", False),
        ("monkey", False),
        ("key", False),
        ("greeting", False),
        ("passwords_page", False),
    ],
)
def test_names_that_look_like_secrets(key: str, secret: bool) -> None:
    """Whole words of the last part count."""  # FLT-6
    assert looks_like_a_secret(key) is secret


def test_only_a_raw_run_warns_of_secrets(project: ConfigProject) -> None:
    """With a model it is known which fields are secret."""  # FLT-6, OPQ-10
    (warning,) = validate_config(project.request()).warnings
    assert "`api_token` looks like a secret" in warning
    assert validate_config(project.request(model=AppConfig)).warnings == ()
