"""The interfaces of the host: each is found by its name, and only its factor is imported."""

import json
import subprocess
import sys

import pytest

from edgezero_spin.host.load.interfaces import HostInterfaces


@pytest.mark.parametrize("name", sorted(HostInterfaces()))
def test_each_is_found_by_its_name_alone(name: str) -> None:
    """One that is listed with all others is there when nothing else was asked for before."""
    assert HostInterfaces()[name].name == name
    assert name in HostInterfaces()


@pytest.mark.parametrize("name", ["wasi:nn/tensor", "spin:x/y@1.0.0", "fermyon:spin/x", "mine:a/b"])
def test_what_the_host_lacks_is_not_there(name: str) -> None:
    """A lookup says so, whether or not others of the same beginning are there."""
    assert HostInterfaces().get(name) is None
    assert name not in HostInterfaces()


def test_all_are_counted() -> None:
    """As many as are listed, each once."""
    found = HostInterfaces()
    assert len(found) == len(list(found)) == len(set(found))


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        (
            ["wasi:io/streams", "wasi:http/types"],
            ["redis.interface", "postgres.interface", "wasi_03.sockets"],
        ),
        (
            ["fermyon:spin/key-value@2.0.0"],
            ["postgres.interface", "wasi_03.sockets", "unavailable."],
        ),
    ],
)
def test_a_component_has_the_factors_imported_that_it_uses(
    names: list[str], absent: list[str]
) -> None:
    """Others are not: a start costs what its components use."""
    script = (
        "import json, sys; from edgezero_spin.host.load.interfaces import HostInterfaces\n"
        f"found = HostInterfaces(); [found[name] for name in {names}]\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = json.loads(run.stdout)
    beginnings = tuple(f"edgezero_spin.host.factors.{factor}" for factor in absent)
    assert [name for name in loaded if name.startswith(beginnings)] == []
