"""Answers to the requests that an application sends out, written by the test.

```python
client.http.on("https://api.example.com/users/7", json={"name": "Ada"})
client.http.on("https://api.example.com/users/*", method="DELETE", status=204)
...
assert [str(sent) for sent in client.http.requests] == ["GET https://api.example.com/users/7"]
```

What nobody scripted is refused: no test reaches the network by accident.

Source: contract spin-host.md, TEST-15, TEST-16, TEST-30.
"""

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import attrs

from edgezero_spin.core.headers import HeaderInput, Headers
from edgezero_spin.stores.json_values import decode, encode

__all__ = [
    "CHAIN_DOMAIN",
    "MAX_DEPTH",
    "HttpScript",
    "ScriptRule",
    "ScriptedAnswer",
    "SentRequest",
    "is_self",
]

DEFAULT_PORTS = {"http": ":80", "https": ":443"}

SELF_HOSTS = ("self", "self.alt")
"""Hosts by which a script names the application itself; apps use the second (CHAIN-1)."""

CHAIN_DOMAIN = "spin.internal"
"""What follows the id of a component of the same application (CHAIN-4)."""

HOST_TIMEOUT_S = 600.0
"""Seconds that a host waits where a request does not say (OUTH-14)."""

MAX_DEPTH = 8
"""Components of an application that wait for each other at once, the first included."""


@attrs.frozen
class SentRequest:
    """A request that the application sent.

    Attributes:
        method: As sent.
        url: The whole URL.
        headers: In order.
        content: The body.
        timeout_s: Seconds that the application waits for the answer to begin; ``None`` for as
            long as the host does.
        trailers: Fields behind the body.
    """

    method: str
    url: str
    headers: Headers
    content: bytes = b""
    timeout_s: float | None = None
    trailers: Headers = attrs.field(factory=Headers)

    def json(self) -> Any:
        """Return the JSON value of the body."""
        return decode(self.content)

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


@attrs.frozen
class ScriptedAnswer:
    """What a scripted request is answered with.

    Attributes:
        status: 100 to 599.
        headers: In order.
        content: The body.
        error: An error code of ``wasi:http`` instead, such as ``connection-timeout``.
    """

    status: int = 200
    headers: Headers = attrs.field(factory=Headers)
    content: bytes = b""
    error: str | None = None

    @property
    def code(self) -> str:
        """The error code: ``error`` itself, or ``internal-error`` when it is a sentence."""
        error = self.error or ""
        return "internal-error" if " " in error else error


@attrs.define
class ScriptRule:
    """Which requests get which answer. Made by ``HttpScript.on``.

    Attributes:
        method: ``None`` for any.
        url: Without query unless the query counts; ``*`` at its end stands for anything.
        answer: The answer, or what makes it from the request.
        left: How often it answers still; ``None`` for always.
    """

    method: str | None
    url: str
    answer: ScriptedAnswer | Callable[[SentRequest], ScriptedAnswer] | None
    left: int | None

    def takes(self, method: str, url: str) -> bool:
        """Tell whether the rule is about a request."""
        if self.left == 0 or self.method not in (None, method):
            return False
        url = _normal(url)
        if "?" not in self.url:
            url = url.partition("?")[0]
        if self.url.endswith("*"):
            return url.startswith(self.url[:-1])
        return url == self.url


class HttpScript:
    """The script of one client.

    Attributes:
        requests: Everything that was sent, answered or refused.
        refused: What nobody scripted.
    """

    def __init__(self) -> None:
        self.requests: list[SentRequest] = []
        self.refused: list[SentRequest] = []
        self._rules: list[ScriptRule] = []
        self._lock = threading.Lock()

    def on(
        self,
        url: str,
        *,
        method: str | None = None,
        status: int = 200,
        headers: HeaderInput = (),
        json: Any = ...,
        text: str | None = None,
        content: bytes = b"",
        error: str | None = None,
        answer: Callable[[SentRequest], ScriptedAnswer] | None = None,
        times: int | None = None,
    ) -> ScriptRule:
        """Script an answer. Of several that fit a request the last one counts.

        Args:
            url: Scheme, host and path; with a query, that counts too. A ``*`` at the end
                stands for anything. ``http://self/path`` is the application itself, which
                answers unless a script does; so do other components of it.
            method: ``None`` for any.
            status: Of the answer, 100 to 599.
            headers: Of the answer.
            json: Its body, written as JSON.
            text: Its body, as UTF-8.
            content: Its body.
            error: An error code of ``wasi:http`` instead of an answer.
            answer: Makes the answer from the request.
            times: How often it is given; ``None`` for always.

        Raises:
            ValueError: The URL has no scheme or no host.
        """
        _check(url)
        fields = list(Headers(headers).pairs)
        if json is not ...:
            content = encode(json)
            fields.append(("content-type", b"application/json"))
        elif text is not None:
            content = text.encode()
        fixed = ScriptedAnswer(status, Headers(fields), content, error)
        return self._add(ScriptRule(method, _normal(url), answer or fixed, times))

    def pass_through(self, url: str) -> ScriptRule:
        """Send requests to these URLs for real: ``pass_through("http://127.0.0.1:8080/*")``.

        Raises:
            ValueError: The URL has no scheme or no host.
        """
        _check(url)
        return self._add(ScriptRule(None, _normal(url), None, None))

    def clear(self) -> None:
        """Forget the rules and what was sent."""
        self._rules.clear()
        self.requests.clear()
        self.refused.clear()

    def _add(self, rule: ScriptRule) -> ScriptRule:
        self._rules.append(rule)
        return rule

    # What a client calls

    def answers(self, method: str, url: str) -> bool:
        """Tell whether a rule is about such a request."""
        return any(rule.takes(method, url) for rule in self._rules)

    def answer(self, request: SentRequest) -> ScriptedAnswer:
        """Record a request and return its answer; an ``internal-error`` for a stranger."""
        with self._lock:
            self.requests.append(request)
            rule = next(
                (r for r in reversed(self._rules) if r.takes(request.method, request.url)), None
            )
            if rule is None:
                self.refused.append(request)
            elif rule.left is not None:
                rule.left -= 1
        if rule is None:
            return ScriptedAnswer(error=self.refusal(request))
        if rule.answer is None:
            return _fetched(request)
        return _made(rule.answer, request) if callable(rule.answer) else rule.answer

    def refusal(self, request: SentRequest) -> str:
        """What is said about a request that nobody scripted."""
        url = request.url.partition("?")[0]
        return (
            f"no answer is scripted for {request}; script one with "
            f"client.http.on({url!r}, method={request.method!r}, json=...), or let it through "
            f"with client.http.pass_through({url!r})"
        )


def _made(make: Callable[[SentRequest], ScriptedAnswer], request: SentRequest) -> ScriptedAnswer:
    """Return what a function of the test answers; its faults are errors of the request."""
    try:
        answer = make(request)
    except Exception as error:
        said = f"raised {type(error).__name__}: {error}"
    else:
        if isinstance(answer, ScriptedAnswer):
            return answer
        said = f"returned {answer!r}, which is not a ScriptedAnswer"
    return ScriptedAnswer(error=f"the function that answers {request} {said}")


def is_self(authority: str) -> bool:
    """Tell whether a request to this host, with any port, is one to the application itself."""
    return authority.partition(":")[0].lower() == SELF_HOSTS[1]


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        raise ValueError(
            f"a scripted URL names scheme and host, as in 'https://example.com/path', got {url!r}"
        )


def _normal(url: str) -> str:
    """The URL with a lower-case host, no default port, and a path.

    The application itself has one name here, and no scheme or port that would matter.
    """
    scheme, _, rest = url.partition("://")
    split = next((at for at, letter in enumerate(rest) if letter in "/?"), len(rest))
    authority, path = rest[:split].lower(), rest[split:]
    authority = authority.removesuffix(DEFAULT_PORTS.get(scheme, ":"))
    if not path.startswith("/"):
        path = f"/{path}"
    if authority.partition(":")[0] in SELF_HOSTS:
        return f"self{path}"
    return f"{scheme}://{authority}{path}"


def _fetched(request: SentRequest) -> ScriptedAnswer:
    """Send a request for real, as a host would: nothing added, nothing decoded."""
    # Only a test that lets requests through needs a client.
    try:
        import httpx

        from edgezero_spin.host.factors.outbound_http.httpx_failures import httpx_error_code
    except ImportError:
        return ScriptedAnswer(
            error="letting requests through needs httpx: pip install 'edgezero-spin[tools]'"
        )
    kept = ("host", "content-length", "transfer-encoding", "connection")
    timeout_s = HOST_TIMEOUT_S if request.timeout_s is None else request.timeout_s
    try:
        sent = httpx.Request(
            request.method,
            request.url,
            headers=[(n.encode(), value) for n, value in request.headers.pairs if n not in kept],
            content=request.content or None,
            extensions={"timeout": httpx.Timeout(timeout_s).as_dict()},
        )
        # No environment: a proxy or a .netrc of the developer's is none of the component's.
        with httpx.HTTPTransport(trust_env=False) as transport:
            answer = transport.handle_request(sent)
            # As it came: ``read`` would decode it.
            content = b"".join(answer.iter_raw())
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return ScriptedAnswer(error=httpx_error_code(error))
    pairs = [
        pair
        for pair in Headers.received(
            (name.decode("latin-1"), value) for name, value in answer.headers.raw
        ).pairs
        if pair[0] not in ("transfer-encoding", "connection", "keep-alive")
    ]
    return ScriptedAnswer(answer.status_code, Headers(pairs), content)
