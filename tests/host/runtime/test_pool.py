"""The numbers of the pool that the environment sets, as under Spin."""

import os
import subprocess
import sys

import pytest

from edgezero_spin.host.errors import EngineError
from edgezero_spin.host.runtime.engine import EngineSettings, make_engine
from edgezero_spin.host.runtime.pool import VARIABLES, instances_in_pool, pool_overrides

SERVE = """
import asyncio
from edgezero_spin.host import Host, HostSettings, HttpRequest
from tests.host.support import SCRIPT

settings = HostSettings(cache_dir=None, max_instances=4)
with Host.from_component(SCRIPT, settings=settings) as host:
    print(asyncio.run(host.handle(HttpRequest(target="/h"))).status)
"""


def served(**variables: str) -> "subprocess.CompletedProcess[str]":
    """Answer one request in a process with these variables."""
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return subprocess.run(
        [sys.executable, "-c", SERVE],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_variable_has_its_number() -> None:
    """Those of ENG-2 to ENG-7, by the engine's names."""
    environ = {variable: str(at) for at, variable in enumerate(VARIABLES, 1)}
    assert pool_overrides(environ) == {name: at for at, name in enumerate(VARIABLES.values(), 1)}
    assert pool_overrides({"SPIN_WASMTIME_INSTANCE_COUNT": "", "OTHER": "1"}) == {}
    assert len(VARIABLES) == 15


@pytest.mark.parametrize("text", ["-1", "0", "many", "1.5", " 1", "4294967296", "²"])
def test_what_no_pool_can_have(text: str) -> None:
    """The variable is named, with what it can be."""
    with pytest.raises(EngineError, match=r"SPIN_WASMTIME_TOTAL_TABLES is '.*'; it can be 1 to"):
        pool_overrides({"SPIN_WASMTIME_TOTAL_TABLES": text})
    assert pool_overrides({"SPIN_WASMTIME_TABLE_KEEP_RESIDENT": "0"}) == {"table_keep_resident": 0}


@pytest.mark.parametrize(
    ("environ", "room"),
    [
        ({}, None),
        ({"SPIN_WASMTIME_INSTANCE_COUNT": "9", "SPIN_WASMTIME_TOTAL_MEMORIES": "7"}, 7),
        ({"SPIN_WASMTIME_TOTAL_STACKS": "5"}, 5),
        ({"SPIN_WASMTIME_TOTAL_TABLES": "5"}, None),
    ],
)
def test_room_for_instances(environ: dict[str, str], room: int | None) -> None:
    """Each has one memory, at least, and one stack."""
    assert instances_in_pool(environ) == room


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SPIN_WASMTIME_CORE_INSTANCE_SIZE", "1", "does not fit the pool of instances: instance "),
        ("SPIN_WASMTIME_INSTANCE_TABLES", "x", "it can be 1 to 4294967295"),
        ("SPIN_WASMTIME_TOTAL_MEMORIES", "4000000000", "GiB of address space for the pool"),
        ("SPIN_WASMTIME_TOTAL_STACKS", "4294967295", "memory mappings for the pool"),
    ],
)
def test_variables_reach_the_engine(variable: str, value: str, says: str) -> None:
    """What is too small is the engine's own error, what is too large ends no process."""
    done = served(**{variable: value})
    # What only one request has no room for is that request's failure.
    assert (done.returncode, done.stdout) in ((1, ""), (0, "503\n")), done.stderr
    assert says in done.stderr


def test_variables_that_change_nothing_for_a_small_guest() -> None:
    """All at once, each with room enough."""
    assert served(**dict.fromkeys(VARIABLES, "4000")).stdout == "200\n"


def test_without_a_pool_they_are_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under Spin (ENG-1)."""
    monkeypatch.setenv("SPIN_WASMTIME_TOTAL_TABLES", "many")
    with make_engine(EngineSettings(pooling=False)) as engine:
        assert not engine.pooling


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts mappings")
@pytest.mark.parametrize("stacks", [33_000, 1_000_000])
def test_more_stacks_than_the_system_can_map(stacks: int) -> None:
    """One error; the engine would end the process."""
    done = served(SPIN_WASMTIME_TOTAL_STACKS=str(stacks))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"edgezero_spin.host.errors.EngineError: the system refuses {2 * stacks} memory mappings"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts mappings")
def test_more_instances_than_the_system_can_map_are_not_pooled() -> None:
    """They are allocated one by one, as where there is no address space for them."""
    with make_engine(EngineSettings(max_instances=30_000)) as engine:
        assert not engine.pooling


@pytest.mark.parametrize("what", ["MEMORIES", "TABLES"])
def test_more_than_a_module_can_have(what: str) -> None:
    """The engine would loop over all of them for minutes."""
    variable = f"SPIN_WASMTIME_MAX_{what}_PER_MODULE"
    with pytest.raises(EngineError, match=f"{variable} is '4294967295'; it can be 1 to 10000"):
        pool_overrides({variable: "4294967295"})
