"""``config push`` as a function: what it checks, where it writes, what it says."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin.project.config_changes import ConfigPushError
from edgezero_spin.project.config_checks import ConfigProblemsError
from edgezero_spin.project.config_diff import diff_config
from edgezero_spin.project.config_models import ModelImportError
from edgezero_spin.project.config_push import PushOutcome, PushRequest, push_config
from edgezero_spin.project.config_sqlite import SqliteTarget
from edgezero_spin.stores import hash_of, read_envelope, secret
from tests.project.config_project import SPIN, AppConfig, ConfigProject
from tests.project.spin_stand_in import SpinStandIn

pytestmark = pytest.mark.usefixtures("spin")

RUNTIME = '[key_value_store.app_config]\ntype = "spin"\npath = "kv.db"\n'


@pytest.fixture
def project(config_project: ConfigProject) -> ConfigProject:
    """A project in order, whose config store is a local file."""
    config_project.write("app/runtime-config.toml", RUNTIME)
    return config_project


def request(
    project: ConfigProject, environ: Mapping[str, str] | None = None, **changes: Any
) -> PushRequest:
    """What a push of a project asks."""
    return PushRequest(manifest=project.folder / "edgezero.toml", environ=environ or {}, **changes)


def push(project: ConfigProject, **changes: Any) -> PushOutcome:
    """Push a project."""
    return push_config(request(project, **changes))


def dry(project: ConfigProject, **changes: Any) -> list[str]:
    """What a dry run says; that it writes nothing is checked on the way."""
    before = project.files()
    lines = list(push(project, dry_run=True, **changes).lines)
    assert project.files() == before
    return lines


def table(project: ConfigProject, label: str = "app_config", name: str = "kv.db") -> Any:
    """The entries of a label in the project's file."""
    return SqliteTarget(project.folder / "app" / name, label).stored(())


def refused(project: ConfigProject, **changes: Any) -> str:
    """Why nothing is pushed; that nothing is written is checked on the way."""
    before = project.files()
    with pytest.raises((ConfigProblemsError, ConfigPushError)) as caught:
        push(project, **changes)
    assert project.files() == before  # PSH-2, PSH-5
    return str(caught.value)


DATA = {
    "greeting": "hello from config",
    "api_token": "demo_api_token",
    "vault": "default",
    "feature": {"new_checkout": False},
    "service": {"timeout_ms": 1500},
}


def test_a_typed_push_writes_configuration_and_no_secret(project: ConfigProject) -> None:
    """The demo's three entries, without fields that name secrets, and all of it in one more."""
    outcome = push(project, model=AppConfig)  # CLI-7, PSH-6, FLT-6, TV-121, TV-179, OPQ-2
    entries = table(project)
    whole = entries.pop("app_config").decode()
    assert entries == {
        "greeting": b"hello from config",
        "feature.new_checkout": b"false",
        "service.timeout_ms": b"1500",
    }
    assert read_envelope(whole) == DATA  # BLB-1, BLB-2
    assert outcome == PushOutcome(
        (
            f"pushed 3 entries to Spin SQLite KV at {project.folder / 'app' / 'kv.db'}",
            "pushed the whole configuration in the entry `app_config` "
            f"(sha256 {hash_of(DATA)[:8]})",
        )
    )


def test_both_forms_are_written_or_none(project: ConfigProject) -> None:
    """One transaction: a reader of either form never sees a half."""
    push(project, model=AppConfig)
    before = table(project)
    path = project.folder / "app" / "kv.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TRIGGER no_envelope BEFORE UPDATE ON spin_key_value "
            "WHEN new.key = 'app_config' BEGIN SELECT RAISE(ABORT, 'disk on fire'); END"
        )
    with pytest.raises(ConfigPushError, match="`app_config`: disk on fire; no entry was changed"):
        push(project, model=AppConfig, environ={"APP_DEMO__GREETING": "new"})
    assert table(project) == before


@pytest.mark.parametrize(
    ("key", "environ", "written"),
    [
        (None, {"EDGEZERO__STORES__CONFIG__APP_CONFIG__KEY": "v2"}, "v2"),
        ("v3", {"EDGEZERO__STORES__CONFIG__APP_CONFIG__KEY": "v2"}, "v3"),
        (None, {"EDGEZERO__STORES__CONFIG__APP_CONFIG__KEY": " "}, "app_config"),
    ],
)
def test_the_key_of_the_whole(
    key: str | None, environ: Mapping[str, str], written: str, project: ConfigProject
) -> None:
    """The flag, the variable, the id of the store."""  # BLB-1, BLB-8, ENV-16
    push(project, model=AppConfig, key=key, environ=environ)
    assert [name for name, value in table(project).items() if value[:1] == b"{"] == [written]


@pytest.mark.parametrize("key", ["", " ", "a\nb", "greeting", "service.timeout_ms"])
def test_a_key_that_cannot_be(key: str, project: ConfigProject) -> None:
    """Blank, with control characters, or that of a single value."""
    assert "--key" in refused(project, model=AppConfig, key=key)


def test_the_model_is_named_in_the_manifest(project: ConfigProject) -> None:
    """Once, for every command."""
    project.write("shop_settings.py", SETTINGS)
    project.write_manifest(app='name = "app-demo"\nconfig_model = "shop_settings:Settings"')
    push(project)
    assert table(project)["service.timeout_ms"] == b"9"
    assert read_envelope(table(project)["app_config"].decode())["service"] == {"timeout_ms": 9}
    project.write_manifest(app='name = "app-demo"\nconfig_model = "shop_settings:Other"')
    with pytest.raises(ModelImportError, match="has no class 'Other'"):
        push(project)


SETTINGS = """\
import attrs
@attrs.frozen
class Service:
    timeout_ms: int = attrs.field(converter=lambda _: 9)
@attrs.frozen
class Settings:
    greeting: str
    service: Service
"""


@attrs.frozen(kw_only=True)
class Mirror:
    """A table with a secret, and a rule for it that no name follows."""

    url: str
    token: str = secret(validator=attrs.validators.min_len(40))


@attrs.frozen(kw_only=True)
class Nested:
    """A model with secrets inside."""

    mirrors: list[Mirror]
    size: int = attrs.field(default=1, validator=attrs.validators.ge(1))


def test_nested_secrets_stay_out_of_entries(project: ConfigProject) -> None:
    """Their names are in the whole configuration only, and their rules are not for names."""
    # SAN-3, BLB-7
    project.write("app-demo.toml", '[[mirrors]]\nurl = "a"\ntoken = "one"\n')
    push(project, model=Nested)
    assert table(project)["mirrors"] == b'[{"url":"a"}]'
    assert read_envelope(table(project)["app_config"].decode()) == {
        "mirrors": [{"url": "a", "token": "one"}],
        "size": 1,
    }
    project.write("app-demo.toml", 'size = 0\n[[mirrors]]\nurl = "a"\ntoken = "o-n-e"\n')
    said = refused(project, model=Nested)
    assert "line 1: size: 'size' must be >= 1" in said
    assert "mirrors[0].token` : " not in said and "cannot be a Spin variable" in said


def test_a_raw_push_over_a_typed_one_tells_of_the_other_form(project: ConfigProject) -> None:
    """What it does not write is out of date."""
    push(project, model=AppConfig)
    assert any("the entry `app_config` has" in warning for warning in push(project).warnings)


def test_a_raw_push_writes_every_value_and_warns(project: ConfigProject) -> None:
    """Without a model nothing says what is secret."""  # PSH-6, FLT-6, TV-122, OPQ-1, OPQ-10
    outcome = push(project)
    assert table(project)["api_token"] == b"demo_api_token"
    assert table(project)["vault"] == b"default"
    (warning,) = outcome.warnings
    assert "`api_token`" in warning
    assert "demo_api_token" not in warning  # PSH-8


def test_only_the_store_is_written(project: ConfigProject) -> None:
    """Neither manifest changes, and entries that the file lost stay in the store."""
    before = project.files()  # PSH-5, PSH-7, OPQ-4
    push(project)
    project.write("app-demo.toml", 'greeting = "new"')
    push(project)
    assert table(project)["greeting"] == b"new"
    assert table(project)["service.timeout_ms"] == b"1500"
    after = project.files()
    assert {name for name in after if after[name] != before.get(name)} == {
        "app/kv.db",
        "app-demo.toml",
    }


def test_variables_are_pushed_over_the_file(project: ConfigProject) -> None:
    """What is pushed is what the model judged; ``--no-env`` pushes the file."""  # OVL-1, OVL-9
    environ = {"APP_DEMO__SERVICE__TIMEOUT_MS": "3000"}
    push(project, environ=environ, model=AppConfig)
    assert table(project)["service.timeout_ms"] == b"3000"
    push(project, environ=environ, model=AppConfig, overlay=False)
    assert table(project)["service.timeout_ms"] == b"1500"


def test_defaults_of_the_model_are_pushed(project: ConfigProject) -> None:
    """The component reads texts, not the model, so it needs them in the store."""  # FLT-1
    project.write("app-demo.toml", 'greeting = "hi"\napi_token = "t"\nvault = "default"')
    push(project, model=AppConfig)
    assert table(project)["service.timeout_ms"] == b"1500"


def test_the_store_is_chosen_by_id_and_written_by_label(project: ConfigProject) -> None:
    """Default id, named id, and the label that the environment gives."""  # PSH-3, PSH-4, TV-150
    project.write_manifest(config='["one", "two"]', default="two")
    stanzas = [f'[key_value_store.{x}]\ntype = "spin"\npath = "kv.db"' for x in ("one", "two", "p")]
    project.write("app/runtime-config.toml", "\n".join(stanzas))
    push(project)
    assert (table(project, "one"), len(table(project, "two"))) == ({}, 5)
    push(project, store="one")
    assert len(table(project, "one")) == 5
    push(project, environ={"EDGEZERO__STORES__CONFIG__TWO__NAME": "p"})
    assert len(table(project, "p")) == 5


def test_a_store_that_is_not_declared(project: ConfigProject) -> None:
    """The id counts as it is written; without any store there is a hint to declare one."""
    project.write_manifest(config='["one", "two"]', default="two")  # PSH-3, TV-150
    said = refused(project, store="does-not-exist")
    assert "`does-not-exist` is not in [stores.config].ids (one, two)" in said
    refused(project, store="One")
    project.write_manifest(config=None)
    said = refused(project)
    assert "[stores.config] is not declared" in said and "ids = [" in said


def test_an_adapter_that_is_not_declared(project: ConfigProject) -> None:
    """A push is for an adapter, and the manifest has to have it."""  # CLI-6, PSH-2
    project.write("edgezero.toml", '[app]\nname = "app-demo"\n[stores.config]\nids = ["c"]')
    assert "no adapters defined" in refused(project)
    with (project.folder / "edgezero.toml").open("a") as file:
        file.write("\n[adapters.fastly.adapter]\n")
    assert "(available: fastly)" in refused(project)


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        ("component", "no [component.*] declarations found"),
        ("secrets", "Single-capable for secrets"),
        ("handler", "not a well-formed handler path"),
        ("labels", "declared in both"),
        ("config", "as TOML"),
        ("values", "same entry key"),
        ("model", "must be >= 100"),
    ],
)
def test_what_validate_refuses_is_not_pushed(project: ConfigProject, spoil: str, part: str) -> None:
    """Every check runs, strictly, before the first write."""  # PSH-2, TV-178, CMP-8
    if spoil == "component":
        project.write("app/spin.toml", "[application]")
    elif spoil == "secrets":
        project.write_manifest(secrets='["default", "b"]')
    elif spoil == "handler":
        project.write_manifest(more='[[triggers.http]]\npath = "/"\nhandler = "not_a_path"')
    elif spoil == "labels":
        project.write_manifest(kv='["app_config"]')
    elif spoil == "config":
        project.write("app-demo.toml", "{not toml")
    elif spoil == "values":
        project.write("app-demo.toml", '"a.b" = 1\na.b = 2')
    else:
        text = (project.folder / "app-demo.toml").read_text()
        project.write("app-demo.toml", text.replace("1500", "99"))
    assert part in refused(project, model=AppConfig if spoil == "model" else None)
    assert part in refused(project, local=True, model=AppConfig if spoil == "model" else None)


def test_spin_toml_has_to_be_named(project: ConfigProject) -> None:
    """Without it nothing says where entries go."""  # PSH-10, CMP-1
    text = (project.folder / "edgezero.toml").read_text()
    project.write("edgezero.toml", text.replace('manifest = "app/spin.toml"', ""))
    assert "spin.toml" in refused(project)


def test_a_label_that_the_component_may_not_open(project: ConfigProject) -> None:
    """The push goes on, but Spin would refuse the component; provision mends that."""
    assert not any("provision" in warning for warning in push(project).warnings)
    project.write("app/spin.toml", SPIN.replace("app_config", "other"))
    warning = push(project, model=AppConfig).warnings[0]
    for part in ("`demo`", "`app_config`", "edgezero provision"):
        assert part in warning


def test_nothing_to_push_is_one_line(config_project: ConfigProject) -> None:
    """Success before any path or label is looked at."""  # PSH-9, TV-151, FLT-4
    config_project.write("app-demo.toml", "[empty]\n")
    for changes in ({}, {"dry_run": True}, {"local": True}):
        assert push(config_project, **changes).lines == ("no config entries to push",)


def test_dry_run_to_a_file(project: ConfigProject) -> None:
    """Header, place, then what each key would become; values are never shown."""
    lines = dry(project)  # PSH-8, PSH-19, PSH-20
    path = project.folder / "app" / "kv.db"
    assert lines == [
        "[edgezero] config push --dry-run for `spin` -> store `app_config` "
        "(platform name `app_config`):",
        f"would write 5 entries to SQLite-backed Spin KV at {path} "
        "(label `app_config`, logical id `app_config`)",
        "would set `api_token` (new)",
        "would set `feature.new_checkout` (new)",
        "would set `greeting` (new)",
        "would set `service.timeout_ms` (new)",
        "would set `vault` (new)",
    ]
    push(project)
    lines = dry(project, environ={"APP_DEMO__GREETING": "new"})
    assert "would set `greeting` (changed)" in lines
    assert "would set `vault` (unchanged)" in lines


def test_keys_cannot_forge_lines(project: ConfigProject) -> None:
    """A key with a line end or a terminal's escape is shown quoted, and pushed as it is."""
    project.write("app-demo.toml", '"a\\npushed 9 entries" = 1\n"\\u001b[2J" = 2\n"" = 3')
    lines = dry(project)[2:]
    assert lines == [
        'would set `""` (new)',
        r'would set `"\u001b[2J"` (new)',
        r'would set `"a\npushed 9 entries"` (new)',
    ]
    push(project)
    assert set(table(project)) == {"", "\x1b[2J", "a\npushed 9 entries"}


def test_dry_run_names_id_and_label(project: ConfigProject) -> None:
    """``--local`` is repeated in the header."""  # PSH-19, TV-152
    project.write("app/runtime-config.toml", '[key_value_store.prod]\ntype = "redis"')
    environ = {"EDGEZERO__STORES__CONFIG__APP_CONFIG__NAME": "prod"}
    lines = dry(project, environ=environ, local=True)
    assert lines[0] == (
        "[edgezero] config push --dry-run --local for `spin` -> store `app_config` "
        "(platform name `prod`):"
    )
    assert "SQLite-backed Spin KV" in lines[1]
    assert "redis-cli" not in "\n".join(lines)


def test_dry_run_to_the_cloud(project: ConfigProject, spin: SpinStandIn) -> None:
    """The command that would run, then the keys; nothing is asked of the cloud."""
    project.write_manifest(deploy="spin deploy --from ./")  # PSH-21, TV-155
    project.write("app-demo.toml", 'a = "hidden"\nb = 1')
    lines = dry(project)
    assert lines[1:] == [
        "would shell `spin cloud key-value set --app x --label app_config KEY=VALUE [...]` "
        "for 2 entries across 1 invocation(s)",
        "would set `a`",
        "would set `b`",
    ]
    assert spin.asked() == []


def test_dry_run_to_the_cloud_fails_as_the_push_would(project: ConfigProject) -> None:
    """Keys and sizes are checked for real."""  # PSH-21, TV-177, CLD-4
    project.write_manifest(deploy="spin deploy")
    project.write("app-demo.toml", '"svc=timeout" = 1')
    said = refused(project, dry_run=True)
    assert "contains `=`" in said
    assert refused(project) == said


def test_a_push_to_the_cloud(project: ConfigProject, spin: SpinStandIn) -> None:
    """Malformed runtime configuration or not, no file is touched."""  # PSH-12, TV-156, OPQ-23
    project.write("app/runtime-config.toml", "not [ TOML")
    project.write_manifest(deploy="spin deploy")
    outcome = push(project, model=AppConfig)
    ((*asked, whole),) = spin.asked()
    assert [asked] == [
        [
            *["cloud", "key-value", "set", "--app", "x", "--label", "app_config"],
            *["feature.new_checkout=false", "greeting=hello from config"],
            "service.timeout_ms=1500",
        ]
    ]
    assert read_envelope(whole.removeprefix("app_config=")) == DATA
    assert outcome.lines[0] == (
        "pushed 3 entries to Fermyon Cloud KV store linked to app x label app_config"
    )
    assert not (project.folder / "app" / "kv.db").exists()


def test_the_version_of_spin_is_asked_before_a_write_only(
    project: ConfigProject, spin: SpinStandIn
) -> None:
    """A dry run asks nothing; a write warns and goes on."""  # SQL-11
    spin.be("spin 9.0.0 (abc)")
    dry(project)
    assert spin.asked() == []
    outcome = push(project, model=AppConfig)
    assert spin.asked() == [["--version"]]
    assert len(outcome.warnings) == 1 and "major version 9" in outcome.warnings[0]
    assert len(table(project)) == 4


def test_the_selected_component_is_pushed_for(project: ConfigProject) -> None:
    """Several components need a selector, as everywhere."""  # CMP-8
    project.write("app/spin.toml", SPIN + "[component.other]\n")
    assert "2 components" in refused(project)
    project.write_manifest(component="other")
    push(project)


def test_any_sqlite_can_read_what_was_pushed(project: ConfigProject) -> None:
    """The query that Spin reads with finds the bytes."""  # SQL-9
    push(project)
    with sqlite3.connect(project.folder / "app" / "kv.db") as connection:
        found = connection.execute(
            "SELECT value FROM spin_key_value WHERE store=$1 AND key=$2",
            {"1": "app_config", "2": "greeting"},
        ).fetchone()
    connection.close()
    assert found == (b"hello from config",)


def test_a_difference_is_what_a_push_would_change(project: ConfigProject) -> None:
    """New, changed, unchanged, and keys that only the store has, which never differ."""
    before = project.files()
    found = diff_config(request(project))
    assert found.differs and {change.change for change in found.changes} == {"new"}
    assert project.files() == before
    push(project)
    assert not diff_config(request(project)).differs
    project.write("app-demo.toml", 'greeting = "other"\nfresh = 1')
    found = diff_config(request(project))
    assert found.differs
    assert {change.key: change.change for change in found.changes} == {
        "fresh": "new",
        "greeting": "changed",
        "api_token": "only stored",
        "feature.new_checkout": "only stored",
        "service.timeout_ms": "only stored",
        "vault": "only stored",
    }
    push(project)
    assert not diff_config(request(project)).differs


def test_a_typed_difference_leaves_secrets_out(project: ConfigProject) -> None:
    """Fields that are never pushed never differ."""  # FLT-6
    found = diff_config(request(project, model=AppConfig))
    assert "api_token" not in {change.key for change in found.changes}


def test_an_empty_configuration_differs_from_nothing(project: ConfigProject) -> None:
    """There would be nothing to push."""
    project.write("app-demo.toml", "")
    assert not diff_config(request(project)).differs


def test_a_cloud_store_cannot_be_compared(project: ConfigProject) -> None:
    """Unless the local file is meant."""
    project.write_manifest(deploy="spin deploy")
    with pytest.raises(ConfigPushError, match="cannot be read"):
        diff_config(request(project))
    assert diff_config(request(project, local=True)).differs


def test_a_project_that_is_not_in_order_is_not_compared(project: ConfigProject) -> None:
    """The error says which command it is about."""
    project.write("app-demo.toml", "{")
    with pytest.raises(ConfigProblemsError, match=r"^config diff: "):
        diff_config(request(project))


def test_paths_are_those_of_the_caller(
    project: ConfigProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative flags start in the current folder, not beside the manifest."""  # RTC-3, APC-2
    monkeypatch.chdir(project.folder / "app")
    project.write("app/other.toml", "only = 1")
    project.write("app/runtime.toml", RUNTIME.replace("kv.db", "named.db"))
    push(project, app_config=Path("other.toml"), runtime_config=Path("runtime.toml"))
    assert table(project, name="named.db") == {"only": b"1"}
