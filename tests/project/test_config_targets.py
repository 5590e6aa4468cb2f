"""Which store a push writes to: the first rule that applies decides."""

from pathlib import Path

import pytest

from edgezero_spin.manifest import InvalidManifestError, ManifestUnreadableError, load_app_manifest
from edgezero_spin.project.config_changes import ConfigPushError
from edgezero_spin.project.config_cloud import CloudTarget
from edgezero_spin.project.config_redis import RedisTarget
from edgezero_spin.project.config_sqlite import SqliteTarget
from edgezero_spin.project.config_targets import ChosenTarget, choose_target, deploys_to_cloud
from edgezero_spin.project.discovery import SpinProject, discover_component
from tests.project.config_project import SPIN, ConfigProject

STANZA = '[key_value_store.app_config]\ntype = "{type}"\n'


def choose(
    project: ConfigProject,
    runtime: str | None,
    *,
    label: str = "app_config",
    local: bool = False,
    deploy: str | None = None,
    runtime_config: Path | None = None,
) -> ChosenTarget:
    """Decide for a project with this runtime configuration."""
    project.write_manifest(deploy=deploy)
    if runtime is not None:
        project.write("app/runtime-config.toml", runtime)
    manifest = load_app_manifest(project.folder / "edgezero.toml")
    spin = discover_component(manifest)
    return choose_target(manifest, spin, label, local=local, runtime_config=runtime_config)


def refused(project: ConfigProject, runtime: str | None, label: str = "app_config") -> str:
    """Why there is no store."""
    with pytest.raises(ConfigPushError) as caught:
        choose(project, runtime, label=label)
    return str(caught.value)


@pytest.mark.parametrize(
    ("deploy", "cloud"),
    [
        ("spin deploy", True),
        ("cd dist && spin deploy", True),
        ("spin cloud deploy", True),
        ("spin build", False),
        ("./deploy.sh", False),
        ("kubectl apply -f spin.yaml", False),
        (None, False),
    ],
)
def test_deploy_commands_of_the_cloud(
    config_project: ConfigProject, deploy: str | None, cloud: bool
) -> None:
    """The command is looked at, not run."""  # PSH-12, TV-157
    config_project.write_manifest(deploy=deploy)
    manifest = load_app_manifest(config_project.folder / "edgezero.toml")
    assert deploys_to_cloud(manifest) is cloud


@pytest.mark.parametrize("runtime", [None, "not [ TOML", STANZA.format(type="redis")])
def test_the_cloud_needs_no_runtime_configuration(
    config_project: ConfigProject, runtime: str | None
) -> None:
    """It is not even read."""  # PSH-12, TV-155, TV-156
    chosen = choose(config_project, runtime, deploy="spin deploy --from ./")
    assert chosen == ChosenTarget(CloudTarget("x", "app_config"))


def test_the_cloud_needs_the_applications_name(config_project: ConfigProject) -> None:
    """It is what the app is called there."""  # CLD-2, TV-158
    config_project.write("app/spin.toml", "[component.demo]")
    with pytest.raises(ConfigPushError) as caught:
        choose(config_project, None, deploy="spin deploy")
    assert "[application].name" in str(caught.value) and "spin.toml" in str(caught.value)


@pytest.mark.parametrize("type", ["redis", "azure_cosmos", "spin"])
@pytest.mark.parametrize("deploy", [None, "spin deploy --from ./"])
def test_local_is_always_the_file_of_a_local_spin(
    config_project: ConfigProject, type: str, deploy: str | None
) -> None:
    """Whatever the stanza's type is, and wherever the app is deployed."""
    chosen = choose(config_project, STANZA.format(type=type), local=True, deploy=deploy)
    path = config_project.folder / "app" / ".spin" / "sqlite_key_value.db"
    assert chosen.target == SqliteTarget(path, "app_config")  # PSH-11, TV-152, TV-153, OPQ-34


def test_local_takes_the_path_of_a_spin_stanza_only(config_project: ConfigProject) -> None:
    """The path of another type means something else."""  # PSH-11, TV-154
    runtime = STANZA.format(type="spin") + 'path = "custom/kv.db"'
    chosen = choose(config_project, runtime, local=True)
    assert chosen.target == SqliteTarget(
        config_project.folder / "app" / "custom" / "kv.db", "app_config"
    )
    chosen = choose(config_project, runtime.replace('"spin"', '"other"'), local=True)
    assert "custom" not in str(chosen.target)


def test_local_needs_a_stanza_too(config_project: ConfigProject) -> None:
    """Spin would not start without one."""  # PSH-11, PSH-18
    with pytest.raises(ConfigPushError, match=r"no \[key_value_store.app_config\]"):
        choose(config_project, None, local=True)


def test_local_minds_a_malformed_runtime_configuration(config_project: ConfigProject) -> None:
    """Spin would not start with it either."""  # PSH-11, RTC-4
    with pytest.raises(InvalidManifestError, match="failed to parse runtime-config at"):
        choose(config_project, "[key_value_store.x", local=True)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/tmp/elsewhere/kv.db", "/tmp/elsewhere/kv.db"),
        ("data/kv.db", "{folder}/runtime/data/kv.db"),
        ("../kv.db", "{folder}/runtime/../kv.db"),
        (None, "{folder}/app/.spin/sqlite_key_value.db"),
    ],
)
def test_where_a_spin_stanza_keeps_its_file(
    config_project: ConfigProject, given: str | None, path: str
) -> None:
    """A relative path starts beside the runtime configuration, the default beside spin.toml."""
    (config_project.folder / "runtime").mkdir()  # PSH-13, SQL-1, SQL-2, TV-166, OPQ-22
    runtime = STANZA.format(type="spin") + (f'path = "{given}"' if given else "")
    file = config_project.write("runtime/runtime.toml", runtime)
    chosen = choose(config_project, None, runtime_config=file)
    expected = Path(path.format(folder=config_project.folder))
    assert chosen.target == SqliteTarget(expected, "app_config")


def test_only_the_labels_own_stanza_counts(config_project: ConfigProject) -> None:
    """Other tables of the file may be of any type."""  # RTC-1, TV-162, PSH-13
    runtime = (
        STANZA.format(type="spin")
        + 'path = "kv.db"\n[key_value_store.other]\ntype = "redis"\n[some.other]\nx = 1'
    )
    assert isinstance(choose(config_project, runtime).target, SqliteTarget)


@pytest.mark.parametrize("runtime", [None, "", '[key_value_store.other]\ntype = "spin"'])
def test_the_label_default_needs_no_stanza(
    config_project: ConfigProject, runtime: str | None
) -> None:
    """Spin has it without any configuration."""  # PSH-17, RTC-4, TV-160, TV-163
    chosen = choose(config_project, runtime, label="default")
    path = config_project.folder / "app" / ".spin" / "sqlite_key_value.db"
    assert chosen == ChosenTarget(SqliteTarget(path, "default"))


def test_another_label_needs_a_stanza(config_project: ConfigProject) -> None:
    """Stanza, symptom, remedy and file are named."""  # PSH-18, TV-160
    said = refused(config_project, None)
    for part in (
        "[key_value_store.app_config]",
        "unknown key_value_stores label app_config",
        'type = "spin"',
        str(config_project.folder / "app" / "runtime-config.toml"),
    ):
        assert part in said


def test_redis_is_where_its_stanza_says(config_project: ConfigProject) -> None:
    """A stanza without a url is one with an empty url."""  # PSH-14, RTC-2
    runtime = STANZA.format(type="redis")
    chosen = choose(config_project, runtime + 'url = "redis://localhost:6379"')
    assert chosen.target == RedisTarget("redis://localhost:6379", "app_config")
    assert choose(config_project, runtime).target == RedisTarget("", "app_config")


def test_the_runtime_configuration_can_be_named(config_project: ConfigProject) -> None:
    """It wins over the one beside spin.toml."""  # RTC-3, TV-161
    other = config_project.write(
        "alternate.toml", STANZA.format(type="redis") + 'url = "redis://elsewhere"'
    )
    chosen = choose(config_project, STANZA.format(type="spin"), runtime_config=other)
    assert chosen.target == RedisTarget("redis://elsewhere", "app_config")


@pytest.mark.parametrize(
    ("type", "parts"),
    [
        ("azure_cosmos", ["az cosmosdb"]),  # PSH-15, TV-159
        ("aws_dynamo", ["aws dynamodb put-item"]),
        ("someones-new-backend", ["`someones-new-backend`"]),  # PSH-16, TV-159
        ("azure-cosmos", ["`azure-cosmos`", "tools of that store"]),  # RTC-2, OPQ-21
    ],
)
def test_other_types_are_refused(
    config_project: ConfigProject, type: str, parts: list[str]
) -> None:
    """Type, label and the way that there is are named."""
    said = refused(config_project, STANZA.format(type=type))
    for part in (*parts, "[key_value_store.app_config]", "--local"):
        assert part in said


def test_a_stanza_without_a_type_is_refused(config_project: ConfigProject) -> None:
    """It is of no type that anyone knows."""  # RTC-2
    assert "without a type" in refused(config_project, "[key_value_store.app_config]\n")


@pytest.mark.parametrize(
    ("runtime", "heading"),
    [
        (b"[key_value_store.x", "failed to parse runtime-config at"),  # TV-163
        (b"\xff", "failed to read runtime-config at"),
    ],
)
def test_a_runtime_configuration_that_cannot_be_used(
    config_project: ConfigProject, runtime: bytes, heading: str
) -> None:
    """What failed, and with which file."""  # RTC-4
    path = config_project.folder / "app" / "runtime-config.toml"
    path.write_bytes(runtime)
    with pytest.raises((InvalidManifestError, ManifestUnreadableError)) as caught:
        choose(config_project, None)
    assert heading in str(caught.value) and str(path) in str(caught.value)


def test_stores_that_spin_would_not_read_are_told(config_project: ConfigProject) -> None:
    """Spin keeps a stanza without a path in memory, and follows ``state_dir``."""
    (warning,) = choose(config_project, STANZA.format(type="spin")).warnings
    assert "in memory" in warning
    (warning,) = choose(config_project, 'state_dir = "data"', label="default").warnings
    assert "`state_dir`" in warning


def test_a_spin_project_is_all_that_is_needed(config_project: ConfigProject) -> None:
    """Nothing else of spin.toml matters to the choice."""
    assert "source" in SPIN
    manifest = load_app_manifest(config_project.folder / "edgezero.toml")
    spin = SpinProject(config_project.folder / "spin.toml", "demo")
    chosen = choose_target(manifest, spin, "default")
    assert chosen.target == SqliteTarget(
        config_project.folder / ".spin" / "sqlite_key_value.db", "default"
    )
