"""Where state goes: the file, the command line, and what this host does not have."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.errors import RuntimeConfigError
from edgezero_spin.host.factors.key_value.cloud import CosmosContainer, DynamoTable
from edgezero_spin.host.factors.key_value.config import KeyValueSettings
from edgezero_spin.host.factors.redis.address import RedisAddress
from edgezero_spin.host.load.runtime_config import resolve_runtime
from edgezero_spin.manifest.runtime_config import RuntimeConfig, load_runtime_config


def config(tmp_path: Path, text: str) -> RuntimeConfig:
    """A runtime configuration in the folder ``etc``."""
    path = tmp_path / "etc" / "runtime-config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return load_runtime_config(path)


@pytest.mark.parametrize(
    ("app", "text", "given", "state", "logs"),
    [
        # STATE-1, STATE-3
        pytest.param("app", "", {}, "app/.spin", "app/.spin/logs", id="beside the manifest"),
        pytest.param(None, "", {}, None, None, id="nowhere for a bare component"),
        pytest.param("app", 'state_dir = "s"', {}, "cwd/s", "cwd/s/logs", id="file"),
        pytest.param(
            "app", 'state_dir = "s"', {"state_dir": "t"}, "cwd/t", "cwd/t/logs", id="option"
        ),
        pytest.param("app", 'log_dir = "l"', {}, "app/.spin", "cwd/l", id="logs from the file"),
        pytest.param(
            "app", 'log_dir = "l"', {"log_dir": "m"}, "app/.spin", "cwd/m", id="logs by option"
        ),
        pytest.param(None, "", {"state_dir": "t"}, "cwd/t", "cwd/t/logs", id="bare, by option"),
        # STATE-2
        pytest.param("app", 'state_dir = ""', {}, None, None, id="unset in the file"),
        pytest.param("app", 'state_dir = "s"', {"state_dir": ""}, None, None, id="unset"),
        pytest.param("app", "", {"log_dir": ""}, "app/.spin", None, id="logs unset"),
    ],
)
def test_folders(
    app: str | None,
    text: str,
    given: dict[str, str],
    state: str | None,
    logs: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The option beats the file beats the usual place; an empty text means nowhere."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    found = resolve_runtime(
        config(tmp_path, text), app_dir=None if app is None else tmp_path / app, **given
    )
    assert found.state_dir == (None if state is None else tmp_path / state)
    assert found.log_dir == (None if logs is None else tmp_path / logs)


def test_stores(tmp_path: Path) -> None:
    """The default store is always there; paths start from the file's folder."""
    found = resolve_runtime(
        config(
            tmp_path,
            '[key_value_store.a]\ntype = "spin"\npath = "data/a.db"\n'
            '[key_value_store.memory]\ntype = "spin"\n',
        ),
        app_dir=tmp_path / "app",
    )
    assert found.key_value == {  # KV-41, KV-50
        "default": KeyValueSettings(
            label="default", path=tmp_path / "app/.spin/sqlite_key_value.db"
        ),
        "a": KeyValueSettings(label="a", path=tmp_path / "etc/data/a.db"),
        "memory": KeyValueSettings(label="memory", path=None),
    }
    assert found.summary == (  # OUT-3
        "Using runtime config [key_value_store.a: spin], [key_value_store.memory: spin] "
        f'from "{tmp_path / "etc/runtime-config.toml"}"'
    )


def test_without_a_state_folder_the_default_store_is_in_memory(tmp_path: Path) -> None:
    """Nowhere to write means nothing is written."""
    assert resolve_runtime().key_value["default"].path is None  # KV-41
    text = '[key_value_store.default]\ntype = "spin"\npath = "/x/y.db"\n'
    assert resolve_runtime(config(tmp_path, text)).key_value["default"].path == Path("/x/y.db")


def test_a_store_on_a_redis_server(tmp_path: Path) -> None:
    """Its place is the server, read from the URL (KV-51)."""
    text = '[key_value_store.r]\ntype = "redis"\nurl = "redis://:secret@example.com/2"\n'
    place = resolve_runtime(config(tmp_path, text)).key_value["r"].place
    assert place == RedisAddress("example.com", password=b"secret", database=2)


def test_stores_that_this_host_does_not_have(tmp_path: Path) -> None:
    """Each is named with its label, its type and the file, and what to do instead."""
    text = (
        '[key_value_store.d]\ntype = "aws_dynamo"\n'
        '[key_value_store.r]\ntype = "redis"\nurl = "http://x"\n'
        '[key_value_store.q]\ntype = "redis"\n'
        '[key_value_store.m]\ntype = "azure-cosmos"\n'
        "[key_value_store.none]\n"
        '[key_value_store.p]\ntype = "spin"\npath = 1\n'
        '[key_value_store.u]\ntype = "spin"\nurl = "x"\n'
    )
    with pytest.raises(RuntimeConfigError) as caught:
        resolve_runtime(config(tmp_path, text))
    lines = str(caught.value).splitlines()
    prefix = f"{tmp_path / 'etc/runtime-config.toml'}: key_value_store."
    assert all(line.startswith(prefix) for line in lines)
    expected = [
        "d: could not configure key-value store with label 'd': missing field(s): region, table",
        "r: could not configure key-value store with label 'r': Invalid Redis URL: ",
        "q: could not configure key-value store with label 'q': a store of type 'redis' has one",
        "m: could not configure key-value store with label 'm': the store type 'azure-cosmos' "
        "was not registered with the config resolver",  # KV-44
        "none: could not configure key-value store with label 'none': missing field `type`",
        "p: could not configure key-value store with label 'p': `path` must be a string",
        "u: could not configure key-value store with label 'u': unknown field(s): url",
    ]
    for line, text in zip(lines, expected, strict=True):
        assert line.removeprefix(prefix).startswith(text)


COSMOS = """[key_value_store.c]
type = "azure_cosmos"
account = "acme"
database = "shop"
container = "entries"
"""
DYNAMO = '[key_value_store.c]\ntype = "aws_dynamo"\nregion = "eu-west-1"\ntable = "entries"\n'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        # KV-52
        (COSMOS, CosmosContainer(account="acme", database="shop", container="entries")),
        (
            COSMOS + 'key = "a2V5"\n',
            CosmosContainer(account="acme", database="shop", container="entries", key="a2V5"),
        ),
        # KV-53
        (DYNAMO, DynamoTable(region="eu-west-1", table="entries")),
        (
            DYNAMO + 'access_key = "a"\nsecret_key = "b"\ntoken = "c"\nconsistent_read = true\n',
            DynamoTable(
                region="eu-west-1",
                table="entries",
                access_key="a",
                secret_key="b",
                token="c",
                consistent_read=True,
            ),
        ),
    ],
)
def test_a_store_in_a_cloud(tmp_path: Path, text: str, place: CosmosContainer) -> None:
    """Its place has what the table says; where Cosmos DB answers follows from the account."""
    found = resolve_runtime(config(tmp_path, text)).key_value["c"].place
    assert found == place
    assert CosmosContainer(account="acme", database="d", container="c").url == (
        "https://acme.documents.azure.com:443/"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (COSMOS.replace('account = "acme"\n', ""), "missing field(s): account"),
        (COSMOS + 'region = "x"\n', "unknown field(s): region. Known here: type, account"),
        (COSMOS + "key = 7\n", "of the wrong type: key"),
        (COSMOS + 'key = "s3cret!"\n', "`key` is not a key of an account, which is base64"),
        (DYNAMO + "consistent_read = 1\n", "of the wrong type: consistent_read"),
        (DYNAMO + 'secret = "s3cret!"\n', "unknown field(s): secret"),
    ],
)
def test_faults_of_a_store_in_a_cloud(tmp_path: Path, text: str, says: str) -> None:
    """Each names the keys and repeats no value."""
    with pytest.raises(RuntimeConfigError) as caught:
        resolve_runtime(config(tmp_path, text))
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "package", "extra"),
    [(COSMOS, "azure.cosmos", "azure"), (DYNAMO, "boto3", "aws")],
)
def test_a_client_that_is_not_installed_is_an_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, package: str, extra: str
) -> None:
    """One error at the start says how to get it."""
    find = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        if name == package and "." in name:
            raise ModuleNotFoundError(name)
        return None if name == package else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(RuntimeConfigError, match=f"need the extra `{extra}`: pip install"):
        resolve_runtime(config(tmp_path, text))
