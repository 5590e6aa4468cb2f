"""The recorder: what is kept of requests, and that it has bounds."""

import gc
import tracemalloc
from typing import Any

from edgezero_spin.explorer.call_text import call_text
from edgezero_spin.explorer.recorder import (
    MOST_CALLS,
    MOST_REQUESTS,
    Recorder,
    Seen,
)
from edgezero_spin.host.errors import WitError
from edgezero_spin.host.observers import (
    ComponentUsage,
    HostCall,
    ObservedRequest,
    OutgoingCall,
    RequestOutcome,
)

KV = "fermyon:spin/key-value@2.0.0"


def request(path: str = "/a", query: str | None = None, **fields: bytes) -> ObservedRequest:
    """A request at its beginning."""
    headers = [(name.encode(), value) for name, value in fields.items()]
    return ObservedRequest("GET", path, query, "http", headers, None, "app", "shop", "/...")


def begin(recorder: Recorder, path: str = "/a") -> Seen:
    """Begin a request that is kept."""
    seen = recorder.request_began(request(path))
    assert seen is not None
    return seen


def test_a_request_from_its_head_to_its_end() -> None:
    """With its calls, its output and what it cost."""
    recorder = Recorder()
    seen = begin(recorder)
    ended = seen.call_began(HostCall(KV, "[method]store.get", (object(), "greeting")))
    assert ended is not None
    ended(None)
    assert seen.call_began(HostCall("wasi:io/streams", "[method]output-stream.write", ())) is None
    sending = seen.sending(OutgoingCall("POST", "http://there/x", "there", None))
    assert sending is not None
    sending.ended(204, None)
    seen.output("shop", "stdout", b"one ")
    seen.output("shop", "stdout", b"line\n")
    seen.output("shop", "stderr", b"\xff")
    seen.component_ended(ComponentUsage(0.002, 1234))
    seen.ended(RequestOutcome(200, 5, 0.25))
    found = recorder.request(seen.number)
    assert found is not None
    assert (found["status"], found["ms"], found["cpu_ms"]) == (200, 250.0, 2.0)
    assert (found["instructions"], found["calls"], found["problem"]) == (1234, 2, None)
    calls = [(call["text"], call.get("result")) for call in found["call_list"]]
    assert calls == [('get "greeting"', None), ("POST http://there/x", "204")]
    assert all(call["ms"] is not None for call in found["call_list"])
    assert found["output"] == [
        {"stream": "stdout", "text": "one line\n"},
        {"stream": "stderr", "text": "\ufffd"},
    ]


def test_what_is_told_of_a_request_changes_no_more() -> None:
    """A call that ends while the answer is written to a browser changes a later answer only."""
    recorder = Recorder()
    seen = begin(recorder)
    ended = seen.call_began(HostCall(KV, "[method]store.get", (object(), "greeting")))
    assert ended is not None
    found = recorder.request(seen.number)
    ended(WitError(("other", "broken")))
    later = recorder.request(seen.number)
    assert found is not None and "error" not in found["call_list"][0]
    assert later is not None and "error" in later["call_list"][0]


def test_listeners_hear_of_every_change() -> None:
    """Until they stop listening."""
    recorder = Recorder()
    heard: list[dict[str, Any]] = []
    stop = recorder.listen(heard.append)
    seen = begin(recorder)
    seen.ended(RequestOutcome(404, 0, 0.1))
    stop()
    begin(recorder)
    assert [each["status"] for each in heard] == [None, 404]
    assert {each["number"] for each in heard} == {seen.number}


def test_older_requests_make_way() -> None:
    """The count goes on; what made way is not found."""
    recorder = Recorder()
    for number in range(MOST_REQUESTS + 10):
        begin(recorder, f"/{number}")
    assert len(recorder.latest()) == MOST_REQUESTS
    assert recorder.latest()[0]["path"] == "/10"
    assert recorder.total == MOST_REQUESTS + 10
    assert recorder.request(1) is None
    recorder.clear()
    assert recorder.latest() == []


def test_ten_thousand_large_requests_take_twenty_megabytes_at_most() -> None:
    """Whatever they print, call and are named."""
    recorder = Recorder()
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(10_000):
            seen = begin(recorder, f"/{number}/" + "\u00e9" * 3000)
            for call in range(MOST_CALLS + 5 if number % 50 == 0 else 3):
                text = f"key-{call}-" + "k" * 400
                ended = seen.call_began(HostCall(KV, "[method]store.get", (object(), text)))
                if ended is not None:
                    ended(ValueError("refused " * 100))
            for _ in range(5):
                seen.output("shop", "stdout", b"printed " * 1000)
            seen.failed("trapped " * 1000)
            seen.component_ended(ComponentUsage(0.1, 5))
            seen.ended(RequestOutcome(500, 1, 0.1))
        gc.collect()
        size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert recorder.total == 10_000 and len(recorder.latest()) > 10
    assert size < 20e6 and peak < 24e6


def test_many_small_requests() -> None:
    """The newest thousand are there, with all of their calls that are kept."""
    recorder = Recorder()
    for _ in range(10_000):
        seen = begin(recorder)
        for _ in range(3):
            seen.call_began(HostCall(KV, "[method]store.get", (object(), "a")))
        seen.ended(RequestOutcome(200, 1, 0.1))
    assert len(recorder.latest()) == MOST_REQUESTS


def test_calls_are_shown_without_secrets() -> None:
    """No password of an address, no value."""
    address = "postgres://anna:hush@db/shop"
    for call in (
        HostCall("spin:postgres/postgres@4.0.0", "[static]connection.open", (address,)),
        HostCall("spin:postgres/postgres@4.0.0", "[static]connection.open", ("password=hush",)),
        HostCall("spin:postgres/postgres@4.0.0", "[static]connection.open", ("PASSWORD = 'hush'",)),
        HostCall("fermyon:spin/mqtt@2.0.0", "[static]connection.open", ("mqtt://m", "a", "hush")),
        HostCall(KV, "[method]store.set", (object(), "token", b"hush")),
    ):
        assert "hush" not in call_text(call)
    written = HostCall(KV, "[method]store.set", (object(), "a", b"xyz"))
    assert call_text(written) == 'set "a" (3 bytes)'


def test_requests_and_errors_are_shown_without_secrets() -> None:
    """Neither the address of a request has a password, nor what went wrong with it or a call."""
    recorder = Recorder()
    seen = recorder.request_began(request())
    sent = seen.sending(OutgoingCall("GET", "http://anna:hush@there/", "there", None))
    assert sent is not None
    sent.ended(None, "cannot reach http://anna:hush@there/")
    ended = seen.call_began(HostCall("spin:postgres/postgres@4.0.0", "open", ()))
    assert ended is not None
    ended(WitError(("connection-failed", "no server at host=db password=hush")))
    assert "hush" not in str(seen.full())
    assert "connection-failed" in str(seen.full())
