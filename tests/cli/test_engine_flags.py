"""Flags of the engine: what the host is told of pool, cache and instances."""

from pathlib import Path

import attrs
import click
import pytest

from edgezero_spin.cli.cache_file import CacheFileError, read_cache_dir
from edgezero_spin.cli.host_options import HostFlags, host_options
from edgezero_spin.cli.reuse_options import ReuseFlags
from edgezero_spin.host import ConcurrencyPolicy, Host, HostSettings, ReusePolicy
from tests.host.support import SCRIPT

VARIABLES = (
    "DISABLE_WASMTIME_CACHE",
    "SPIN_MAX_INSTANCE_COUNT",
    "SPIN_MAX_INSTANCE_MEMORY",
    "SPIN_WASMTIME_POOLING",
    "WASMTIME_CACHE_FILE",
)


def settings_of(monkeypatch: pytest.MonkeyPatch, *flags: str, **env: str) -> HostSettings:
    """What the host is told about this machine."""
    told: list[HostSettings] = []

    @click.command()
    @host_options
    def command(more: HostFlags) -> None:
        settings = more.run_options()["settings"]
        assert settings is not None
        told.append(settings)

    with monkeypatch.context() as shell:
        for name in VARIABLES:
            shell.delenv(name, raising=False)
        for name, value in env.items():
            shell.setenv(name, value)
        command.main([*flags], standalone_mode=False)
    return told[0]


@pytest.mark.parametrize(("flags", "durable"), [((), False), (("--durability", "full"), True)])
def test_a_command_may_be_relaxed_unless_told(flags: tuple[str, ...], durable: bool) -> None:
    """As ``watch`` is; a flag has the last word."""
    told: list[bool] = []

    @click.command()
    @host_options
    def command(more: HostFlags) -> None:
        settings = more.run_options(durable=False)["settings"]
        assert settings is not None
        told.append(settings.durable_writes)

    command.main([*flags], standalone_mode=False)
    assert told == [durable]


def test_flags_of_the_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pool and cache are on unless a flag or a variable says otherwise."""
    plain = settings_of(monkeypatch)
    assert attrs.evolve(plain, reuse=ReusePolicy()) == HostSettings()
    assert (plain.pooling, plain.debug_info) == (True, False)  # ENG-1, ENG-10
    assert plain.durable_writes
    assert settings_of(monkeypatch, "--durability", "full").durable_writes
    assert not settings_of(monkeypatch, "--durability", "relaxed").durable_writes
    assert plain.cache_dir is not None  # ENG-9
    given = settings_of(monkeypatch, "--disable-pooling", "--debug-info", "--max-instances", "7")
    assert (given.pooling, given.debug_info, given.max_instances) == (False, True, 7)
    assert settings_of(monkeypatch, "--disable-cache").cache_dir is None
    file = tmp_path / "cache.toml"
    file.write_text(f'[cache]\ndirectory = "{tmp_path}/compiled"\n')
    assert settings_of(monkeypatch, "--cache", str(file)).cache_dir == tmp_path / "compiled"
    with pytest.raises(click.UsageError, match="contradict each other"):
        settings_of(monkeypatch, "--cache", str(file), "--disable-cache")
    heard = settings_of(monkeypatch, SPIN_WASMTIME_POOLING="0", SPIN_MAX_INSTANCE_COUNT="9")
    assert (heard.pooling, heard.max_instances) == (False, 9)  # ENG-2: its variable
    assert settings_of(monkeypatch, SPIN_WASMTIME_POOLING="1").pooling
    assert settings_of(monkeypatch, DISABLE_WASMTIME_CACHE="true").cache_dir is None


def test_how_long_an_instance_lives() -> None:
    """The host and Spin are told the same of it, and what was not said is theirs to know."""
    # IL-1 to IL-5
    unsaid = ReuseFlags(None, None, None)
    assert unsaid.policies() == {"reuse": ReusePolicy(), "concurrency": ConcurrencyPolicy()}
    assert unsaid.spin_arguments() == ()
    said = ReuseFlags((5, 10), (3, 3), (0.0015, 2.0))
    assert said.policies(ready=1) == {
        "reuse": ReusePolicy(
            ready=1,
            least_served=5,
            most_served=9,
            least_idle_timeout_s=0.0015,
            idle_timeout_s=2.0,
        ),
        "concurrency": ConcurrencyPolicy(
            least_served=5,
            most_served=9,
            least_concurrent=3,
            most_concurrent=3,
            least_idle_timeout_s=0.0015,
            idle_timeout_s=2.0,
        ),
    }
    assert said.spin_arguments() == (
        *("--max-instance-reuse-count", "5..10"),
        *("--max-instance-concurrent-reuse-count", "3"),
        *("--idle-instance-timeout", "1500us..2s"),
    )


def test_flags_of_the_engine_reach_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compiled code with debug information lies where the cache configuration says (ENG-9)."""
    file = tmp_path / "cache.toml"
    file.write_text(f'[cache]\ndirectory = "{tmp_path}/compiled"\n')
    flags = ("--cache", str(file), "--debug-info", "--disable-pooling", "--max-instances", "3")
    with Host.from_component(SCRIPT, settings=settings_of(monkeypatch, *flags)) as host:
        told = host._engine.settings
        assert (told.debug_info, told.pooling) == (True, False)  # ENG-1, ENG-10
        assert told.max_instances >= 3
    assert list((tmp_path / "compiled").glob("*.cwasm"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[cache]", Path("/usual")),
        ("[cache]\nenabled = true\nworker-event-queue-size = '16'", Path("/usual")),
        ("[cache]\nenabled = false\ndirectory = '/x'", None),
        ("[cache]\ndirectory = '/x'", Path("/x")),
    ],
)
def test_the_cache_configuration_of_wasmtime(
    tmp_path: Path, text: str, expected: Path | None
) -> None:
    """Its folder counts, and whether there is a cache at all (ENG-9)."""
    (tmp_path / "cache.toml").write_text(text)
    assert read_cache_dir(tmp_path / "cache.toml", Path("/usual")) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[cache", "this is not TOML"),
        ("directory = '/x'", "the table [cache] is missing"),
        ("[cache]\ndirectory = 'x'", "cache.directory must be an absolute path, not 'x'"),
        ("[cache]\ndirectory = 1", "cache.directory must be an absolute path, not 1"),
    ],
)
def test_what_is_no_cache_configuration(tmp_path: Path, text: str, problem: str) -> None:
    """The file is named with what is wrong."""
    path = tmp_path / "cache.toml"
    path.write_text(text)
    with pytest.raises(CacheFileError) as caught:
        read_cache_dir(path, None)
    assert str(caught.value).startswith(f"{path}: {problem}")
