"""The Fermyon Cloud writer: arguments, chunks, and what a failure tells."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.manifest.app_config import ConfigEntry
from edgezero_spin.project.config_changes import ConfigPushError
from edgezero_spin.project.config_cloud import (
    MAX_ARGUMENT_BYTES,
    CloudPushError,
    CloudTarget,
    chunk_entries,
)
from tests.project.spin_stand_in import SpinStandIn

TARGET = CloudTarget("my-app", "app_config")
FIXED = ["cloud", "key-value", "set", "--app", "my-app", "--label", "app_config"]
SEVEN = tuple(ConfigEntry(f"k{n}", "x" * 30720) for n in range(7))


def of_sizes(*sizes: int) -> list[ConfigEntry]:
    """Entries whose pairs have these sizes in bytes."""
    return [ConfigEntry(f"k{n}", "x" * (size - 3)) for n, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("entries", "lengths"),
    [
        pytest.param([], [], id="nothing"),  # TV-170
        pytest.param([ConfigEntry(k, "1") for k in "abc"], [3], id="small"),  # TV-170
        pytest.param(SEVEN, [3, 3, 1], id="seven of 30 KiB"),  # TV-171
        pytest.param(of_sizes(49151, 49151), [2], id="exactly full"),  # TV-172
        pytest.param(of_sizes(49152, 49152), [1, 1], id="two bytes over"),  # TV-172
        pytest.param(of_sizes(98303), [1], id="largest"),  # TV-172
        pytest.param(of_sizes(98303, 4), [1, 1], id="largest, then another"),
        pytest.param([ConfigEntry("k0", "é" * 49150)], [1], id="bytes, not letters"),
    ],
)
def test_chunks(entries: list[ConfigEntry], lengths: list[int]) -> None:
    """Order is kept, and a chunk ends where the next pair would not fit."""  # CLD-6, CLD-7
    chunks = chunk_entries(entries)
    assert [len(chunk) for chunk in chunks] == lengths
    assert [entry for chunk in chunks for entry in chunk] == list(entries)


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        (ConfigEntry("bad=key", "v"), ["`bad=key`", "contains `=`"]),  # CLD-4, TV-169
        (
            *of_sizes(98304),
            ["`k0`", "98304", "safe-argv-per-invocation cap"],
        ),  # CLD-5, TV-172
        (ConfigEntry("k0", "é" * 49151), ["98305"]),  # GEN-2
        (ConfigEntry("-app", "v"), ["`-app`", "takes for a flag"]),
        (ConfigEntry("a", "x\0y"), ["NUL"]),
    ],
)
def test_what_cannot_be_an_argument_is_refused(entry: ConfigEntry, parts: list[str]) -> None:
    """The message names the key and never the value."""
    with pytest.raises(ConfigPushError) as caught:
        chunk_entries([ConfigEntry("fine", "v"), entry])
    for part in parts:
        assert part in str(caught.value)
    assert "fine" not in str(caught.value)
    assert "éé" not in str(caught.value)


def test_all_refusals_are_told_and_nothing_is_sent(spin: SpinStandIn) -> None:
    """Every chunk is formed before the first run."""  # CLD-7
    entries = (*SEVEN, ConfigEntry("a=b", ""), ConfigEntry("-c", ""))
    with pytest.raises(ConfigPushError, match="2 problems"):
        TARGET.write(entries)
    assert spin.asked() == []


_entries = st.lists(
    st.builds(
        ConfigEntry,
        st.text("abcé", min_size=1, max_size=3),
        st.integers(0, 60_000).map(lambda size: "é=" * (size // 3)),
    ),
    max_size=12,
)


@given(entries=_entries)
def test_chunks_are_full_and_within_the_cap(entries: list[ConfigEntry]) -> None:
    """Nothing is lost or moved, none is too large, and no two neighbours would fit in one."""

    def cost(entry: ConfigEntry) -> int:
        return len(f"{entry.key}={entry.value}".encode()) + 1

    chunks = chunk_entries(entries)
    assert [entry for chunk in chunks for entry in chunk] == entries
    assert all(chunks)
    totals = [sum(map(cost, chunk)) for chunk in chunks]
    assert all(total <= MAX_ARGUMENT_BYTES for total in totals)
    for total, after in zip(totals, chunks[1:], strict=False):
        assert total + cost(after[0]) > MAX_ARGUMENT_BYTES


def test_the_arguments_of_a_run(spin: SpinStandIn) -> None:
    """Exactly these, without a shell; a value keeps its equals signs and blanks."""
    entries = (
        ConfigEntry("greeting", "hello"),
        ConfigEntry("svc.timeout", "1500"),
        ConfigEntry("config_blob", "k=v&x=y $HOME 'q'"),
    )  # CLD-1, CLD-3, TV-173, TV-169
    line = TARGET.write(entries)
    assert spin.asked() == [
        [*FIXED, "greeting=hello", "svc.timeout=1500", "config_blob=k=v&x=y $HOME 'q'"]
    ]
    assert line == (
        "pushed 3 entries to Fermyon Cloud KV store linked to app my-app label app_config"
    )  # PSH-22


def test_chunks_run_one_after_another(spin: SpinStandIn) -> None:
    """Three runs for three chunks, in order."""  # CLD-8
    TARGET.write(SEVEN)
    assert [[pair[:2] for pair in run[7:]] for run in spin.asked()] == [
        ["k0", "k1", "k2"],
        ["k3", "k4", "k5"],
        ["k6"],
    ]


def failure(entries: tuple[ConfigEntry, ...] = (ConfigEntry("a", "hidden"),)) -> str:
    """What a failing push says; no value is in it."""
    with pytest.raises(CloudPushError) as caught:
        TARGET.write(entries)
    assert "hidden" not in str(caught.value)
    assert "xxx" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        "error: not logged in to Fermyon Cloud",
        "Authentication required",
        "authentication failed for the link",  # the first test wins
    ],
)
def test_not_logged_in(spin: SpinStandIn, said: str) -> None:
    """The command that logs in is named, with what Spin said."""  # CLD-10, TV-174, OPQ-30
    spin.fail(1, 1, said)
    text = failure()
    assert "`spin cloud login`" in text and said in text
    assert "link key-value" not in text


@pytest.mark.parametrize(
    "said", ["label `app_config` is not linked to a store", "no store linked", "LINK missing"]
)
def test_not_linked(spin: SpinStandIn, said: str) -> None:
    """The label is positional in the command that links."""  # CLD-11, TV-175
    spin.fail(1, 1, said)
    text = failure()
    assert "`spin cloud link key-value --app my-app --store <store-name> app_config`" in text
    assert "--label" not in text and said in text


@pytest.mark.parametrize(("status", "shown"), [(3, 3), (-signal.SIGKILL, -1)])
def test_another_failure(spin: SpinStandIn, status: int, shown: int) -> None:
    """Command, count, status and progress; a single run has no report of parts."""
    spin.fail(1, status, "boom")  # CLD-12, CLD-14
    text = failure()
    assert "spin cloud key-value set --app my-app --label app_config" in text
    assert "with 1 pairs" in text
    assert f"failed (status {shown}) after committing 0 of 1 entries" in text
    assert text.endswith("boom")
    assert "Committed" not in text


def test_the_first_failure_stops_and_the_parts_are_told(spin: SpinStandIn) -> None:
    """What is there, what failed and what was not tried, each by its keys."""
    spin.fail(2, 1, "backend write failed")  # CLD-8, CLD-12, CLD-13, TV-176, OPQ-31
    text = failure(SEVEN)
    assert len(spin.asked()) == 2
    assert "after committing 3 of 7 entries" in text
    assert text.splitlines()[1:] == [
        "backend write failed",
        'Committed (safe to skip on retry): ["k0", "k1", "k2"]',
        'Failed chunk: ["k3", "k4", "k5"]',
        'Not attempted (re-push these): ["k6"]',
        "Resume: run the same push again; it is idempotent.",
    ]


def test_the_parts_are_told_for_other_causes_too(spin: SpinStandIn) -> None:
    """A login can expire between two runs."""  # CLD-13
    spin.fail(1, 1, "not logged in")
    text = failure(SEVEN)
    assert "Committed (safe to skip on retry): []" in text
    assert 'Not attempted (re-push these): ["k3", "k4", "k5", "k6"]' in text


@pytest.mark.usefixtures("no_spin")
def test_without_spin() -> None:
    """Where to get it is said."""  # CLD-9
    with pytest.raises(ConfigPushError, match="`spin` is not on PATH") as caught:
        TARGET.write((ConfigEntry("a", "1"),))
    assert "https://spinframework.dev/" in str(caught.value)


def test_a_spin_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another reason than absence is passed on."""  # CLD-9
    program = tmp_path / "spin"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}")
    with pytest.raises(ConfigPushError, match="failed to invoke `spin cloud key-value set`"):
        TARGET.write((ConfigEntry("a", "1"),))


def test_a_cloud_store_cannot_be_read() -> None:
    """The spin command has no way to, which is said."""
    with pytest.raises(ConfigPushError, match="cannot be read"):
        TARGET.stored(("a",))
