"""Components that know nothing of this package run on its host, unchanged.

One of spin-sdk 3.4.1 for Python, two of Spin's JavaScript SDK (by its build tools of today
and by those that 2.0.0 brought itself), one written by hand as text, and core modules of Rust's
spin-sdk 3 to 7 where ``RUST_SDK`` names a folder to build them in. Each was made by the tools of
its own world and is served over real HTTP; those of Rust by a real Spin, too.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.peers import PeerMissingError
from edgezero_spin.host.factors.llm.interface import NO_ENGINE
from edgezero_spin.testing import ComponentClient
from tests.component.servers import manifest
from tests.component.upstream import upstream
from tests.conformance.serving import serving
from tests.documents import File, read_session
from tests.foreign.building import (
    build_javascript,
    build_javascript_by_sdk,
    build_rust,
    build_spin_sdk,
    build_spin_sdk_with_stores,
)
from tests.foreign.conftest import Load
from tests.host.debian_servers import running_mariadb, running_postgres
from tests.host.redis_server import running_redis
from tests.spin.programs import find_spin, running

GUESTS = Path(__file__).parent / "guests"
ROOT = Path(__file__).parent.parent.parent
PAGE = Path(__file__).parents[2] / "docs" / "spin-sdk.md"
PYTHON, JAVASCRIPT, JAVASCRIPT_2_0 = "spin-sdk", "JavaScript", "JavaScript 2.0.0"
RUST_02, RUST_03 = ("3.1.1", "4.0.0", "5.2.0"), ("6.0.0", "7.0.0")
RUST = [
    pytest.param(f"Rust {release}{host}", marks=pytest.mark.timeout(900))
    for release in (*RUST_02, *RUST_03)
    for host in ("", " on Spin")
]


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """Base URL of a server that components call."""
    with upstream() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module", params=[PYTHON, JAVASCRIPT, JAVASCRIPT_2_0, *RUST])
def kit(request: pytest.FixtureRequest) -> str:
    """Whose component is asked."""
    return str(request.param)


@pytest.fixture
def name(kit: str) -> str:
    """How its component calls itself."""
    return kit.split()[0]


@pytest.fixture(scope="module")
def client(
    kit: str, load: Load, target: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of the kit's component; all of them do the same."""
    folder = tmp_path_factory.mktemp("kit")
    spin = find_spin() if kit.endswith("on Spin") else None
    if spin is None and kit.endswith("on Spin"):
        pytest.skip("needs a Spin")
    try:
        if kit == PYTHON:
            component = folder / "app.wasm"
            build_spin_sdk(GUESTS / "spin_sdk", component)
        elif kit.startswith("Rust"):
            component = _rust(kit.split()[1], folder)
        else:
            build = build_javascript if kit == JAVASCRIPT else build_javascript_by_sdk
            component = build(GUESTS / "javascript", folder)
    except PeerMissingError as error:
        pytest.skip(str(error))
    grants = f"""\
key_value_stores = ["default"]
sqlite_databases = ["default"]
ai_models = ["llama2-chat"]
allowed_outbound_hosts = ["{target}", "mysql://db", "postgres://db", "mqtt://db"]
variables = {{ greeting = "hej" }}
"""
    with contextlib.ExitStack() as servers:
        if spin is not None:
            path = manifest(component, folder, grants)
            port = servers.enter_context(running(spin, ["-f", path], folder=folder)).port
        else:
            port = servers.enter_context(serving(servers.enter_context(load(component, grants))))
        yield servers.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))


def _rust(release: str, folder: Path) -> Path:
    guest = GUESTS / ("rust_sdk" if release in RUST_02 else "rust_sdk_03")
    # Calls of MySQL are asynchronous from 7 on.
    features = ["blocking-mysql"] if release == "6.0.0" else []
    return build_rust(guest, folder, release, features=features)


def test_text(client: httpx.Client, name: str) -> None:
    """Status, type and body arrive as the handler set them."""
    answer = client.get("/hello")
    assert (answer.status_code, answer.text) == (200, f"hello from {name}\n")
    assert answer.headers["content-type"] == "text/plain"
    assert client.get("/missing").status_code == 404


def test_the_request_as_its_handler_sees_it(client: httpx.Client) -> None:
    """Method, query, headers of the client and of the host."""  # HDR-5, HDR-15
    seen = client.post("/seen?a=%20b&a=2", headers={"x-tag": "one"}).json()
    assert seen["method"] == "POST"
    assert seen["query"] == "?a=%20b&a=2"
    assert (seen["tag"], seen["route"]) == ("one", "/...")


def test_bodies_come_back_whole(client: httpx.Client) -> None:
    """Whatever size the kit reads and writes in."""
    data = bytes(range(256)) * 4000
    assert client.post("/echo", content=data).content == data
    assert client.post("/echo").content == b""


def test_a_store_keeps_what_an_instance_wrote(client: httpx.Client) -> None:
    """Each request has an instance of its own; the store outlives them."""  # KV-12, LIFE-2
    first = int(client.get("/visits").text)
    assert [int(client.get("/visits").text) for _ in range(3)] == [
        first + 1,
        first + 2,
        first + 3,
    ]


def test_bodies_and_keys_are_streamed(client: httpx.Client, kit: str) -> None:
    """Lines of a task that goes on after the response began, and keys as they come."""
    # WH-31, SK-5
    if not kit.startswith("Rust") or kit.split()[1] not in RUST_03:
        pytest.skip("is not of WASI 0.3")
    assert client.get("/lines").text == "line 0\nline 1\nline 2\n"
    client.get("/visits")
    assert client.get("/keys").json() == ["visits"]


def test_a_store_that_is_not_granted_is_refused(client: httpx.Client) -> None:
    """The kit's own error says so."""  # KV-1
    answer = client.get("/forbidden")
    assert (answer.status_code, answer.text) == (403, "access-denied")


def test_a_variable_is_read(client: httpx.Client) -> None:
    """From the manifest."""  # VAR-1
    assert client.get("/greeting").text == "hej"


def test_rows_of_a_database(client: httpx.Client, kit: str) -> None:
    """The kit's own values go in and come out."""  # DB-1, DB-3
    if kit == PYTHON:
        pytest.skip("spin_sdk.sqlite of 3.4.1 imports a module that its world does not have")
    assert client.get("/rows").json() == [{"name": "tea", "price": 2.5}]


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("mysql://evil/x", ["connection-failed", "address mysql://evil/x is not permitted"]),
        (
            "postgres://evil:5432/x",
            ["connection-failed", "address postgres://evil:5432 is not permitted"],
        ),
        ("mqtt://db", ["invalid-address", None]),  # MQ-4
        ("mqtt://evil", ["connection-failed", "address mqtt://evil is not permitted"]),
        ("redis://evil", ["invalid-address", None]),  # NET-22
        ("llm:llama2-chat", ["runtime-error", NO_ENGINE]),  # DB-9
    ],
)
def test_a_service_that_is_not_there_gives_its_own_error(
    client: httpx.Client, address: str, error: list[str | None]
) -> None:
    """The component loads with all that its kit imports; calls fail as the interface says."""
    # NET-23 to NET-25, DB-9, DB-10
    assert client.get("/service", headers={"x-address": address}).json() == error


def test_a_request_goes_out_and_its_answer_comes_back(
    client: httpx.Client, name: str, target: str
) -> None:
    """With the kit's own client, which polls as it likes."""  # CONF-8
    answer = client.get("/relay", headers={"x-target": f"{target}/echo"})
    assert (answer.status_code, answer.text) == (200, f"from {name}")


def test_a_handler_that_raises_hurts_one_request(client: httpx.Client, name: str) -> None:
    """The client gets no 200; StarlingMonkey leaves its 500 unfinished, which breaks it off."""
    # RESP-9
    if name == JAVASCRIPT:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/throw")
    else:
        assert client.get("/throw").status_code == 500
    assert client.get("/hello").status_code == 200


@pytest.mark.parametrize(
    ("guest", "release"),
    [
        pytest.param("spin_sdk_stores", "3.4.1", id="3.4.1"),
        pytest.param("spin_sdk_5_stores", "4.0.0", id="4.0.0 awaited"),
        pytest.param("spin_sdk_5_blocking", "4.0.0", id="4.0.0 blocking"),
        pytest.param("spin_sdk_5_stores", "5.0.0", id="5.0.0 awaited"),
        pytest.param("spin_sdk_5_blocking", "5.0.0", id="5.0.0 blocking"),
    ],
)
def test_typed_stores_in_a_handler_of_spin_sdk(
    guest: str, release: str, load: Load, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """``open_stores`` and ``wait`` need nothing but the bindings that spin-sdk brings."""
    folder = tmp_path_factory.mktemp("stores")
    try:
        component = build_spin_sdk_with_stores(GUESTS / guest, folder, release)
    except PeerMissingError as error:
        pytest.skip(str(error))
    grants = """\
key_value_stores = ["default"]
sqlite_databases = ["default"]
allowed_outbound_hosts = ["*://127.0.0.1:*"]
environment = { EDGEZERO__STORES__KV__NOTES__NAME = "default" }
[component.guest.variables]
password = "hunter2"
"""
    with contextlib.ExitStack() as servers:
        if guest == "spin_sdk_5_blocking":
            redis = servers.enter_context(running_redis(folder))
            postgres = servers.enter_context(running_postgres())
            mysql = servers.enter_context(running_mariadb())
            grants += f"""\
cache_url = "redis://127.0.0.1:{redis}"
postgres_url = "postgres://postgres:postgres@127.0.0.1:{postgres}/postgres?sslmode=disable"
mysql_url = "mysql://spin:spin@127.0.0.1:{mysql}/spin_dev"
"""
        host = servers.enter_context(load(component, grants))
        port = servers.enter_context(serving(host))
        base = f"http://127.0.0.1:{port}"
        assert [httpx.get(f"{base}/note", timeout=60).text for _ in range(2)] == [
            "typed 1",
            "typed 2",
        ]
        assert httpx.get(f"{base}/secret", timeout=60).text == "hunter2"
        assert [httpx.get(f"{base}/visits", timeout=60).text for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize(
    "language", ["Python", pytest.param("Rust", marks=pytest.mark.timeout(900))]
)
def test_the_page_on_testing_is_true(language: str, tmp_path: Path) -> None:
    """Handlers of Spin's SDKs pass the tests that the page gives them, kit and all."""
    for step in read_session(ROOT / "docs" / "testing-components.md"):
        assert isinstance(step, File)
        path = tmp_path / "page" / step.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text, encoding="utf-8")
    component = tmp_path / "page" / "app.wasm"
    try:
        if language == "Python":
            build_spin_sdk(tmp_path / "page", component)
        else:
            shutil.copy(build_rust(tmp_path / "page", tmp_path), component)
    except PeerMissingError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "edgezero_spin_pytest", "-q"),
            *("-p", "no:cacheprovider", "-W", "error", "--spin-no-build"),
        ],
        cwd=tmp_path / "page",
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    with ComponentClient(component, kv={"default": {}}, secrets={"goal": "9"}) as made:
        assert made.post("/").text == "1"


def test_the_page_on_spin_sdk_shows_these_handlers() -> None:
    """What a reader copies is what the test above and tests/spin/test_sdk_stores.py run."""
    text = PAGE.read_text(encoding="utf-8")
    for guest in ("spin_sdk_5_stores", "spin_sdk_stores"):
        shown, _, text = text.partition("```python\n")[2].partition("```")
        source = (GUESTS / guest / "app.py").read_text(encoding="utf-8")
        assert source.endswith(shown)
        assert "import attrs" in shown


def test_a_component_written_as_text(load: Load) -> None:
    """Twelve imported functions are enough to answer."""
    with load(GUESTS / "hello.wat") as host, serving(host) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/any/path", timeout=60)
        assert (answer.status_code, answer.text) == (200, "hello from WAT\n")
        assert "content-type" not in answer.headers
