"""The explorer's server: its page and its data, for a browser on this machine alone.

In: a ``Recorder`` and the application that is explored. Out: a ``RequestHandler`` for a side server
on loopback. Everything is below a path that only whoever started the host knows. A page of another
site that guesses the port learns nothing: the ``Host`` field has to name loopback, which a rebound
name does not, and whatever changes something has to come from the page itself.

Source: our own; Fetch (``Origin``, ``Sec-Fetch-Site``), CSP level 3.
"""

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, unquote

from edgezero_spin.explorer.application import ExploredApplication
from edgezero_spin.explorer.events import EventStream
from edgezero_spin.explorer.recorder import Recorder
from edgezero_spin.explorer.stores import (
    MOST_VALUE_BYTES,
    ExplorerError,
    delete_value,
    list_keys,
    list_tables,
    read_value,
    run_statement,
    write_value,
)
from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.request_handler import Responder, ResponseWriter
from edgezero_spin.host.http.side_server import send_text
from edgezero_spin.stores.backend import BackendError

__all__ = ["Explorer", "new_token"]

logger = logging.getLogger("edgezero_spin.explorer")

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAFE: list[Pair] = [
    ("content-security-policy", _CSP.encode()),
    ("x-content-type-options", b"nosniff"),
    ("referrer-policy", b"no-referrer"),
    ("cross-origin-opener-policy", b"same-origin"),
    ("cross-origin-resource-policy", b"same-origin"),
]
_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "explorer.css": ("explorer.css", "text/css; charset=utf-8"),
    "explorer.js": ("explorer.js", "text/javascript; charset=utf-8"),
}
_PAGE_FIELD = b"x-edgezero-explorer"
"""A header field that a page of another site cannot send."""
_READING = ("GET", "HEAD")
MOST_DIGITS = 18
"""Of the number of a request."""


class Explorer:
    """Answers browsers; a ``RequestHandler``.

    Attributes:
        origin: The URL of its server, without the token.
        token: What the path begins with.
    """

    def __init__(
        self,
        recorder: Recorder,
        application: Callable[[], ExploredApplication | None],
        token: str | None = None,
    ) -> None:
        """Answer nothing yet.

        Args:
            recorder: Its requests are shown.
            application: Returns what is explored; ``None`` while nothing runs.
            token: What the path begins with; ``None`` for a new one.
        """
        self.origin: str | None = None
        self.token = token or new_token()
        self._recorder = recorder
        self._application = application
        self._streams: set[EventStream] = set()
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"{self.origin}/{self.token}/"

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> Responder | None:
        """Begin to answer."""
        refusal = self._refusal(head)
        if refusal is not None:
            _send_json(writer, head.method, refusal.status, {"problem": refusal.problem})
            return None
        if head.path == f"/{self.token}":
            place: Pair = ("location", f"/{self.token}/".encode())
            send_text(writer, head.method, 308, "", fields=[place, *_SAFE])
            return None
        path = head.path.removeprefix(f"/{self.token}/")
        if path in _FILES:
            name, media_type = _FILES[path]
            content = files(__package__).joinpath("page", name).read_bytes()
            send_text(writer, head.method, 200, content, media_type, _SAFE)
            return None
        if path == "api/events" and head.method == "GET":
            self._streams = {stream for stream in self._streams if not stream.over}
            stream = EventStream(self._recorder, writer)
            self._streams.add(stream)
            return stream
        return _Answer(body, writer, head, partial(self._answer, head, path))

    def end(self) -> None:
        """End what browsers listen to, and statements that run. Called in the server's loop."""
        self._ended.set()
        for stream in self._streams:
            stream.end()

    def _refusal(self, head: RequestHead) -> ExplorerError | None:
        """Why a request is not answered; ``None`` where it is."""
        fields = [(name.lower(), value) for name, value in head.headers]
        hosts = [value for name, value in fields if name == b"host"]
        port = (self.origin or "").rpartition(":")[2]
        own = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost", "[::1]")}
        if len(hosts) != 1 or hosts[0].lower() not in own:
            return ExplorerError(403, "this page is for a browser on the same machine")
        given = head.path.removeprefix("/").partition("/")[0]
        if not secrets.compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
            return ExplorerError(403, "open the address that edgezero printed: it ends in a token")
        for name, value in fields:
            if name == b"origin" and value != b"http://" + hosts[0]:
                return ExplorerError(403, "another site asks")
            if name == b"sec-fetch-site" and value not in (b"same-origin", b"none"):
                return ExplorerError(403, "another site asks")
        own_field = any(name == _PAGE_FIELD for name, _ in fields)
        if head.method not in _READING and not own_field:
            return ExplorerError(403, "only the page itself changes anything")
        return None

    def _answer(self, head: RequestHead, path: str, data: bytes) -> tuple[int, Any]:
        """Return status and content of an answer. Called on a thread of its own."""
        try:
            return 200, self._find(head, path, data)
        except ExplorerError as error:
            return error.status, {"problem": error.problem}
        except BackendError as error:
            return 502, {"problem": error.message}
        except Exception:
            logger.exception("the explorer cannot answer %s", path)
            return 500, {"problem": "the explorer failed; the log of the host says why"}

    def _find(self, head: RequestHead, path: str, data: bytes) -> Any:
        asked = {
            name: values[-1]
            for name, values in parse_qs(head.query or "", keep_blank_values=True).items()
        }
        match path.split("/"), head.method:
            case ["api", "requests"], "GET":
                return {"total": self._recorder.total, "requests": self._recorder.latest()}
            case ["api", "requests"], "DELETE":
                self._recorder.clear()
                return {}
            case ["api", "requests", number], "GET":
                found = self._recorder.request(_number(number))
                if found is None:
                    raise ExplorerError(404, "this request is not kept any more")
                return found
            case ["api", "application"], "GET":
                return self._explored().overview()
            case ["api", "key-value", label], "GET":
                prefix, after = asked.get("prefix", ""), asked.get("after", "")
                return list_keys(self._explored(), unquote(label), prefix=prefix, after=after)
            case ["api", "key-value", label, "value"], method:
                return self._value(method, unquote(label), asked.get("key", ""), data)
            case ["api", "sqlite", label], "GET":
                return list_tables(self._explored(), unquote(label))
            case ["api", "sqlite", label], "POST":
                return run_statement(
                    self._explored(), unquote(label), _text(data), self._ended.is_set
                )
        raise ExplorerError(404, "there is nothing here")

    def _value(self, method: str, label: str, key: str, data: bytes) -> Any:
        if method == "GET":
            return read_value(self._explored(), label, key)
        if method == "PUT":
            return write_value(self._explored(), label, key, data)
        if method == "DELETE":
            return delete_value(self._explored(), label, key)
        raise ExplorerError(405, "GET, PUT and DELETE only")

    def _explored(self) -> ExploredApplication:
        found = self._application()
        if found is None:
            raise ExplorerError(503, "no application runs at this moment")
        return found


class _Answer:
    """An answer that is worked out when the whole body is there; a ``Responder``.

    That happens on a thread of its own: a store may be slow, and a statement run for long, while
    the page goes on. Nobody waits for the thread when the explorer ends.
    """

    def __init__(
        self,
        body: ByteChannel | None,
        writer: ResponseWriter,
        head: RequestHead,
        answer: Callable[[bytes], tuple[int, Any]],
    ) -> None:
        self._body = body
        self._writer = writer
        self._method = head.method
        self._answer = answer
        self._data = bytearray()
        self._read_all = False
        self._over = False
        self._loop = asyncio.get_running_loop()
        if body is not None:
            body.on_data = self._read
        # Not at once: the server has to know of this first.
        self._loop.call_soon(self._read)

    def resume(self) -> None:
        """Nothing: a whole response is sent at once."""

    def abandon(self) -> None:
        """Stop: nobody waits for the response any more."""
        self._over = True
        if self._body is not None:
            self._body.close()

    def _read(self) -> None:
        if self._over or self._read_all:
            return
        body = self._body
        if body is not None:
            self._read_all = body.ended
            self._data += body.take_all()
            if len(self._data) > MOST_VALUE_BYTES:
                body.close()
                problem = f"a value of more than {MOST_VALUE_BYTES} bytes is not taken here"
                self._send(413, {"problem": problem})
                return
            if not self._read_all or body.failure is not None:
                return
        self._read_all = True
        threading.Thread(target=self._work, name="edgezero-explorer", daemon=True).start()

    def _work(self) -> None:
        status, found = self._answer(bytes(self._data))
        call_in(self._loop, lambda: self._send(status, found))

    def _send(self, status: int, found: Any) -> None:
        if not self._over:
            self._over = True
            _send_json(self._writer, self._method, status, found)


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


def _number(text: str) -> int:
    """Return the number of a request; 0, which no request has, for another text."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else 0


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ExplorerError(422, "a statement is text in UTF-8") from None


def _send_json(writer: ResponseWriter, method: str, status: int, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, default=str)
    content = text.encode("utf-8", "backslashreplace")
    send_text(writer, method, status, content, "application/json", _SAFE)
