"""A stand-in for Azure Cosmos DB: the part of its REST API that a key-value store uses.

It is not a Cosmos DB. It keeps documents of one container by id, checks the signature and the
partition of each request, answers queries a few documents at a time, and can be told to be
busy. What real accounts do beyond that is not shown by tests against it.

Source: https://learn.microsoft.com/rest/api/cosmos-db/
"""

import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

__all__ = ["CONTAINER", "DATABASE", "KEY", "Cosmos", "running_cosmos"]

DATABASE, CONTAINER = "shop", "entries"
KEY = base64.b64encode(b"the key of the account").decode()

PAGE = 7
"""Documents in one page of a query's answer."""

MAX_DOCUMENT_BYTES = 2 * 1024 * 1024

_CONTAINER_LINK = f"dbs/{DATABASE}/colls/{CONTAINER}"


class Cosmos:
    """The state of one account.

    Attributes:
        url: Where it answers.
        documents: By id, as they would be read.
        asked: Method and path of each request on documents.
        busy: So many requests are answered with 429 before the next one counts.
        before_write: Called before a document is written, for whoever wants to be first.
    """

    def __init__(self) -> None:
        self.url = ""
        self.documents: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.busy = 0
        self.before_write: Callable[[], object] = lambda: None
        self.lock = threading.RLock()
        self._etags = itertools.count(1)

    def put(self, document: dict[str, Any]) -> dict[str, Any]:
        """Write a document, as any client may."""
        whole = {**document, "_etag": f'"{next(self._etags)}"', "_rid": "r", "_ts": 1}
        self.documents[document["id"]] = whole
        return whole


class _RefusedError(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer in one piece, or the client's system waits with its next one.
    wbufsize = -1
    cosmos: Cosmos

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        headers: dict[str, str] = {}
        try:
            status, value = self._answer(unquote(self.path.strip("/")), body, headers)
        except _RefusedError as refused:
            status, value = refused.status, {"code": str(refused.status), "message": "refused"}
            if status == 429:
                headers["x-ms-retry-after-ms"] = "1"
        content = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - the server's names

    def _answer(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        cosmos = self.cosmos
        if not path:
            here = [{"name": "here", "databaseAccountEndpoint": cosmos.url}]
            return 200, {
                "id": "account",
                "writableLocations": here,
                "readableLocations": here,
                "enableMultipleWriteLocations": False,
                "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            }
        self._check_signature(path)
        if path == _CONTAINER_LINK:
            return 200, {
                "id": CONTAINER,
                "_rid": "r",
                "partitionKey": {"paths": ["/id"], "kind": "Hash", "version": 2},
            }
        if path == f"{_CONTAINER_LINK}/pkranges":
            one = {"id": "0", "minInclusive": "", "maxExclusive": "FF", "_rid": "r"}
            return 200, {"_rid": "r", "PartitionKeyRanges": [one], "_count": 1}
        documents = f"{_CONTAINER_LINK}/docs"
        if not path.startswith(documents):
            raise _RefusedError(404)
        cosmos.asked.append(f"{self.command} {path.removeprefix(documents)}")
        with cosmos.lock:
            if cosmos.busy > 0:
                cosmos.busy -= 1
                raise _RefusedError(429)
            if path == documents:
                return self._on_container(json.loads(body), headers)
            return self._on_document(path.removeprefix(f"{documents}/"), body)

    def _check_signature(self, path: str) -> None:
        """Refuse a request that the account's key did not sign."""
        parts = path.split("/")
        named = len(parts) % 2 == 0
        kind = parts[-2] if named else parts[-1]
        link = path if named else "/".join(parts[:-1])
        date = self.headers.get("x-ms-date", "").lower()
        signed = f"{self.command.lower()}\n{kind}\n{link}\n{date}\n\n"
        digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
        wanted = f"type=master&ver=1.0&sig={base64.b64encode(digest).decode()}"
        if unquote(self.headers.get("authorization", "")) != wanted:
            raise _RefusedError(401)

    def _check_partition(self, id: str) -> None:
        if json.loads(self.headers.get("x-ms-documentdb-partitionkey", "null")) != [id]:
            raise _RefusedError(400)

    def _on_container(self, sent: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
        cosmos = self.cosmos
        if self.headers.get("content-type", "").startswith("application/query+json"):
            return 200, self._query(sent, headers)
        id = sent["id"]
        self._check_partition(id)
        if not id or any(letter in "/\\?#" for letter in id):
            raise _RefusedError(400)
        if len(json.dumps(sent)) > MAX_DOCUMENT_BYTES:
            raise _RefusedError(413)
        cosmos.before_write()
        there = id in cosmos.documents
        if there and self.headers.get("x-ms-documentdb-is-upsert", "").lower() != "true":
            raise _RefusedError(409)
        return 200 if there else 201, cosmos.put(sent)

    def _query(self, sent: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        given = {part["name"]: part["value"] for part in sent.get("parameters", ())}
        text = sent["query"]
        found = list(self.cosmos.documents.values())
        if "ARRAY_CONTAINS(@keys, c.id)" in text:
            found = [document for document in found if document["id"] in given["@keys"]]
        elif "c.id = @key" in text:
            self._check_partition(given["@key"])
            found = [document for document in found if document["id"] == given["@key"]]
        # Ids in order, so that a continuation stays where it is while others write.
        found.sort(key=lambda document: str(document["id"]))
        after = self.headers.get("x-ms-continuation")
        if after is not None:
            last = base64.b64decode(after).decode()
            found = [document for document in found if document["id"] > last]
        page = found[:PAGE]
        if len(found) > PAGE:
            headers["x-ms-continuation"] = base64.b64encode(page[-1]["id"].encode()).decode()
        answers: list[Any] = page
        if text.startswith("SELECT VALUE c.id"):
            answers = [document["id"] for document in page]
        return {"_rid": "r", "Documents": answers, "_count": len(answers)}

    def _on_document(self, id: str, body: bytes) -> tuple[int, Any]:
        cosmos = self.cosmos
        self._check_partition(id)
        if self.command != "GET":
            cosmos.before_write()
        document = cosmos.documents.get(id)
        if document is None:
            raise _RefusedError(404)
        match self.command:
            case "GET":
                return 200, document
            case "DELETE":
                del cosmos.documents[id]
                return 204, None
            case "PUT":
                if self.headers.get("if-match") not in (None, document["_etag"]):
                    raise _RefusedError(412)
                return 200, cosmos.put(json.loads(body))
        operations = json.loads(body)["operations"]
        for operation in operations:
            value = document.get(operation["path"].strip("/"))
            if operation["op"] != "incr" or not isinstance(value, int):
                raise _RefusedError(400)
            document = {**document, "value": value + operation["value"]}
        return 200, cosmos.put(document)


@contextlib.contextmanager
def running_cosmos() -> Iterator[Cosmos]:
    """Serve an empty account on a free port."""
    cosmos = Cosmos()
    handler = type("Handler", (_Handler,), {"cosmos": cosmos})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    cosmos.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    try:
        yield cosmos
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
