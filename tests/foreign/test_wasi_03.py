"""Components of WASI 0.3 that know nothing of this package run on its host, unchanged.

One on spin-sdk 5.0.0, which exports the handler of WASI 0.3.0 and imports 96 interfaces of both
generations, and one on 4.0.0, which does so with the candidate 0.3.0-rc-2026-03-15. Both are
served over real HTTP, with real files, SQLite and a real Redis server.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.peers import PeerMissingError
from edgezero_spin.host import Host
from edgezero_spin.host.execution.concurrency_policy import ConcurrencyPolicy
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.settings import HostSettings
from tests.component.hosts_03 import PATIENCE_S
from tests.component.servers import manifest
from tests.component.upstream import upstream
from tests.conformance.serving import serving
from tests.foreign.building import build_spin_sdk
from tests.host.debian_servers import running_postgres
from tests.host.redis_server import running_redis

GUEST = Path(__file__).parent / "guests" / "spin_sdk_5"

Ask = Callable[[str], Any]


@pytest.fixture(scope="module", params=["4.0.0", "5.0.0"])
def release(request: pytest.FixtureRequest) -> str:
    """Of spin-sdk."""
    return str(request.param)


@pytest.fixture(scope="module")
def component(release: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guest, compiled with its own kit."""
    output = tmp_path_factory.mktemp("component") / "app.wasm"
    try:
        build_spin_sdk(GUEST, output, release)
    except PeerMissingError as error:
        pytest.skip(str(error))
    return output


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """Base URL of a server that the component calls."""
    with upstream() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Redis server."""
    with running_redis(tmp_path_factory.mktemp("redis")) as port:
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the application is; its logs are below ``logs``, what it may read below ``site``."""
    home = tmp_path_factory.mktemp("application")
    (home / "site" / "sub").mkdir(parents=True)
    (home / "site" / "sub" / "more.txt").touch()
    (home / "site" / "text.txt").write_text("hello files", encoding="utf-8")
    (home / "outside.txt").write_text("secret", encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def load(component: Path, engine: Engine, folder: Path, target: str, redis: str) -> Iterator[Any]:
    """Load the guest with everything that it may have."""
    grants = f"""\
key_value_stores = ["default"]
sqlite_databases = ["default"]
files = [{{ source = "site", destination = "/" }}]
environment = {{ PLACE = "here" }}
variables = {{ greeting = "hej" }}
allowed_outbound_hosts = [
    "{target}", "{redis}", "tcp://127.0.0.1:80", "mysql://db", "postgres://db",
    "mqtt://db", "postgres://localhost:*",
]
"""
    path = manifest(component, folder, grants)

    def load_host(**options: Any) -> Host:
        # An instance outlives the pauses of a busy machine.
        lasting = ConcurrencyPolicy(idle_timeout_s=600)
        settings = HostSettings(concurrency=lasting)
        return Host.from_manifest(path, engine=engine, settings=settings, **options)

    with pytest.MonkeyPatch.context() as patched:
        # On a busy machine an instance may look as if it computed.
        patched.setattr("edgezero_spin.host.execution.concurrent.PATIENCE_S", PATIENCE_S)
        yield load_host


@pytest.fixture(scope="module")
def client(load: Any, folder: Path) -> Iterator[httpx.Client]:
    """A client of the component."""
    with (
        load(state_dir="", log_dir=folder / "logs", follow=()) as host,
        serving(host) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as opened,
    ):
        yield opened


@pytest.fixture(params=["", "candidate"])
def ask(request: pytest.FixtureRequest, release: str, client: httpx.Client) -> Ask:
    """Ask the guest by the interfaces of the release, then by those of its candidate."""
    if request.param and release == "4.0.0":
        pytest.skip("has the candidate alone")

    def get(path: str) -> Any:
        joint = "&" if "?" in path else "?"
        answer = client.get(f"{path}{joint}{request.param}")
        assert answer.status_code == 200, path
        return answer.json()

    return get


def _ask(client: httpx.Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.json()


def test_bodies_and_streams(client: httpx.Client, target: str) -> None:
    """Bodies come back whole, lines as a task of the guest writes them, and requests go out."""
    # WH-31, IL-23, CS-20
    data = bytes(range(256)) * 4000
    assert client.post("/echo", content=data).content == data
    assert client.get("/lines").text == "line 0\nline 1\nline 2\n"
    relayed = client.get("/relay", params={"target": f"{target}/echo"})
    assert (relayed.status_code, relayed.text) == (200, "from spin-sdk")


def test_instances_are_used_again_where_spin_does(client: httpx.Client, release: str) -> None:
    """Requests of 0.3.0 share an instance, those of the candidate have their own."""  # XP-7
    seen = [_ask(client, "/counted") for _ in range(3)]
    assert seen == ([1, 1, 1] if release == "4.0.0" else [seen[0], seen[0] + 1, seen[0] + 2])


def test_requests_that_wait_share_an_instance(client: httpx.Client, release: str) -> None:
    """While one waits the next one runs: after the wait each has seen the others."""
    # IL-11, V3-19
    if release == "4.0.0":
        pytest.skip("a fresh instance each")
    before = _ask(client, "/counted")
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: _ask(client, "/counted?ms=1000"), range(4)))
    assert max(seen) == before + 4


def test_surroundings(ask: Ask) -> None:
    """Variables of the manifest; no argument, directory, terminal or input."""  # WE-1, WE-3
    assert ask("/environment") == {
        "environment": [["PLACE", "here"]],
        "arguments": [],
        "directory": None,
        "terminal": False,
        "stdin": [[], "ok"],
    }


def test_output_goes_to_the_log(ask: Ask, folder: Path) -> None:
    """All that is written to any stream of an output is in its one file, in order."""  # WE-4
    logs = {name: folder / "logs" / f"guest_{name}.txt" for name in ("stdout", "stderr")}
    before = {name: len(log.read_bytes()) if log.exists() else 0 for name, log in logs.items()}
    assert ask("/output") == ["ok", "ok", "ok"]
    written = {name: log.read_bytes()[before[name] :] for name, log in logs.items()}
    assert written == {"stdout": b"one\ntwo\nthree\n", "stderr": b"four\n"}


def test_clocks_and_random_numbers(ask: Ask) -> None:
    """A wait lasts as long as it should, and none at all where nothing is left."""
    # WE-10 to WE-14
    found = ask("/clocks")
    assert found["waited"] >= 5_000_000
    assert found["seconds"] > 1_700_000_000
    assert 0 <= found["nanoseconds"] < 1_000_000_000
    assert min(found["resolutions"]) >= 1
    assert ask("/random") == [10, 0, True, 2]


def test_sockets_are_refused(ask: Ask) -> None:
    """Each function that would touch the network says so in the words of its interface."""
    # WE-30 to WE-35
    assert ask("/sockets") == {
        "connect": "access-denied",
        "connect to port 0": "invalid-argument",
        "connect to another family": "invalid-argument",
        "bind": "access-denied",
        "listen": "access-denied",
        "send": "invalid-state",
        "receive": [[], "invalid-state"],
        "address": "invalid-state",
        "hop limit": [9, "invalid-argument"],
        "udp connect": "access-denied",
        "udp disconnect": "invalid-state",
        "udp send": "access-denied",
        "udp send to nobody": "invalid-argument",
        "udp send too much": "datagram-too-large",
        "udp receive": "invalid-state",
        "lookup": "permanent-resolver-failure",
        "lookup of no name": "invalid-argument",
    }


def test_files_are_read_and_no_more(ask: Ask) -> None:
    """What is mounted is read as streams; nothing is changed, and no path leads out."""
    # WE-20 to WE-25, ENV-12 to ENV-14
    found = ask("/files")
    stat = found.pop("stat")
    assert stat[:2] == ["DescriptorType_RegularFile", 11]
    assert stat[2] > 1_700_000_000
    assert found == {
        "mounts": ["/"],
        "content": "hello files",
        "tail": "files",
        "piece": ["hel", "ok"],
        "ends": ["ok", "ok"],
        "names": [["sub", "Directory"], ["text.txt", "RegularFile"]],
        "type": "DescriptorType_RegularFile",
        "errors": {
            "missing": "no-entry",
            "outside": "not-permitted",
            "for writing": "not-permitted",
            "new": "not-permitted",
            "directory": "not-permitted",
            "removal": "not-permitted",
            "write to a read-only file": "not-permitted",
            "append to a directory": "is-directory",
            "read of a directory": "is-directory",
            "listing of a file": "not-directory",
        },
    }


def test_files_are_written_where_they_may_be(load: Any, release: str) -> None:
    """Pieces of any size arrive whole, at their offset or at the end."""  # WE-23, WE-25
    with load(state_dir="", transient_write=True, follow=()) as host, serving(host) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/writes?size=700000", timeout=60)
        assert answer.json() == {
            "ends": ["ok", "ok", "ok"],
            "same": True,
            "time": [-5, 250_000_000],
        }


def test_a_store_keeps_what_was_written(client: httpx.Client) -> None:
    """Whatever instance asks."""  # SK-2
    first = _ask(client, "/visits")
    assert [_ask(client, "/visits") for _ in range(3)] == [first + 1, first + 2, first + 3]


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_keys_are_listed_while_others_ask(client: httpx.Client, most: int) -> None:
    """Each key once, with calls in between; a listing that is given up says so."""  # SK-4 to SK-6
    found = _ask(client, f"/keys?count=600&most={most}")
    # One more is of another test.
    assert found["read"] == found["found"] >= 600
    assert (found["whole"], found["early"]) == ("ok", "other: channel closed")


def test_a_short_listing_is_whole_before_it_is_read(load: Any) -> None:
    """With four keys at most the future need not wait for the stream."""  # SK-5
    with load(state_dir="", follow=()) as host, serving(host) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/keys?count=4&first=future", timeout=60)
        assert answer.json() == {"found": 4, "read": 4, "whole": "ok", "early": "ok"}


def test_handles_of_stores_are_bounded(client: httpx.Client) -> None:
    """256 are open at a time, of stores that are granted."""  # SK-1, V3-64
    assert _ask(client, "/handles") == ["store-table-full", "access-denied"]


def test_rows_are_streamed(client: httpx.Client) -> None:
    """Other statements run in between, and each fault is in the future of its statement."""
    # SK-20 to SK-24, V3-67
    assert _ask(client, "/rows") == {
        "changes": [1000, 1000, 1000],
        "columns": ["id", "v"],
        "first": [1, "row 1"],
        "plain": 1,
        "rows": [1000, 1000],
        "ends": ["ok", "io: row send error", "io: row send error"],
        "errors": [
            [[], 'io: near "selec": syntax error'],
            [[], "io: Wrong number of parameters passed to query. Got 1, needed 0"],
            [[], "io: UNIQUE constraint failed: t.id"],
            "access-denied",
        ],
    }


def test_a_redis_server_is_asked_by_many_at_once(client: httpx.Client, redis: str) -> None:
    """Calls on one connection take turns, and no request of the instance waits for them."""
    # SK-30
    answer = client.get("/server", params={"address": redis})
    assert answer.json() == {
        "refused": ["invalid-address", "invalid-address"],
        "value": 11,
        "added": 2,
        "members": ["a", "b"],
        "wrong type": "type-error",
        "deleted": 2,
        "reply": ["RedisResult_Binary"],
    }


def test_variables(client: httpx.Client) -> None:
    """What the manifest gives, and the error of the interface for the rest."""  # SK-10
    greeting, missing, invalid = _ask(client, "/values")
    assert greeting == "hej"
    assert missing == 'undefined: no variable for "guest"."missing"'
    assert invalid.startswith('invalid-name: "Not A Name"')


def test_services_that_are_not_there_give_their_own_error(client: httpx.Client) -> None:
    """The component loads with all that its kit imports; calls fail as the interface says."""
    # MY-30, PG-54, MQ-4, SK-30
    mysql, postgres, mqtt = _ask(client, "/services")
    assert mysql.startswith("connection-failed: Can't connect to MySQL server on db: ")
    assert postgres.startswith("connection-failed: error connecting to server db: ")
    assert mqtt == "invalid-address"


def test_rows_of_postgres_are_a_stream(client: httpx.Client) -> None:
    """They arrive in order, end where the guest drops them, and come before an error."""
    # PG-6, PG-60, PG-66
    with running_postgres() as port:
        address = f"postgres://postgres:postgres@localhost:{port}/postgres?sslmode=disable"
        answer = client.get("/postgres", params={"address": address})
    found = answer.json()
    assert found.pop("refused").startswith("query-failed: ")
    assert found == {
        "columns": ["g", "?column?"],
        "rows": [[1, "row 1"], [500, "row 500"]],
        "count": 500,
        "before": [0, -1],
        "failed": "22012",
        "touched": 1,
    }


def test_an_exit_ends_the_instance(load: Any, release: str) -> None:
    """Like a trap, whatever the status; the next request has another instance."""  # WE-2
    with (
        load(state_dir="", follow=()) as host,
        serving(host) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        assert [_ask(client, "/counted") for _ in range(2)] == [1, 1 if release == "4.0.0" else 2]
        assert client.get("/leave").status_code == 500
        assert _ask(client, "/counted") == 1
