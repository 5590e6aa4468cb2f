"""A handler that speaks `wasi:http@0.3.0` itself: what a request asks for is done to the letter."""

import json
import os
from typing import Any

import componentize_py_async_support as support
import wit_world
from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import client, monotonic_clock
from wit_world.imports import wasi_http_types as types

Fields = types.Fields
trailers_future = wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future
result_future = wit_world.result_unit_wasi_http_types_error_code_future

served = 0
seen: list[str] = []
name = ""


def complete() -> Any:
    return Ok(None)


def shown(value: Any) -> str:
    """A result, an error code or an error in words."""
    if isinstance(value, Ok):
        return "ok" if value.value is None else f"ok({value.value})"
    if isinstance(value, Err):
        return f"err({shown(value.value)})"
    text = type(value).__name__.split("_")[-1]
    payload = getattr(value, "value", None)
    return text if payload is None else f"{text}({payload})"


class Answer:
    """A response, and the ends that its body is written by."""

    def __init__(self, headers: list[tuple[str, bytes]], status: int = 200) -> None:
        self.writer, reader = wit_world.byte_stream()
        self.end, trailers = trailers_future(complete)
        self.response, self.sent = types.Response.new(Fields.from_list(headers), reader, trailers)
        self.response.set_status_code(status)

    async def note(self) -> None:
        """Write down what became of it."""
        seen.append(shown(await self.sent.read()))

    async def write(self, data: bytes, trailers: Any = None) -> None:
        with self.writer as writer:
            left = data
            while left and not writer.reader_dropped:
                left = left[await writer.write(left) :]
        with self.end as end:
            await end.write(Ok(None) if trailers is None else trailers)


def text(body: str, headers: list[tuple[str, bytes]] | None = None, status: int = 200) -> Any:
    answer = Answer(headers or [], status)
    support.spawn(answer.write(body.encode()))
    return answer.response


async def read_all(reader: Any) -> bytes:
    """All of a stream, and how many reads it took."""
    parts = []
    with reader:
        while not reader.writer_dropped:
            parts.append(await reader.read(65536))
    return b"".join(parts)


def verdict(value: Any = None) -> Any:
    """The future that says what became of a body."""
    writer, reader = result_future(complete)
    support.spawn(writer.write(Ok(None) if value is None else value))
    return reader


def attempt(action: Any) -> str:
    try:
        found = action()
    except Err as error:
        return f"err({shown(error.value)})"
    return "ok" if found is None else str(found)


def fields_table() -> dict[str, str]:
    """Each rule for fields, tried."""
    fields = Fields()
    own = Fields.from_list([("a", b"1"), ("A", b"2"), ("b", b"3"), ("a", b"4")])
    rows = {
        "space": attempt(lambda: fields.append("Foo Bar", b"")),
        "host": attempt(lambda: fields.append("host", b"x")),
        "te": attempt(lambda: fields.append("TE", b"trailers")),
        "line": attempt(lambda: fields.append("x", b"a\r\nb")),
        "plus": attempt(lambda: fields.set("content-length", [b"+5"])),
        "empty": attempt(lambda: fields.set("Content-Length", [b""])),
        "large": attempt(lambda: fields.set("content-length", [b"18446744073709551616"])),
        "largest": attempt(lambda: fields.set("content-length", [b"18446744073709551615"])),
        "zeros": attempt(lambda: fields.set("content-length", [b"007"])),
        "plain": str(fields.get("Content-Length")),
        "together": str(own.copy_all()),
        "taken": str(own.get_and_delete("A")),
        "left": str(own.copy_all()),
        "gone": attempt(lambda: own.delete("never")),
        "none": attempt(lambda: own.set("b", [])),
        "odd": str(own.get("Foo Bar")) + str(own.has("Foo Bar")),
        "size": attempt(lambda: own.append("x-big", b"v" * 140_000)),
        "list": attempt(lambda: str(Fields.from_list([("transfer-encoding", b"chunked")]))),
    }
    request, _ = types.Request.new(Fields(), None, trailers_future(complete)[1], None)
    got = request.get_headers()
    rows["immutable"] = attempt(lambda: got.set("a", [b"1"]))
    rows["syntax before immutable"] = attempt(lambda: got.set("a b", [b"1"]))
    rows["method"] = shown(request.get_method())
    rows["rest"] = str(
        (request.get_path_with_query(), request.get_scheme(), request.get_authority())
    )
    for authority in ("h:", "h:abc", "[::1]", "[::1]:443", "h:443", ":80", "a b", "h:99999x"):
        rows[authority] = attempt(lambda value=authority: request.set_authority(value))
    rows["bad method"] = attempt(lambda: request.set_method(types.Method_Other("a b")))
    rows["bad path"] = attempt(lambda: request.set_path_with_query("no slash"))
    rows["bad scheme"] = attempt(lambda: request.set_scheme(types.Scheme_Other("1:")))
    options = types.RequestOptions()
    options.set_connect_timeout(5)
    rows["options"] = str((options.get_connect_timeout(), options.get_first_byte_timeout()))
    request, _ = types.Request.new(Fields(), None, trailers_future(complete)[1], options)
    kept = request.get_options()
    assert kept is not None
    rows["kept"] = str(kept.get_connect_timeout())
    rows["kept set"] = attempt(lambda: kept.set_connect_timeout(6))
    rows["copy set"] = attempt(lambda: kept.clone().set_connect_timeout(6))
    return rows


def statuses() -> dict[str, str]:
    response = Answer([]).response
    return {str(n): attempt(lambda n=n: response.set_status_code(n)) for n in (99, 100, 599, 600)}


def look(request: Any) -> dict[str, Any]:
    """All that a request says of itself."""
    headers = request.get_headers()
    return {
        "method": shown(request.get_method()),
        "scheme": shown(request.get_scheme()),
        "authority": request.get_authority(),
        "path": request.get_path_with_query(),
        "options": request.get_options(),
        "headers": [(name, value.decode()) for name, value in headers.copy_all()],
        "clone": attempt(lambda: headers.clone().set("x-a", [b"1"])),
        "set": attempt(lambda: headers.set("x-a", [b"1"])),
        "set path": attempt(lambda: request.set_path_with_query("/other")),
    }


async def send(request: Any, method: str = "get", body: bytes | None = None) -> Any:
    """Send a request to where `x-target` says; the answer, or the code of the refusal."""
    asked = {name: value.decode() for name, value in request.get_headers().copy_all()}
    options = types.RequestOptions()
    for part in ("connect", "first_byte", "between_bytes"):
        limit = asked.get(f"x-{part}")
        if limit is not None:
            getattr(options, f"set_{part}_timeout")(int(limit) * 1_000_000)
    length = asked.get("x-length")
    headers = [] if length is None else [("content-length", length.encode())]
    end, trailers = trailers_future(complete)
    reader = None
    if body is not None:
        writer, reader = wit_world.byte_stream()

        async def write() -> None:
            with writer:
                left = body
                while left and not writer.reader_dropped:
                    left = left[await writer.write(left) :]
            with end:
                await end.write(Ok(None))

        support.spawn(write())
    else:
        support.spawn(end.write(Ok(None)))
    outgoing, sent = types.Request.new(Fields.from_list(headers), reader, trailers, options)
    outgoing.set_method(getattr(types, f"Method_{method.title()}")())
    scheme = asked.get("x-scheme", "http")
    if scheme != "none":
        known = {"http": types.Scheme_Http, "https": types.Scheme_Https}
        outgoing.set_scheme(known[scheme]() if scheme in known else types.Scheme_Other(scheme))
    outgoing.set_authority(asked.get("x-authority"))
    outgoing.set_path_with_query(asked.get("x-path"))
    try:
        answer: Any = await client.send(outgoing)
    except Err as error:
        answer = shown(error.value)
    return answer, sent


async def pull(answer: Any) -> tuple[bytes, str]:
    """The body of an answer, and what its trailers say."""
    body, trailers = types.Response.consume_body(answer, verdict())
    data = await read_all(body)
    end = await trailers.read()
    if isinstance(end, Ok) and end.value is not None:
        return data, str(end.value.copy_all())
    return data, shown(end)


class Handler(exports.Handler):  # type: ignore[misc]  # bindings are made when it is built
    async def handle(self, request: Any) -> Any:
        global name, served
        if not served:
            name = os.urandom(8).hex()
        served += 1
        path = (request.get_path_with_query() or "/").partition("?")[0]
        route, *rest = path.strip("/").split("/")
        action = getattr(self, f"do_{route.replace('-', '_')}", None)
        if action is None:
            return text("no such action", status=404)
        return await action(request, *rest)

    async def do_count(self, request: Any) -> Any:
        return text(f"{name} {served}")

    async def do_trap(self, request: Any) -> Any:
        raise ValueError("trapped on purpose")

    async def do_err(self, request: Any) -> Any:
        raise Err(types.ErrorCode_HttpResponseTimeout())

    async def do_sleep(self, request: Any, ms: str) -> Any:
        await monotonic_clock.wait_for(int(ms) * 1_000_000)
        return text(name)

    async def do_loop(self, request: Any) -> Any:
        while True:
            pass

    async def do_spin(self, request: Any, ms: str) -> Any:
        until = monotonic_clock.now() + int(ms) * 1_000_000
        while monotonic_clock.now() < until:
            pass
        return text(name)

    async def do_stuck(self, request: Any) -> Any:
        _, reader = trailers_future(complete)
        self.kept = _
        await reader.read()
        return text("never")

    async def do_open(self, request: Any) -> Any:
        """A response whose body nobody ends."""
        answer = Answer([])
        self.left = answer
        return answer.response

    async def do_fields(self, request: Any) -> Any:
        return text(json.dumps(fields_table()))

    async def do_statuses(self, request: Any) -> Any:
        return text(json.dumps(statuses()))

    async def do_look(self, request: Any) -> Any:
        return text(json.dumps(look(request)))

    async def do_seen(self, request: Any) -> Any:
        return text(json.dumps(seen))

    async def do_length(self, request: Any, said: str, written: str) -> Any:
        answer = Answer([("content-length", said.encode())])
        support.spawn(answer.note())
        support.spawn(answer.write(b"x" * int(written)))
        return answer.response

    async def do_empty(self, request: Any) -> Any:
        end, trailers = trailers_future(complete)
        response, _ = types.Response.new(Fields(), None, trailers)
        support.spawn(end.write(Ok(None)))
        return response

    async def do_trailers(self, request: Any) -> Any:
        answer = Answer([("trailer", b"x-sum")])
        sums = Ok(Fields.from_list([("x-sum", b"1")]))
        support.spawn(answer.write(b"body", sums))
        return answer.response

    async def do_abort(self, request: Any) -> Any:
        answer = Answer([])
        support.spawn(answer.write(b"abc", Err(types.ErrorCode_InternalError("no more"))))
        return answer.response

    async def do_echo(self, request: Any) -> Any:
        body, _ = types.Request.consume_body(request, verdict())
        _, trailers = trailers_future(complete)
        response, _ = types.Response.new(Fields(), body, trailers)
        return response

    async def do_swallow(self, request: Any, ms: str) -> Any:
        """Answer at once and read the upload afterwards."""
        body, trailers = types.Request.consume_body(request, verdict())

        async def work() -> None:
            await monotonic_clock.wait_for(int(ms) * 1_000_000)
            data = await read_all(body)
            seen.append(f"swallowed {len(data)} {shown(await trailers.read())}")

        support.spawn(work())
        return text("thanks")

    async def do_upload(self, request: Any) -> Any:
        """Read all of the body; tell how it ended."""
        body, trailers = types.Request.consume_body(request, verdict())
        data = await read_all(body)
        seen.append(f"{len(data)} {shown(await trailers.read())}")
        return text(seen[-1])

    async def do_judge(self, request: Any) -> Any:
        """Have the response's transmission end with a verdict on the request."""
        answer = Answer([])
        code = Err(types.ErrorCode_LoopDetected())
        types.Request.consume_body(request, verdict(code))
        support.spawn(answer.note())
        support.spawn(answer.write(b"judged"))
        return answer.response

    async def do_late(self, request: Any, ms: str) -> Any:
        """Answer at once, go on for a while, and note it."""

        async def work() -> None:
            await monotonic_clock.wait_for(int(ms) * 1_000_000)
            seen.append("late work")

        support.spawn(work())
        return text(name)

    async def do_note_after(self, request: Any, ms: str) -> Any:
        await monotonic_clock.wait_for(int(ms) * 1_000_000)
        seen.append("answered nobody")
        return text(name)

    async def do_stream(self, request: Any, count: str, ms: str) -> Any:
        """Lines with pauses, and a note of how far they were taken."""
        answer = Answer([])

        async def lines() -> None:
            done = 0
            with answer.writer as writer:
                for number in range(int(count)):
                    await writer.write(f"{number}\n".encode())
                    if writer.reader_dropped:
                        break
                    done = number + 1
                    await monotonic_clock.wait_for(int(ms) * 1_000_000)
            seen.append(f"{done} lines")
            with answer.end as end:
                await end.write(Ok(None))

        support.spawn(lines())
        return answer.response

    async def do_send(self, request: Any, method: str = "get", size: str = "") -> Any:
        """Send a request and tell all that came of it."""
        body = b"b" * int(size) if size else None
        answer, sent = await send(request, method, body)
        if isinstance(answer, str):
            return text(json.dumps({"code": answer, "sent": shown(await sent.read())}))
        status = answer.get_status_code()
        data, end = await pull(answer)
        found = {"status": status, "body": data.decode()[:100], "size": len(data), "end": end}
        return text(json.dumps({**found, "sent": shown(await sent.read())}))

    async def do_proxy(self, request: Any) -> Any:
        """Return the answer of another service as it is."""
        answer, _ = await send(request)
        return text(answer, status=502) if isinstance(answer, str) else answer
