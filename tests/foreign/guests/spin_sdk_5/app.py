"""A handler on spin-sdk 4.0.0 or 5.0.0 alone, on every interface of WASI 0.3 that Spin has.

Each path answers with JSON that ``tests/foreign/test_wasi_03.py`` looks at. Release 5.0.0 has the
interfaces of WASI 0.3.0 and those of its candidate, 4.0.0 the latter; ``?candidate`` asks for them.
"""

# spin-sdk is installed only where its component is built.
# mypy: disable-error-code="import-not-found, misc, no-untyped-def, no-untyped-call, type-arg"

import asyncio
import importlib
import json
import re
import sys
from inspect import isawaitable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from componentize_py_async_support import spawn
from componentize_py_types import Err, Ok
from spin_sdk import http, key_value, mqtt, mysql, postgres, redis, sqlite, variables, wit
from spin_sdk.http import Request, Response
from spin_sdk.util import collect
from spin_sdk.wit.imports.spin_redis_redis_3_0_0 import RedisParameter_Binary

_MODULES = {
    "cli": ("environment", "exit", "stdin", "stdout", "stderr", "terminal_stdout"),
    "clocks": ("monotonic_clock", "system_clock"),
    "filesystem": ("preopens", "types"),
    "random": ("random", "insecure", "insecure_seed"),
    "sockets": ("types", "ip_name_lookup"),
}


class Wasi:
    """The modules of one version by their short names."""

    def __init__(self, version: str) -> None:
        for package, interfaces in _MODULES.items():
            for interface in interfaces:
                name = f"{package}_{interface}"
                found = importlib.import_module(f"spin_sdk.wit.imports.wasi_{name}_{version}")
                setattr(self, name, found)


CANDIDATE = Wasi("0_3_0_rc_2026_03_15")
try:
    WASI = Wasi("0_3_0")
except ImportError:
    WASI = CANDIDATE

# Requests that this instance has seen.
seen = 0


class HttpHandler(http.Handler):
    """Answers as ``tests/foreign/test_wasi_03.py`` asks."""

    async def handle(self, request):
        if urlsplit(request.get_path_with_query() or "").path == "/lines":
            return lines(request)
        return await super().handle(request)

    async def handle_request(self, request: Request) -> Response:
        global seen
        seen += 1
        url = urlsplit(request.uri)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/echo":
            return Response(200, {"content-type": "application/octet-stream"}, request.body)
        if url.path == "/relay":
            return await http.send(Request("POST", query["target"], {}, b"from spin-sdk"))
        answer = PATHS[url.path]
        wasi = CANDIDATE if "candidate" in query else WASI
        value = await answer(wasi, query)
        return Response(200, {"content-type": "application/json"}, json.dumps(value).encode())


def lines(request):
    """Write three lines in a task that outlives the function."""
    types = sys.modules[type(request).__module__]
    tx, rx = wit.byte_stream()

    async def write() -> None:
        with tx:
            for number in range(3):
                await tx.write_all(b"line %d\n" % number)

    spawn(write())
    makers = vars(wit)
    version = types.__name__.partition("types_")[2]
    name = f"wasi_http_types_{version}"
    trailers = makers[f"result_option_{name}_fields_{name}_error_code_future"](lambda: Ok(None))[1]
    return types.Response.new(types.Fields(), rx, trailers)[0]


def case_of(error: Err) -> str:
    """The case as WIT spells it, with its text if there is one."""
    value = error.value
    case = re.sub(r"(?<!^)(?=[A-Z])", "-", type(value).__name__.partition("_")[2]).lower()
    text = getattr(value, "value", None)
    return case if text is None else f"{case}: {text}"


async def outcome(work) -> str:
    """``ok``, or the case of what an awaitable raises."""
    try:
        await work
    except Err as error:
        return case_of(error)
    return "ok"


def refusal(call, *arguments) -> str:
    """The case of what a plain function raises."""
    try:
        call(*arguments)
    except Err as error:
        return case_of(error)
    return "ok"


async def ended(future) -> str:
    """How a stream ended, by the future beside it."""
    with future:
        result = await future.read()
    return case_of(result) if isinstance(result, Err) else "ok"


async def drained(pair) -> tuple[list, str]:
    """All that a stream brings, and how it ended."""
    stream, future = pair
    found: list = []
    with stream:
        while not stream.writer_dropped:
            found += await stream.read(1000)
    return found, await ended(future)


async def written(start, *pieces: bytes) -> str:
    """Hand a stream to a function, write to it, and tell how it ended."""
    tx, rx = wit.byte_stream()
    future = start(rx)
    with tx:
        for piece in pieces:
            if tx.reader_dropped:
                break
            await tx.write_all(piece)
    return await ended(future)


async def counted(wasi, query):
    """How many requests the instance has seen, while it waits a moment."""
    await wasi.clocks_monotonic_clock.wait_for(int(query.get("ms", 0)) * 1_000_000)
    return seen


async def environment(wasi, query):
    """What a component sees of its surroundings."""
    found = wasi.cli_environment
    return {
        "environment": found.get_environment(),
        "arguments": found.get_arguments(),
        "directory": found.get_initial_cwd(),
        "terminal": wasi.cli_terminal_stdout.get_terminal_stdout() is not None,
        "stdin": await drained(wasi.cli_stdin.read_via_stream()),
    }


async def output(wasi, query):
    """Two streams to one output, and one to the other."""
    return [
        await written(wasi.cli_stdout.write_via_stream, b"one\n", b"two\n"),
        await written(wasi.cli_stdout.write_via_stream, b"three\n"),
        await written(wasi.cli_stderr.write_via_stream, b"", b"four\n"),
    ]


async def clocks(wasi, query):
    """Both clocks, and a wait of no length and of some."""
    clock, system = wasi.clocks_monotonic_clock, wasi.clocks_system_clock
    before = clock.now()
    await clock.wait_for(0)
    await clock.wait_until(before)
    await clock.wait_for(5_000_000)
    now = system.now()
    return {
        "waited": clock.now() - before,
        "seconds": now.seconds,
        "nanoseconds": now.nanoseconds,
        "resolutions": [clock.get_resolution(), system.get_resolution()],
    }


async def random(wasi, query):
    """Lengths of what was asked for, and whether two numbers differ."""
    secure, insecure = wasi.random_random, wasi.random_insecure
    return [
        len(secure.get_random_bytes(10)),
        len(insecure.get_insecure_random_bytes(0)),
        secure.get_random_u64() != insecure.get_insecure_random_u64(),
        len(wasi.random_insecure_seed.get_insecure_seed()),
    ]


async def sockets(wasi, query):
    """What every function says that would touch the network."""
    types, lookup = wasi.sockets_types, wasi.sockets_ip_name_lookup
    v4, v6 = types.IpAddressFamily.IPV4, types.IpAddressFamily.IPV6
    here = types.IpSocketAddress_Ipv4(types.Ipv4SocketAddress(80, (127, 0, 0, 1)))
    nowhere = types.IpSocketAddress_Ipv4(types.Ipv4SocketAddress(0, (127, 0, 0, 1)))
    tcp, udp = types.TcpSocket.create(v4), types.UdpSocket.create(v4)
    other = types.TcpSocket.create(v6)
    tcp.set_hop_limit(9)
    return {
        "connect": await outcome(tcp.connect(here)),
        "connect to port 0": await outcome(tcp.connect(nowhere)),
        "connect to another family": await outcome(other.connect(here)),
        "bind": refusal(tcp.bind, here),
        "listen": refusal(tcp.listen),
        "send": await written(tcp.send, b"data"),
        "receive": await drained(tcp.receive()),
        "address": refusal(tcp.get_local_address),
        "hop limit": [tcp.get_hop_limit(), refusal(tcp.set_hop_limit, 0)],
        "udp connect": refusal(udp.connect, here),
        "udp disconnect": refusal(udp.disconnect),
        "udp send": await outcome(udp.send(b"data", here)),
        "udp send to nobody": await outcome(udp.send(b"data", None)),
        "udp send too much": await outcome(udp.send(bytes(65536), here)),
        "udp receive": await outcome(udp.receive()),
        "lookup": await outcome(lookup.resolve_addresses("localhost")),
        "lookup of no name": await outcome(lookup.resolve_addresses("a b")),
    }


async def files(wasi, query):
    """Read, list, and try to write what is mounted."""
    fs = wasi.filesystem_types
    mounts = {name: descriptor for descriptor, name in wasi.filesystem_preopens.get_directories()}
    root = mounts["/"]
    none, follow = fs.PathFlags(0), fs.PathFlags.SYMLINK_FOLLOW
    read, write = fs.DescriptorFlags.READ, fs.DescriptorFlags.WRITE
    opened = await root.open_at(none, "text.txt", fs.OpenFlags(0), read)
    stat = await opened.stat()
    begun, begun_end = opened.read_via_stream(0)
    piece = await begun.read(3)
    begun.__exit__(None, None, None)

    async def open_for(flags, path="text.txt"):
        create = fs.OpenFlags.CREATE if path == "new.txt" else fs.OpenFlags(0)
        with await root.open_at(follow, path, create, flags):
            pass

    names, listed = await drained(root.read_directory())
    content, whole = await drained(opened.read_via_stream(0))
    tail, _ = await drained(opened.read_via_stream(6))
    return {
        "mounts": sorted(mounts),
        "content": bytes(content).decode(),
        "tail": bytes(tail).decode(),
        "piece": [piece.decode(), await ended(begun_end)],
        "ends": [whole, listed],
        "names": sorted(
            [entry.name, type(entry.type).__name__.partition("_")[2]] for entry in names
        ),
        "stat": [
            type(stat.type).__name__,
            stat.size,
            stat.data_modification_timestamp.seconds,
            stat.data_modification_timestamp.nanoseconds,
        ],
        "type": type(await opened.get_type()).__name__,
        "errors": {
            "missing": await outcome(open_for(read, "missing.txt")),
            "outside": await outcome(open_for(read, "../outside.txt")),
            "for writing": await outcome(open_for(write)),
            "new": await outcome(open_for(read | write, "new.txt")),
            "directory": await outcome(root.create_directory_at("new")),
            "removal": await outcome(root.unlink_file_at("text.txt")),
            "write to a read-only file": await written(
                lambda rx: opened.write_via_stream(rx, 0), b"x" * 100_000
            ),
            "append to a directory": await written(root.append_via_stream, b"x"),
            "read of a directory": (await drained(root.read_via_stream(0)))[1],
            "listing of a file": (await drained(opened.read_directory()))[1],
        },
    }


async def writes(wasi, query):
    """Write a file at the writable mount in pieces, append to it and read it back."""
    fs = wasi.filesystem_types
    mounts = {name: descriptor for descriptor, name in wasi.filesystem_preopens.get_directories()}
    flags = fs.DescriptorFlags.READ | fs.DescriptorFlags.WRITE
    opened = await mounts["/"].open_at(fs.PathFlags(0), "made.bin", fs.OpenFlags.CREATE, flags)
    size = int(query["size"])
    ends = [
        await written(lambda rx: opened.write_via_stream(rx, 0), b"a" * size, b"b" * size),
        await written(lambda rx: opened.write_via_stream(rx, 1), b"c"),
        await written(opened.append_via_stream, b"d"),
    ]
    content = bytes((await drained(opened.read_via_stream(0)))[0])
    await opened.set_times(
        fs.NewTimestamp_NoChange(),
        fs.NewTimestamp_Timestamp(wasi.clocks_system_clock.Instant(-5, 250_000_000)),
    )
    changed = (await opened.stat()).data_modification_timestamp
    return {
        "ends": ends,
        "same": content == b"ac" + b"a" * (size - 2) + b"b" * size + b"d",
        "time": [changed.seconds, changed.nanoseconds],
    }


async def visits(wasi, query):
    """One read and one write of a store."""
    with await key_value.open_default() as store:
        before = await store.get("visits")
        count = 1 if before is None else int(before) + 1
        await store.set("visits", str(count).encode())
    return count


async def keys(wasi, query):
    """List keys with other calls in between, and without reading all of them."""
    with await key_value.open_default() as store:
        for number in range(int(query["count"])):
            await store.set(f"key {number}", b"")
        stream, end = await store.get_keys()
        found = []
        with stream:
            while not stream.writer_dropped:
                some = await stream.read(int(query.get("most", 100)))
                found += some
                for key in some[:1]:
                    await store.get(key)
        whole = await ended(end)
        stream, end = await store.get_keys()
        if query.get("first") == "future":
            early = await ended(end)
            stream.__exit__(None, None, None)
        else:
            stream.__exit__(None, None, None)
            early = await ended(end)
        return {"found": len(set(found)), "read": len(found), "whole": whole, "early": early}


async def handles(wasi, query):
    """Open as many handles as there may be, and one more."""
    opened = [await key_value.open_default() for _ in range(256)]
    full = await outcome(key_value.open_default())
    for store in opened:
        store.__exit__(None, None, None)
    return [full, await outcome(key_value.open("other"))]


async def rows(wasi, query):
    """SQL with rows as a stream, other calls while it is open, and what goes wrong."""
    text, number = sqlite.Value_Text, sqlite.Value_Integer
    with await sqlite.Connection.open_default() as database:
        await collect((await database.execute("DROP TABLE IF EXISTS t", []))[1:])
        await collect((await database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", []))[1:])
        insert = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        insert += "INSERT INTO t SELECT i, 'row ' || i FROM n"
        await collect((await database.execute(insert, [number(1000)]))[1:])
        changes, last = await database.changes(), await database.last_insert_rowid()
        columns, stream, end = await database.execute("SELECT id, v FROM t", [])
        with stream:
            first = await stream.read(1)
            between = await database.changes()
            plain = database.connection.execute(
                "SELECT count(*) FROM t WHERE v = ?", [text("row 7")]
            )
            found = list(first)
            while not stream.writer_dropped:
                found += await stream.read(100)
        whole = await ended(end)
        _, stream, end = await database.execute("SELECT v FROM t", [])
        stream.__exit__(None, None, None)
        endless = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i FROM n) SELECT i FROM n"
        abandoned = (await database.execute(endless, []))[1:]
        abandoned[0].__exit__(None, None, None)
        return {
            "changes": [changes, last, between],
            "columns": columns,
            "first": [value.value for value in first[0].values],
            "plain": plain.rows[0].values[0].value,
            "rows": [len(found), len({row.values[0].value for row in found})],
            "ends": [whole, await ended(end), await ended(abandoned[1])],
            "errors": [
                await drained((await database.execute("selec 1", []))[1:]),
                await drained((await database.execute("SELECT 1", [text("x")]))[1:]),
                await drained((await database.execute("INSERT INTO t VALUES(7, 0)", []))[1:]),
                await outcome(sqlite.Connection.open("other")),
            ],
        }


async def server(wasi, query):
    """A Redis server, asked by two tasks at once on one connection."""
    refused = await outcome(redis.open("redis://elsewhere"))
    no_address = await outcome(redis.open("nonsense://x"))
    with await redis.open(query["address"]) as connection:
        await connection.set("k", b"1")
        await asyncio.gather(*[connection.incr("k") for _ in range(10)])
        value = await connection.get("k")
        added = await connection.sadd("s", ["a", "b"])
        reply = await connection.execute("echo", [RedisParameter_Binary(b"hi")])
        return {
            "refused": [refused, no_address],
            "value": int(value or b"0"),
            "added": added,
            "members": sorted(await connection.smembers("s")),
            "wrong type": await outcome(connection.sadd("k", ["a"])),
            "deleted": await connection.del_(["k", "s"]),
            "reply": [type(part).__name__ for part in reply],
        }


async def values(wasi, query):
    """Variables that are there, and others."""
    return [
        await variables.get("greeting"),
        await outcome(variables.get("missing")),
        await outcome(variables.get("Not A Name")),
    ]


async def services(wasi, query):
    """Databases and a broker that are not there."""

    async def opened(function, *arguments):
        # Not all of them are asynchronous in 4.0.0.
        found = function(*arguments)
        return await found if isawaitable(found) else found

    return [
        await outcome(opened(mysql.open, "mysql://db")),
        await outcome(postgres.Connection.open("postgres://db")),
        await outcome(opened(mqtt.open, "mqtt://db", "user", "password", 30)),
    ]


async def postgres_rows(wasi, query):
    """Rows of PostgreSQL as a stream, to its end and not, and what goes wrong on the way."""
    connection = await postgres.Connection.open(query["address"])
    sql = "SELECT g, 'row ' || g FROM generate_series(1, 500) g"
    columns, stream, end = await connection.query(sql, [])
    found = await collect((stream, end))
    _, dropped, _ = await connection.query("SELECT generate_series(1, 100000000)", [])
    dropped.__exit__(None, None, None)
    _, stream, end = await connection.query("SELECT 1/(g-3) FROM generate_series(1, 5) g", [])
    before = []
    with stream:
        while not stream.writer_dropped:
            before += await stream.read(10)
    failed = await end.read()
    return {
        "columns": [column.name for column in columns],
        "rows": [[value.value for value in row] for row in (found[0], found[-1])],
        "count": len(found),
        "before": [row[0].value for row in before],
        "failed": failed.value.value.value.code,
        "touched": await connection.execute("CREATE TEMP TABLE t AS SELECT 1", []),
        "refused": await outcome(connection.query("SELEC", [])),
    }


async def leave(wasi, query):
    """End the instance."""
    wasi.cli_exit.exit(Ok(None))


PATHS: dict[str, Any] = {
    "/counted": counted,
    "/environment": environment,
    "/output": output,
    "/clocks": clocks,
    "/random": random,
    "/sockets": sockets,
    "/files": files,
    "/writes": writes,
    "/visits": visits,
    "/keys": keys,
    "/handles": handles,
    "/rows": rows,
    "/server": server,
    "/values": values,
    "/services": services,
    "/postgres": postgres_rows,
    "/leave": leave,
}
