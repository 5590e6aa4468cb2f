"""``runtime-config.toml``: what is read, and what a bad file says."""

from pathlib import Path

import pytest

from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError
from edgezero_spin.manifest.runtime_config import RuntimeConfig, TypedTable, load_runtime_config


def load(tmp_path: Path, text: str) -> RuntimeConfig:
    """Load a text as ``runtime-config.toml``."""
    path = tmp_path / "runtime-config.toml"
    path.write_text(text)
    return load_runtime_config(path)


def test_everything_is_read(tmp_path: Path) -> None:
    """Tables keep their type and settings, providers their order under either name."""
    config = load(
        tmp_path,
        'state_dir = "state"\nlog_dir = ""\nmax_instance_memory = 1024\n'
        '[[config_provider]]\ntype = "env"\n'
        '[[variables_provider]]\ntype = "static"\nvalues = { a = "1" }\n'
        '[key_value_store.default]\ntype = "redis"\nurl = "redis://x"\n'
        "[key_value_store.untyped]\n"
        '[sqlite_database.main]\ntype = "spin"\n'
        "[outbound_http]\nmax_connections = 1\n",
    )
    assert (config.state_dir, config.log_dir, config.max_instance_memory) == ("state", "", 1024)
    assert [table.type for table in config.variables_providers] == ["static", "env"]  # STATE-4
    assert config.key_value_stores["default"] == TypedTable(
        "redis", {"url": "redis://x"}, "key_value_store.default"
    )
    assert config.key_value_stores["untyped"].type == ""  # RTC-2
    assert config.sqlite_databases["main"].type == "spin"
    assert config.others == {"outbound_http": {"max_connections": 1}}
    assert config.warnings == ()


def test_keys_that_nothing_reads_are_told(tmp_path: Path) -> None:
    """A slip in a key does not stop the start, but it is seen."""
    config = load(tmp_path, "foo = 1\nbaz = 2\n")  # STATE-4
    [warning] = config.warnings
    assert warning.endswith("runtime-config.toml: unused runtime config key(s): baz, foo")


def test_a_missing_file_is_told_from_a_bad_one(tmp_path: Path) -> None:
    """Whoever may do without the file can tell that there is none."""
    with pytest.raises(ManifestUnreadableError, match="failed to read runtime-config at") as none:
        load_runtime_config(tmp_path / "gone.toml")  # STATE-5, RTC-4
    assert none.value.missing
    with pytest.raises(InvalidManifestError, match="failed to parse runtime-config at") as bad:
        load(tmp_path, "[key_value_store.x\n")  # TV-163
    assert "runtime-config.toml" in str(bad.value)


def test_wrong_types_are_reported_together(tmp_path: Path) -> None:
    """Every value of the wrong type is named."""
    with pytest.raises(InvalidManifestError) as caught:
        load(tmp_path, 'state_dir = 1\n[key_value_store]\na = "x"\nb = { type = 1 }\n')
    assert [problem.key for problem in caught.value.problems] == [
        "state_dir",
        "key_value_store.a",
        "key_value_store.b.type",
    ]
