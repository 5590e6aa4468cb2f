"""Core modules in the place of components: what they are granted, and where their output goes."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pytest

import edgezero_spin
from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.errors import LinkError
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.factors.wasi.filesystem.descriptors import DirectoryMount
from edgezero_spin.host.http.trigger import HttpEntry, HttpTriggers
from edgezero_spin.host.load.plan import ApplicationPlan, ComponentPlan
from edgezero_spin.host.runtime.component_loading import CompiledComponent, load_component
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.linking import ImportProvider, link
from edgezero_spin.stores.memory import MemoryKeyValue
from edgezero_spin.testing import ComponentClient
from tests.host.support import Capture, HostLog
from tests.wasm.component.core_guests import core, embedded

WIT = Path(edgezero_spin.__file__).parent / "wit"

# As Rust compiles a handler for wasm32-wasip1: WASI 0.1 beside the interfaces of its world.
HANDLER = """(module
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-response"
    (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-body.write" (func $stream (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]outgoing-body.finish"
    (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $send (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop-stream (param i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 2)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
  (data (i32.const 1024) "to stdout\\n")
  (data (i32.const 1040) "data.txt")
  (func $print (param i32 i32 i32)
    (i32.store (i32.const 0) (local.get 1)) (i32.store (i32.const 4) (local.get 2))
    (drop (call $fd_write (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "wasi:http/incoming-handler@0.2.0#handle") (param $request i32) (param $out i32)
    (local $response i32) (local $body i32) (local $stream i32) (local $size i32)
    CODE
    (local.set $response (call $response (call $fields)))
    (call $body (local.get $response) (i32.const 512))
    (local.set $body (i32.load (i32.const 516)))
    (call $stream (local.get $body) (i32.const 512))
    (local.set $stream (i32.load (i32.const 516)))
    (call $set (local.get $out) (i32.const 0) (local.get $response)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $send (local.get $stream) (i32.const 2048) (local.get $size) (i32.const 512))
    (call $drop-stream (local.get $stream))
    (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 512))))"""

# As Rust compiles a handler of WASI 0.3 for wasm32-wasip1: it waits, and answers when it is woken.
HANDLER_03 = """(module
  (import "wasi:clocks/monotonic-clock@0.3.0" "[async-lower]wait-for"
    (func $wait-for (param i64) (result i32)))
  (import "wasi:http/types@0.3.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.3.0" "[future-new-1][static]response.new"
    (func $trailers (result i64)))
  (import "wasi:http/types@0.3.0" "[async-lower][future-write-1][static]response.new"
    (func $write (param i32 i32) (result i32)))
  (import "wasi:http/types@0.3.0" "[static]response.new"
    (func $response (param i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.3.0" "[method]response.set-status-code"
    (func $status (param i32 i32) (result i32)))
  (import "wasi:http/types@0.3.0" "[resource-drop]request" (func $drop (param i32)))
  (import "[export]wasi:http/handler@0.3.0" "[task-return]handle"
    (func $return (param i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "$root" "[waitable-set-new]" (func $set (result i32)))
  (import "$root" "[waitable-join]" (func $join (param i32 i32)))
  (import "$root" "[subtask-drop]" (func $subtask-drop (param i32)))
  (import "$root" "[context-set-0]" (func $keep (param i32)))
  (import "$root" "[context-get-0]" (func $kept (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get"
    (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 2048) "woken\\n")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
  (func (export "[async-lift]wasi:http/handler@0.3.0#handle") (param $request i32) (result i32)
    (local $set i32)
    (call $drop (local.get $request))
    (drop (call $sizes (i32.const 8) (i32.const 12)))
    (call $keep (i32.add (i32.const 200) (i32.load (i32.const 8))))
    (local.set $set (call $set))
    (call $join
      (i32.shr_u (call $wait-for (i64.const 1000000)) (i32.const 4)) (local.get $set))
    (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
  (func (export "[callback][async-lift]wasi:http/handler@0.3.0#handle")
    (param $event i32) (param $subtask i32) (param $state i32) (result i32)
    (local $trailers i64)
    (drop (call $random_get (i32.const 32) (i32.const 8)))
    (i32.store (i32.const 32) (i32.const 2048)) (i32.store (i32.const 36) (i32.const 6))
    (drop (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 40)))
    (call $subtask-drop (local.get $subtask))
    (local.set $trailers (call $trailers))
    (call $response (call $fields) (i32.const 0) (i32.const 0)
      (i32.wrap_i64 (local.get $trailers)) (i32.const 16))
    (drop (call $write
      (i32.wrap_i64 (i64.shr_u (local.get $trailers) (i64.const 32))) (i32.const 1024)))
    (drop (call $status (i32.load (i32.const 16)) (call $kept)))
    (call $return (i32.const 0) (i32.load (i32.const 16))
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (i32.const 0)))"""

ENVIRONMENT = """(drop (call $environ_get (i32.const 600) (i32.const 2048)))
  (local.set $size (i32.const 11))"""
RANDOM = "(drop (call $random_get (i32.const 2048) (i32.const 8))) (local.set $size (i32.const 8))"
CLOCK = """(drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 2048)))
  (local.set $size (i32.const 8))"""
ARGUMENTS = """(drop (call $args (i32.const 2048) (i32.const 2052)))
  (local.set $size (i32.const 8))"""
FILE = """
  (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1040) (i32.const 8)
    (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16)))
  (i32.store (i32.const 0) (i32.const 2048)) (i32.store (i32.const 4) (i32.const 4))
  (drop (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
  (local.set $size (i32.load (i32.const 8)))"""
PRINT = "(call $print (i32.const FD) (i32.const 1024) (i32.const 10))"


def handler(code: str, folder: Path) -> Path:
    """Write a module that answers with what the code leaves at 2048; return its path."""
    made = folder / "handler.wasm"
    made.write_bytes(embedded(HANDLER.replace("CODE", code), WIT, "http-trigger", folder))
    return made


def ask(host: Host, target: str = "/") -> tuple[int, bytes]:
    """Status and body of one request."""

    async def scenario() -> tuple[int, bytes]:
        response = await host.handle(HttpRequest(target=target))
        return response.status, await response.read()

    return asyncio.run(scenario())


Run = Callable[..., Host]


@pytest.fixture
def run(shared_engine: Engine) -> Run:
    """A host of one component."""

    def make(
        source: Path,
        logs: Capture | None = None,
        settings: HostSettings | None = None,
        variables: VariableResolver | None = None,
        stores: Mapping[str, MemoryKeyValue] | None = None,
        **parts: object,
    ) -> Host:
        plan = ApplicationPlan(
            name="modules",
            components=(ComponentPlan(id="module", source=source, **parts),),  # type: ignore[arg-type]
            triggers=(HttpTriggers((HttpEntry(id="module", route="/...", component="module"),)),),
        )
        return Host(
            plan,
            engine=shared_engine,
            settings=settings or HostSettings(cache_dir=None),
            logs=Logs(None, echo_to=logs or Capture()),
            variables=variables,
            stores=stores,
        )

    return make


# GEN-8
def test_a_handler_of_wasi_03_is_adapted(run: Run, tmp_path: Path) -> None:
    """It waits, is called back, and has WASI 0.1 beside; requests may share its instance."""
    module = tmp_path / "handler.wasm"
    module.write_bytes(embedded(HANDLER_03, WIT, "http-service", tmp_path))
    with run(module, environment={"A": "1", "B": "2"}) as host:
        assert [ask(host) for _ in range(3)] == [(202, b"")] * 3


# GEN-8, ENV-1 to ENV-5
def test_a_handler_has_the_environment_of_a_component(run: Run, tmp_path: Path) -> None:
    """Its variables, no arguments, and its mounts."""
    with run(handler(ENVIRONMENT, tmp_path), environment={"NAME": "value"}) as host:
        assert ask(host) == (200, b"NAME=value\0")
    with run(handler(ARGUMENTS, tmp_path)) as host:
        assert ask(host) == (200, bytes(8))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "data.txt").write_text("file")
    with run(
        handler(FILE, tmp_path), mounts=(DirectoryMount("/", tmp_path / "files", False),)
    ) as host:
        assert ask(host) == (200, b"file")


@pytest.mark.parametrize("descriptor", [1, 2])
def test_what_a_handler_prints_is_logged(run: Run, descriptor: int, tmp_path: Path) -> None:
    """Output and errors, as of any component."""
    logs = Capture()
    with run(handler(PRINT.replace("FD", str(descriptor)), tmp_path), logs) as host:
        assert ask(host) == (200, b"")
    assert b"to stdout" in logs.content


def test_a_test_sees_what_a_handler_prints(tmp_path: Path) -> None:
    """On the answer that it printed for, though the engine writes on a thread of its own."""
    code = PRINT.replace("FD", "2") + RANDOM
    with ComponentClient(handler(code, tmp_path), seed=7) as client:
        assert [client.get("/").stderr for _ in range(2)] == ["to stdout\n"] * 2


def test_a_test_of_a_handler_of_wasi_03_has_its_own(tmp_path: Path) -> None:
    """Variables before its first request, random bytes and output after a pause."""
    module = tmp_path / "handler.wasm"
    module.write_bytes(embedded(HANDLER_03, WIT, "http-service", tmp_path))
    with ComponentClient(module, env={"A": "1"}) as client:
        for answer in (client.get("/") for _ in range(2)):
            assert (answer.status, answer.stdout) == (201, "woken\n")


def test_a_handler_that_exits_is_no_answer(run: Run, tmp_path: Path) -> None:
    """`proc_exit` ends it as `wasi:cli/exit` does."""
    with HostLog() as log, run(handler("(call $proc_exit (i32.const 3))", tmp_path)) as host:
        assert ask(host)[0] == 500
        assert log.wait_for(b"exited with status 3")


def test_a_large_module_is_split_and_finds_its_memory(run: Run, tmp_path: Path) -> None:
    """A module with a megabyte of data becomes two; WASI 0.1 reads the memory of both."""
    text = HANDLER.replace("CODE", ENVIRONMENT).replace(
        '(memory (export "memory") 2)',
        '(memory (export "memory") 40) (data (i32.const 131072) "' + "x" * (1 << 20) + '")',
    )
    source = tmp_path / "large.wasm"
    source.write_bytes(embedded(text, WIT, "http-trigger", tmp_path))
    with run(source, environment={"NAME": "value"}) as host:
        assert ask(host) == (200, b"NAME=value\0")


def test_a_test_fixes_clock_and_randomness_of_a_module(tmp_path: Path) -> None:
    """With `now` and `seed`, as for a component; the kit's variables reach it, too."""
    with ComponentClient(
        handler(CLOCK, tmp_path), now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    ) as client:
        assert int.from_bytes(client.get("/").content, "little") == 1767323045 * 10**9
    found = []
    for _ in range(2):
        with ComponentClient(handler(RANDOM, tmp_path), seed=7) as client:
            found.append(client.get("/").content)
    assert found[0] == found[1] != bytes(8)


# As wit-bindgen 0.2 made it: the handler asks for a variable and keeps it in a store.
SPIN_1 = """(module
  (import "spin-config" "get-config" (func $config (param i32 i32 i32)))
  (import "key-value" "open" (func $open (param i32 i32 i32)))
  (import "key-value" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (import "key-value" "get" (func $get (param i32 i32 i32 i32)))
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 65536))
  (data (i32.const 1024) "goaldefaultkey")
  (func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "canonical_abi_free") (param i32 i32 i32))
  (func (export "handle-http-request")
    (param $method i32) (param $uri i32) (param $uri-size i32)
    (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (local $store i32)
    (call $config (i32.const 1024) (i32.const 4) (i32.const 16))
    (call $open (i32.const 1028) (i32.const 7) (i32.const 48))
    (local.set $store (i32.load (i32.const 52)))
    (call $set (local.get $store) (i32.const 1035) (i32.const 3)
      (i32.load (i32.const 20)) (i32.load (i32.const 24)) (i32.const 64))
    (call $get (local.get $store) (i32.const 1035) (i32.const 3) (i32.const 80))
    (i32.store16 (i32.const 256) (i32.add (i32.const 200) (i32.load8_u (i32.const 80))))
    (i32.store8 (i32.const 260) (i32.const 0))
    (i32.store8 (i32.const 272) (i32.const 1))
    (i32.store (i32.const 276) (i32.load (i32.const 84)))
    (i32.store (i32.const 280) (i32.load (i32.const 88)))
    (i32.const 256)))"""


# GEN-8
def test_a_module_of_spin_1_answers(run: Run, tmp_path: Path) -> None:
    """Its variables and stores are those of the interfaces that came after it."""
    source = tmp_path / "old.wasm"
    source.write_bytes(core(SPIN_1))
    store = MemoryKeyValue()
    templates = {"module": {"goal": "42"}}
    variables = VariableResolver({}, templates)
    with run(
        source, variables=variables, stores={"default": store}, key_value_stores=("default",)
    ) as host:
        assert ask(host, "/any") == (200, b"42")
    assert store.get("key") == b"42"


def test_a_dependency_has_no_wasi_01_of_its_own(shared_engine: Engine, tmp_path: Path) -> None:
    """It would have the files and variables of the component that depends on it."""
    user = tmp_path / "user.wasm"
    user.write_bytes(embedded(USER, USER_WIT, "user", tmp_path))
    provider = tmp_path / "provider.wasm"
    provider.write_bytes(
        embedded(
            """(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
              (memory (export "memory") 1) (func (export "test:guest/api#go") (drop (call 0))))""",
            USER_WIT,
            "provider",
            tmp_path,
        )
    )
    given = _Provider(load_component(shared_engine, provider))
    with pytest.raises(LinkError, match=r"the dependency 'test:guest/api' imports WASI 0\.1"):
        link(
            shared_engine,
            load_component(shared_engine, user, joined=True),
            {},
            {"test:guest/api": given},
        )


USER = """(module (import "test:guest/api" "go" (func))
  (func (export "run") (call 0)))"""

USER_WIT = """package test:guest;
interface api { go: func(); }
world user { import api; export run: func(); }
world provider { export api; }
"""


class _Provider:
    """A dependency."""

    name = "provider"
    export = "test:guest/api"
    interfaces: Mapping[str, Interface] = MappingProxyType({})
    dependencies: Mapping[str, ImportProvider] = MappingProxyType({})

    def __init__(self, component: CompiledComponent) -> None:
        self.component = component
