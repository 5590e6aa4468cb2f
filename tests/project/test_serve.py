"""What ``edgezero serve`` decides before anything runs, and the Spin it starts."""

import os
import subprocess
from pathlib import Path

import pytest
import wasmtime

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.runtime_config import find_runtime_config
from edgezero_spin.project.commands import CommandFailedError
from edgezero_spin.project.serve import (
    ServeRequest,
    choose_engine,
    run_spin,
    spin_arguments,
)

RECORDER = """\
#!/bin/sh
printf '%s\\n' "$PWD" "$@" > "$RECORD"
env > "$RECORD.environment"
exit 7
"""


@pytest.fixture
def spin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for Spin on the PATH; what it was asked is in the file returned."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "spin").write_text(RECORDER)
    (programs / "spin").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    record = tmp_path / "record"
    monkeypatch.setenv("RECORD", str(record))
    return record


@pytest.fixture
def no_spin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH without any program."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("spin")
@pytest.mark.parametrize(
    ("wanted", "chosen"), [("auto", "spin"), ("spin", "spin"), ("embedded", "embedded")]
)
def test_spin_serves_where_it_is_installed(wanted: str, chosen: str) -> None:
    """``auto`` is Spin when there is one; a named engine is never replaced."""
    assert choose_engine(wanted) == chosen  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_spin")
@pytest.mark.parametrize(
    ("wanted", "chosen"), [("auto", "embedded"), ("spin", "spin"), ("embedded", "embedded")]
)
def test_the_embedded_host_serves_where_spin_is_not(wanted: str, chosen: str) -> None:
    """``auto`` is the embedded host when there is no Spin."""
    assert choose_engine(wanted) == chosen  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(ServeRequest(manifest=Path("a/spin.toml")), ["up"], id="nothing said"),
        pytest.param(
            ServeRequest(
                manifest=Path("a/spin.toml"), runtime_config=Path("a/runtime-config.toml")
            ),
            ["up", "--runtime-config-file", "runtime-config.toml"],
            id="configuration beside the manifest",
        ),
        pytest.param(
            ServeRequest(manifest=Path("a/spin.toml"), runtime_config=Path("/etc/rc.toml")),
            ["up", "--runtime-config-file", "/etc/rc.toml"],
            id="configuration elsewhere",
        ),
        pytest.param(
            ServeRequest(manifest=Path("a/other.toml"), state_dir=""),
            ["up", "--from", "other.toml", "--state-dir", ""],
            id="another manifest, no state",
        ),
        pytest.param(
            ServeRequest(
                manifest=Path("a/spin.toml"),
                listen="127.0.0.1:8080",
                find_free_port=True,
                state_dir="/s",
                log_dir="/l",
                variables=("a=1", "b=@file"),
                environment={"E": "x=y"},
                key_values={"k": "v"},
                follow=("one",),
                quiet=True,
                more=("--max-instance-reuse-count", "5..10"),
            ),
            [
                *("up", "--listen", "127.0.0.1:8080", "--find-free-port"),
                *("--state-dir", "/s", "--log-dir", "/l"),
                *("--variable", "a=1", "--variable", "b=@file", "--env", "E=x=y"),
                *("--key-value", "k=v", "--follow", "one", "--quiet"),
                *("--max-instance-reuse-count", "5..10"),
            ],
            id="everything said",
        ),
    ],
)
def test_arguments_of_spin_up(request_: ServeRequest, expected: list[str]) -> None:
    """Spin is told what was said, and nothing that was not."""  # BLD-11, CLI-10, CLI-11
    assert spin_arguments(request_) == expected


def test_spin_runs_in_the_folder_of_the_manifest(spin: Path, tmp_path: Path) -> None:
    """The child sees the manifest's folder as its own, and its status is ours."""  # BLD-11
    folder = tmp_path / "app"
    folder.mkdir()
    request = ServeRequest(manifest=folder / "spin.toml", listen="127.0.0.1:1")
    with pytest.raises(CommandFailedError, match="spin up failed with status 7") as caught:
        run_spin(request)
    assert caught.value.exit_status == 7
    assert spin.read_text().splitlines() == [str(folder), "up", "--listen", "127.0.0.1:1"]


@pytest.mark.parametrize("line", [None, "spin up"])
@pytest.mark.parametrize("given", [None, "0"])
def test_spin_keeps_memory_for_the_next_instance(
    spin: Path, tmp_path: Path, line: str | None, given: str | None
) -> None:
    """Spin's default is less than a Python component touches; who set a value keeps it."""
    from tests.cli.running import edgezero

    (tmp_path / "spin.toml").touch()
    if line is not None:
        (tmp_path / "edgezero.toml").write_text(f"[adapters.spin.commands]\nserve = '{line}'\n")
    name = "SPIN_WASMTIME_LINEAR_MEMORY_KEEP_RESIDENT"
    env = {} if given is None else {name: given}
    assert edgezero("serve", cwd=tmp_path, env=env).returncode == 7
    seen = spin.with_name("record.environment").read_text().splitlines()
    assert f"{name}={given or 32 * 1024 * 1024}" in seen
    assert f"SPIN_WASMTIME_TABLE_KEEP_RESIDENT={1024 * 1024}" in seen


@pytest.mark.usefixtures("no_spin")
def test_a_missing_spin_is_one_clear_error(tmp_path: Path) -> None:
    """Asking for Spin where there is none says what to do instead."""  # BLD-11
    with pytest.raises(ProjectError, match=r"failed to run spin CLI: .*--engine embedded"):
        run_spin(ServeRequest(manifest=tmp_path / "spin.toml"))


def test_a_spin_that_a_signal_ended(spin: Path, tmp_path: Path) -> None:
    """The status of a killed child is 128 and the signal."""  # CLI-30
    program = spin.parent / "programs" / "spin"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(CommandFailedError) as caught:
        run_spin(ServeRequest(manifest=tmp_path / "spin.toml"))
    assert caught.value.exit_status == 137


def test_runtime_configuration_beside_the_manifest_is_used(tmp_path: Path) -> None:
    """``runtime-config.toml`` needs no flag where it lies beside spin.toml."""  # BLD-11, OPQ-7
    assert find_runtime_config(tmp_path) is None
    (tmp_path / "runtime-config.toml").touch()
    assert find_runtime_config(tmp_path) == tmp_path / "runtime-config.toml"


def test_the_command_passes_it_on(spin: Path, tmp_path: Path) -> None:
    """``edgezero serve`` with Spin on the PATH is ``spin up`` with the same meaning."""
    from tests.cli.running import edgezero

    (tmp_path / "spin.toml").touch()
    (tmp_path / "runtime-config.toml").touch()
    done: subprocess.CompletedProcess[str] = edgezero(
        "serve", "--listen", "127.0.0.1:4000", "--variable", "a=1", cwd=tmp_path
    )
    assert done.returncode == 7
    assert spin.read_text().splitlines()[1:] == [
        *("up", "--listen", "127.0.0.1:4000"),
        *("--runtime-config-file", "runtime-config.toml", "--variable", "a=1"),
    ]


OLD_SPIN = """\
#!/bin/sh
[ "$1" = --version ] && echo "spin 3.6.3 (88d51cf 2026-04-09)" && exit
exit 1
"""


@pytest.mark.parametrize(
    ("handler", "clue"),
    [
        (
            "wasi:http/handler@0.3.0",
            "; component app needs Spin 4.1 or later; installed is spin 3.6.3 (88d51cf "
            "2026-04-09): update Spin, serve with --engine embedded, or compile with `edgezero "
            "componentize --wasi 0.2`",
        ),
        ("wasi:http/incoming-handler@0.2.0", ""),
    ],
)
def test_a_spin_that_is_too_old_is_named(
    spin: Path, tmp_path: Path, handler: str, clue: str
) -> None:
    """What it says itself is that a handler lacks, and not why."""
    (tmp_path / "programs" / "spin").write_text(OLD_SPIN)
    text = f'(component (instance $i) (export "{handler}" (instance $i)))'
    (tmp_path / "app.wasm").write_bytes(wasmtime.wat2wasm(text))
    manifest = tmp_path / "spin.toml"
    manifest.write_text(
        'spin_manifest_version = 2\n[application]\nname = "a"\n[[trigger.http]]\nroute = "/..."\n'
        'component = "app"\n[component.app]\nsource = "app.wasm"\n'
    )
    with pytest.raises(CommandFailedError) as caught:
        run_spin(ServeRequest(manifest=manifest))
    assert str(caught.value) == f"spin up failed with status 1{clue}"
