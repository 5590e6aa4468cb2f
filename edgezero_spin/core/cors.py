"""Cross-origin requests (CORS): which pages of other origins may call the app.

In: who may ask for what. Out: a middleware that answers preflight requests and adds the headers to
every other answer, those of errors among them. It should be the outermost layer.

Source: WHATWG Fetch, 3.2, "CORS protocol".
"""

import re
from collections.abc import Iterable

from edgezero_spin.core.middleware import Middleware, Next
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.router import sequence_of_texts

__all__ = ["cors"]

_ASKED = {
    "methods": "access-control-request-method",
    "headers": "access-control-request-headers",
}
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]+")


def cors(
    origins: Iterable[str],
    *,
    methods: Iterable[str] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
    headers: Iterable[str] = ("content-type",),
    expose: Iterable[str] = (),
    credentials: bool = False,
    max_age_s: int = 600,
) -> Middleware:
    """Return the middleware: ``app.middleware(cors(["https://example.com"]))``.

    Args:
        origins: Origins as browsers send them, ``https://example.com:8443``; ``"*"`` for all.
        methods: What a page may send; ``"*"`` for whatever it asks for.
        headers: Request headers that it may set beside those that are always allowed, likewise.
        expose: Response headers that it may read beside those that always are.
        credentials: Whether requests with cookies may be read.
        max_age_s: Seconds for which a browser keeps the answer to a preflight request.

    Raises:
        TypeError: A text stands where a sequence of them does.
        ValueError: An origin is none, or credentials go with ``"*"`` for origins or ``expose``.
    """
    allowed = frozenset(sequence_of_texts("origins", origins))
    everyone = "*" in allowed
    for origin in allowed - {"*", "null"}:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin!r} is not an origin; write scheme and host, https://example.com"
            )
    if everyone and credentials:
        raise ValueError("credentials need the origins by name; '*' would give them to everyone")
    exposed = ", ".join(sequence_of_texts("expose", expose))
    if "*" in exposed and credentials:
        raise ValueError("expose: with credentials a browser takes '*' for a name; name the fields")
    preflight = {"access-control-max-age": str(max_age_s)}
    # A browser takes no "*" here with credentials, and none for "authorization".
    echoed = []
    for kind, texts in (("methods", methods), ("headers", headers)):
        named = sequence_of_texts(kind, texts)
        if "*" in named:
            echoed.append((f"access-control-allow-{kind}", _ASKED[kind]))
        else:
            listed = ", ".join(named)
            preflight[f"access-control-allow-{kind}"] = (
                listed.upper() if kind == "methods" else listed
            )
    # Ready pairs: checked once, here, and not for every response.
    of_everyone = [("access-control-allow-origin", b"*")] if everyone else []
    extra: list[tuple[str, bytes]] = []
    if credentials:
        extra.append(("access-control-allow-credentials", b"true"))
    vary = ("vary", b"origin")

    async def middleware(request: Request, call_next: Next) -> Response:
        sent = request.headers.get_bytes("origin")
        if sent is None:
            response = await call_next(request)
            if not everyone:
                # A cache must not give one origin the answer to another.
                response.header_pairs.append(vary)
            return response
        origin = sent.decode("latin-1")
        permitted = everyone or origin in allowed
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            response = Response(status=204, headers=preflight if permitted else ())
            for name, field in echoed if permitted else ():
                asked = request.headers.get_bytes(field)
                if asked:
                    response.header_pairs.append((name, asked))
        else:
            response = await call_next(request)
            if exposed and permitted:
                response.headers["access-control-expose-headers"] = exposed
        if permitted:
            response.headers.discard("access-control-allow-origin")
            response.headers.discard("access-control-allow-credentials")
            own = of_everyone or [("access-control-allow-origin", sent)]
            response.header_pairs.extend([*own, *extra])
        if not everyone:
            response.header_pairs.append(vary)
        return response

    return middleware
