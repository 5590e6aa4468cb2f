"""Client of a server of language models: text and embeddings.

In: a server, a path and a body. Out: the body of its answer, or an ``LlmError``. The answer's
status does not count; what it says does, as in Spin.

Source: contract services.md, LLM-6 to LLM-24.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, too_large
from edgezero_spin.host.factors.llm.config import LlmServer
from edgezero_spin.host.factors.tls import usual_tls
from edgezero_spin.host.factors.waits import Check, locked, no_check

__all__ = ["LlmClient", "LlmError"]

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 600.0
"""Seconds of silence of a server that computes."""


class LlmError(HostError):
    """A server cannot be asked, or its answer cannot be read."""


class LlmClient:
    """Asks one server, one question at a time (LLM-3). From any thread.

    Attributes:
        summary: The server, for traces.
    """

    def __init__(self, server: LlmServer) -> None:
        url = urlsplit(server.url)
        self.summary = f"model at {url._replace(netloc=url.netloc.rpartition('@')[2]).geturl()}"
        self._server = server
        self._lock = threading.Lock()

    @property
    def open_ai(self) -> bool:
        """Whether the server speaks as OpenAI's does."""
        return self._server.open_ai

    def ask(
        self,
        path: str,
        body: dict[str, Any],
        fields: Mapping[str, str] | None = None,
        check: Check = no_check,
    ) -> dict[str, Any]:
        """Post a body; return the answer's.

        Args:
            path: Where to.
            body: What to send, as JSON.
            fields: Header fields to send with it, such as the context of a trace (LLM-6).
            check: What it raises before the turn of this question comes ends the wait for it.

        Raises:
            LlmError: There is no answer, or it is too large or no JSON object.
        """
        headers = {"authorization": f"bearer {self._server.token}", **(fields or {})}
        if self._server.open_ai:
            headers["content-type"] = "application/json"
        timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        data = bytearray()
        with locked(self._lock, check):
            check()
            try:
                with (
                    httpx.Client(
                        timeout=timeout, follow_redirects=True, verify=usual_tls()
                    ) as client,
                    client.stream(
                        "POST", self._server.url + path, content=json.dumps(body), headers=headers
                    ) as answer,
                ):
                    for piece in answer.iter_bytes():
                        data += piece
                        if len(data) > MAX_RESULT_BYTES:
                            raise LlmError(too_large())
            except httpx.HTTPError as error:
                raise LlmError(f"POST {path} request error: {error}") from error
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise LlmError("Failed to deserialize response: it is not a JSON object")
        return found
