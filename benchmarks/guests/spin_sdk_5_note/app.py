"""The same JSON handler with spin-sdk 5.0.0: a checked body, one read and one write of a store."""

import json

from spin_sdk import http, key_value
from spin_sdk.http import Request, Response


class HttpHandler(http.Handler):
    """``POST /notes/{id}``."""

    async def handle_request(self, request: Request) -> Response:
        path = request.uri.partition("?")[0]
        if request.method != "POST" or not path.startswith("/notes/"):
            return Response(404, {"content-type": "text/plain"}, b"not found")
        try:
            draft = json.loads(request.body or b"")
            title, text = draft["title"], draft.get("text", "")
            if not (isinstance(title, str) and isinstance(text, str)):
                raise ValueError("title and text are text")
        except (ValueError, KeyError, AttributeError) as error:
            return Response(400, {"content-type": "text/plain"}, str(error).encode())
        key = path.removeprefix("/notes/")
        with await key_value.open("notes") as store:
            before = await store.get(key)
            revision = 1 if before is None else json.loads(before)["revision"] + 1
            note = {"title": title, "text": text, "revision": revision}
            content = json.dumps(note).encode()
            await store.set(key, content)
        return Response(200, {"content-type": "application/json"}, content)
