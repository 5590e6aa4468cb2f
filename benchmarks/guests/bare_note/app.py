"""The work of the ``note`` guest on the generated bindings, by hand.

``POST /notes/{id}`` with a JSON body: check its two fields, read the note that was there,
write the new one, answer it as JSON.
"""

import json

from componentize_py_types import Err, Ok
from wit_world.imports import key_value, types


class IncomingHandler:
    """``wasi:http/incoming-handler@0.2.0`` by hand."""

    def handle(self, request, response_out):
        if isinstance(request.method(), types.Method_Post):
            path = request.path_with_query() or "/"
            path = path.partition("?")[0]
            if path.startswith("/notes/") and "/" not in path[7:]:
                status, data = self.save(path[7:], self.read(request))
            else:
                status, data = 404, b"{}"
        else:
            status, data = 405, b"{}"
        response = types.OutgoingResponse(
            types.Fields.from_list(
                [
                    ("content-type", b"application/json"),
                    ("content-length", str(len(data)).encode()),
                ]
            )
        )
        if status != 200:
            response.set_status_code(status)
        body = response.body()
        types.ResponseOutparam.set(response_out, Ok(response))
        stream = body.write()
        stream.blocking_write_and_flush(data)
        stream.__exit__(None, None, None)
        types.OutgoingBody.finish(body, None)

    def read(self, request):
        body = request.consume()
        stream = body.stream()
        parts = []
        while True:
            try:
                parts.append(stream.blocking_read(65536))
            except Err:
                break
        stream.__exit__(None, None, None)
        body.__exit__(None, None, None)
        return b"".join(parts)

    def save(self, id, data):
        try:
            note = json.loads(data)
        except ValueError:
            return 400, b"{}"
        if not isinstance(note, dict) or not isinstance(note.get("title"), str):
            return 400, b"{}"
        if not isinstance(note.get("text", ""), str):
            return 400, b"{}"
        store = key_value.Store.open("notes")
        before = store.get(id)
        revision = 1 if before is None else json.loads(before)["revision"] + 1
        saved = json.dumps(
            {"title": note["title"], "text": note.get("text", ""), "revision": revision},
            separators=(",", ":"),
        ).encode()
        store.set(id, saved)
        return 200, saved
