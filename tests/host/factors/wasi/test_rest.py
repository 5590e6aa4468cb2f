"""The small interfaces of WASI: cli, clocks, random, sockets, and the whole of the tables."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.factors.wasi.cli import GuestExit
from edgezero_spin.host.factors.wasi.clocks import datetime_of
from edgezero_spin.host.factors.wasi.random import MAX_RANDOM_BYTES
from edgezero_spin.host.factors.wasi.sockets import NOT_PROVIDED
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.runtime.interface import Err, Ok
from edgezero_spin.host.runtime.linking import find_interface
from edgezero_spin.project.world import INTERFACES
from tests.host.support import Capture, HostLog, call, error_of, instance_state

WIT = Path(__file__).parents[4] / "edgezero_spin" / "wit" / "deps"
EXPORTED = {
    name.partition("@")[0]
    for rows in INTERFACES.values()
    for row in rows.values()
    for name in row.exports
}
# PostgreSQL's, beside 4.2.0.
OLDER = {"4.0.0"}
STATE = instance_state()


def functions_of(text: str) -> dict[str, set[str]]:
    """Interface name to the names of its functions, for the WIT this repository carries."""
    package = re.search(r"^package ([^@;]+)", text, re.MULTILINE)
    assert package is not None
    found: dict[str, set[str]] = {}
    interface = resource = ""
    for line in re.sub(r"//[^\n]*", "", text).splitlines():
        words = line.strip()
        if match := re.match(r"interface ([\w-]+) \{", words):
            interface = f"{package[1]}/{match[1]}"
            found[interface] = set()
        elif match := re.match(r"resource ([\w-]+) \{", words):
            resource = match[1]
        elif words == "}":
            resource = ""
        elif words.startswith("constructor("):
            found[interface].add(f"[constructor]{resource}")
        elif match := re.match(r"%?([\w-]+): (static )?(?:async )?func", words):
            kind = "static" if match[2] else "method"
            found[interface].add(f"[{kind}]{resource}.{match[1]}" if resource else match[1])
    return found


@pytest.mark.parametrize("path", sorted(WIT.rglob("*.wit")), ids=lambda path: path.stem)
def test_every_function_of_our_worlds_is_there(path: Path) -> None:
    """No interface that our worlds import lacks a function or has one too many."""
    tables = HostInterfaces()
    version = path.parent.name.partition("@")[2]
    for name, wanted in functions_of(path.read_text()).items():
        # Of an interface that has types alone, or is exported, the host defines nothing.
        if name in EXPORTED or not wanted:
            continue
        table = find_interface(f"{name}@{version}", tables)
        assert table is not None, name
        # send-informational came with a later release.
        extra = {"[method]response-outparam.send-informational", "exit-with-code"}
        given = set(table.functions) - extra
        # The newer functions of a later minor version are there under the older one, too.
        assert given >= wanted if version in OLDER else given == wanted


def test_the_environment_is_what_the_manifest_says() -> None:
    """Variables in their order; no argument, no directory, nothing of the host's (ENV-1, 2)."""
    state = instance_state(environment=(("B", "2"), ("A", "1")))
    assert call(state, "wasi:cli/environment get-environment") == (("B", "2"), ("A", "1"))
    assert call(state, "wasi:cli/environment get-arguments") == []
    assert call(state, "wasi:cli/environment initial-cwd") is None


@pytest.mark.parametrize(
    ("function", "argument", "code"),
    [("exit", Ok(), 0), ("exit", Err(), 1), ("exit-with-code", 7, 7)],
)
def test_exit_stops_the_guest(function: str, argument: object, code: int) -> None:
    """Leaving is a trap whatever the status (ENV-17)."""
    with pytest.raises(GuestExit) as caught:
        call(STATE, f"wasi:cli/exit {function}", argument)
    assert caught.value.code == code


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_goes_to_the_log(tmp_path: Path, stream: str) -> None:
    """Every stream that is asked for writes to the one log (ENV-5)."""
    state = instance_state(logs=Logs(tmp_path, echo_to=Capture()))
    for data in (b"one\n", b"two\n"):
        out = call(state, f"wasi:cli/{stream} get-{stream}")
        call(state, "wasi:io/streams [method]output-stream.blocking-write-and-flush", out, data)
    state.close()
    state.close()
    assert (tmp_path / f"test_{stream}.txt").read_bytes() == b"one\ntwo\n"


def test_there_is_no_input_and_no_terminal() -> None:
    """Stdin is at its end and no stream is a terminal (ENV-2, ENV-11)."""
    stdin = call(STATE, "wasi:cli/stdin get-stdin")
    read = "wasi:io/streams [method]input-stream.blocking-read"
    assert error_of(STATE, read, stdin, 1) == ("closed", None)
    for name in ("stdin", "stdout", "stderr"):
        assert call(STATE, f"wasi:cli/terminal-{name} get-terminal-{name}") is None


def test_clocks_are_the_hosts() -> None:
    """Both clocks agree with Python's and have a resolution (ENV-16)."""
    now = call(STATE, "wasi:clocks/wall-clock now")
    assert abs(now["seconds"] - time.time()) < 5
    first = call(STATE, "wasi:clocks/monotonic-clock now")
    assert first <= time.monotonic_ns()
    assert call(STATE, "wasi:clocks/monotonic-clock resolution") >= 1
    assert call(STATE, "wasi:clocks/wall-clock resolution")["nanoseconds"] >= 1
    assert call(STATE, "wasi:clocks/timezone utc-offset", now) == 0
    assert call(STATE, "wasi:clocks/timezone display", now)["name"] == "UTC"


@pytest.mark.parametrize(
    ("nanoseconds", "record"), [(1_500_000_000, (1, 500_000_000)), (0, (0, 0)), (-5, (0, 0))]
)
def test_times_become_records(nanoseconds: int, record: tuple[int, int]) -> None:
    """Seconds and nanoseconds, and nothing before 1970."""
    found = datetime_of(nanoseconds)
    assert (found["seconds"], found["nanoseconds"]) == record


@pytest.mark.parametrize(
    "interface",
    [
        "random get-random",
        "insecure get-insecure-random",
        "random@0.3 get-random",
        "insecure@0.3 get-insecure-random",
    ],
)
def test_random_bytes_are_as_many_as_asked_for(interface: str) -> None:
    """Lengths are exact, values differ, and of a huge length a part is given (WE-14)."""
    assert call(STATE, f"wasi:random/{interface}-bytes", 0) == b""
    assert len(call(STATE, f"wasi:random/{interface}-bytes", 1000)) == 1000
    assert len({call(STATE, f"wasi:random/{interface}-u64") for _ in range(20)}) == 20
    given = call(STATE, f"wasi:random/{interface}-bytes", MAX_RANDOM_BYTES + 1)
    assert len(given) == MAX_RANDOM_BYTES


def test_the_seed_is_two_numbers() -> None:
    """Each fits in 64 bits."""
    for seed in (
        call(STATE, "wasi:random/insecure-seed insecure-seed"),
        call(STATE, "wasi:random/insecure-seed@0.3 get-insecure-seed"),
    ):
        assert all(0 <= number < 1 << 64 for number in seed)


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_sockets_are_refused_and_never_trap(kind: str) -> None:
    """A socket can be made and asked; whatever would touch the network is denied.

    In the words that Spin has for a component which no host allows (ENV-18, ENV-19).
    """
    address: Any = ("ipv4", {"port": 80, "address": (127, 0, 0, 1)})
    network = call(STATE, "wasi:sockets/instance-network instance-network")
    create = f"wasi:sockets/{kind}-create-socket create-{kind}-socket"
    socket = call(STATE, create, "ipv6")
    method = f"wasi:sockets/{kind} [method]{kind}-socket."
    assert call(STATE, method + "address-family", socket) == "ipv6"
    assert error_of(STATE, method + "start-bind", socket, network, address) == "access-denied"
    assert error_of(STATE, method + "local-address", socket) == "invalid-state"
    assert call(STATE, method + "subscribe", socket).ready()
    call(STATE, method + "set-receive-buffer-size", socket, 1234)
    assert call(STATE, method + "receive-buffer-size", socket) == 1234
    assert error_of(STATE, method + "set-send-buffer-size", socket, 0) == "invalid-argument"
    if kind == "tcp":
        assert (
            error_of(STATE, method + "start-connect", socket, network, address) == "access-denied"
        )
        assert error_of(STATE, method + "finish-connect", socket) == "not-in-progress"
        assert call(STATE, method + "is-listening", socket) is False
    else:
        assert error_of(STATE, method + "stream", socket, address) == "access-denied"


IPV4 = ("ipv4", {"port": 7, "address": (127, 0, 0, 1)})
IPV6 = (
    "ipv6",
    {"port": 7, "flow-info": 0, "address": (0x2001, 0xDB8, 0, 0, 0, 0, 0, 1), "scope-id": 0},
)


@pytest.mark.parametrize(
    ("kind", "address", "shown"),
    [
        ("tcp", IPV4, "tcp://127.0.0.1:7"),
        ("tcp", IPV6, "tcp://[2001:db8::1]:7"),
        ("udp", IPV4, "udp://127.0.0.1:7"),
    ],
)
def test_the_log_says_who_refuses_a_socket(kind: str, address: Any, shown: str) -> None:
    """The manifest, with the entry to write, or this host, with who does better."""
    # NET-21, NET-30
    ends: list[Any] = [address]
    function = "stream"
    if kind == "tcp":
        ends.insert(0, call(STATE, "wasi:sockets/instance-network instance-network"))
        function = "start-connect"
    told = []
    for entries in ([], [shown]):
        state = instance_state(outbound=OutboundHosts(entries))
        create = f"wasi:sockets/{kind}-create-socket create-{kind}-socket"
        socket = call(state, create, address[0])
        with HostLog() as log:
            method = f"wasi:sockets/{kind} [method]{kind}-socket.{function}"
            assert error_of(state, method, socket, *ends) == "access-denied"
        told.append(log.content.decode())
    assert f"disallowed destination '{shown}'" in told[0]
    assert f'allowed_outbound_hosts = ["{shown}"]' in told[0]
    assert told[1] == f"A component tried to reach '{shown}': {NOT_PROVIDED}.\n"


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_sockets_are_bounded(kind: str) -> None:
    """By the operator's limit, until one is dropped (NET-41, NET-43)."""
    state = instance_state(network=NetworkRules(socket_slots=ConnectionSlots(1)))
    create = f"wasi:sockets/{kind}-create-socket create-{kind}-socket"
    socket = call(state, create, "ipv4")
    assert error_of(state, create, "ipv4") == "new-socket-limit"
    socket.drop(state)
    call(state, create, "ipv4")


def test_names_are_not_resolved() -> None:
    """A lookup fails for good (ENV-20)."""
    network = call(STATE, "wasi:sockets/instance-network instance-network")
    lookup = "wasi:sockets/ip-name-lookup resolve-addresses"
    assert error_of(STATE, lookup, network, "localhost") == "permanent-resolver-failure"
