"""Language models, asked on a stand-in for a server."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.llm import client as llm_client
from edgezero_spin.host.factors.llm.client import LlmClient
from edgezero_spin.host.factors.llm.config import LlmServer, read_llm_settings
from edgezero_spin.host.factors.llm.interface import NO_ENGINE
from edgezero_spin.manifest.errors import InvalidManifestError
from edgezero_spin.manifest.runtime_config import load_runtime_config
from tests.host.support import call, error_of, instance_state

INFER = "fermyon:spin/llm@2.0.0 infer"
EMBED = "fermyon:spin/llm@2.0.0 generate-embeddings"
PARAMS = {
    "max-tokens": 5,
    "repeat-penalty": 0.5,
    "repeat-penalty-last-n-token-count": 6,
    "temperature": 0.25,
    "top-k": 7,
    "top-p": 0.75,
}


class ModelServer(ThreadingHTTPServer):
    """Answers every request alike, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.answer: Any = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.held = threading.Event()
        self.held.set()
        self.redirect = ""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, headers, json.loads(self.rfile.read(size))))
        self.server.held.wait(30)
        if self.server.redirect:
            self.send_response(307)
            self.send_header("location", self.server.redirect)
            self.server.redirect = ""
            data = b""
        else:
            self.send_response(self.server.status)
            answer = self.server.answer
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A server, reached without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ModelServer() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.held.set()
        made.shutdown()
        thread.join()


def state_of(server: ModelServer, *, open_ai: bool = False) -> Any:
    """An instance that may use ``llama2`` on the server."""
    client = LlmClient(LlmServer(server.url, "secret", open_ai))
    return instance_state(ai_models=("llama2",), llm=client)


@pytest.mark.parametrize("interface", ["fermyon:spin/llm@2.0.0", "fermyon:spin/llm"])
@pytest.mark.parametrize(
    ("function", "arguments"), [("infer", ("prompt", None)), ("generate-embeddings", (["text"],))]
)
def test_models_that_are_not_there(
    interface: str, function: str, arguments: tuple[Any, ...]
) -> None:
    """A model that the manifest does not list is refused first, in Spin's words."""
    # DB-9, LLM-1, LLM-2, LLM-4, V-50
    state = instance_state(ai_models=("llama2",))
    asked = f"{interface} {function}"
    assert error_of(state, asked, "llama2", *arguments) == ("runtime-error", NO_ENGINE)
    case, message = error_of(state, asked, "other", *arguments)
    assert case == "invalid-input"
    assert message.startswith("The component does not have access to use 'other'. ")


def test_text_of_spins_own_interface(server: ModelServer) -> None:
    """Every parameter goes out, the defaults in single precision; the status does not count."""
    # LLM-3, LLM-6, LLM-10, LLM-20, LLM-24, V-51, V-52
    server.status = 500
    server.answer = {
        "text": "Hej",
        "usage": {"promptTokenCount": 3, "generatedTokenCount": 4},
        "more": 1,
    }
    state = state_of(server)
    expected = {"text": "Hej", "usage": {"prompt-token-count": 3, "generated-token-count": 4}}
    assert call(state, INFER, "llama2", "why?", PARAMS) == expected
    path, headers, body = server.asked[0]
    assert path == "/infer"
    assert headers["authorization"] == "bearer secret"
    assert "content-type" not in headers
    assert body == {
        "model": "llama2",
        "prompt": "why?",
        "options": {
            "maxTokens": 5,
            "repeatPenalty": 0.5,
            "repeatPenaltyLastNTokenCount": 6,
            "temperature": 0.25,
            "topK": 7,
            "topP": 0.75,
        },
    }
    call(state, INFER, "llama2", "why?", None)
    options = server.asked[1][2]["options"]
    assert (options["maxTokens"], options["topK"]) == (100, 40)
    assert options["repeatPenalty"] == 1.100000023841858


def test_text_of_openais_interface(server: ModelServer) -> None:
    """The prompt is a message; no choice is an empty text."""  # LLM-12, V-53
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    server.answer = {"choices": [{"message": {"content": "Hej"}}], "usage": usage}
    state = state_of(server, open_ai=True)
    assert call(state, INFER, "llama2", "why?", PARAMS)["text"] == "Hej"
    path, headers, body = server.asked[0]
    assert (path, headers["content-type"]) == ("/v1/chat/completions", "application/json")
    assert body == {
        "messages": [{"role": "user", "content": "why?"}],
        "model": "llama2",
        "max_completion_tokens": 5,
        "frequency_penalty": 0.5,
    }
    server.answer = {"choices": [], "usage": usage}
    assert call(state, INFER, "llama2", "why?", None)["text"] == ""
    server.answer = {"error": {"message": "no such model"}}
    assert error_of(state, INFER, "llama2", "why?", None) == ("runtime-error", "no such model")


@pytest.mark.parametrize("open_ai", [False, True])
def test_embeddings(server: ModelServer, open_ai: bool) -> None:
    """One vector for each text, in order."""  # LLM-11, LLM-13, V-54
    vectors = [[0.5, -1], [0.25, 2]]
    server.answer = {
        "embeddings": vectors,
        "data": [{"embedding": vector} for vector in vectors],
        "usage": {"promptTokenCount": 3, "prompt_tokens": 3},
    }
    state = state_of(server, open_ai=open_ai)
    assert call(state, EMBED, "llama2", ["a", "b"]) == {
        "embeddings": [[0.5, -1.0], [0.25, 2.0]],
        "usage": {"prompt-token-count": 3},
    }
    path, _, body = server.asked[0]
    assert path == ("/v1/embeddings" if open_ai else "/embed")
    assert body == {"model": "llama2", "input": ["a", "b"]}


@pytest.mark.parametrize(
    "answer",
    [
        b"x",
        b"[1]",
        b"[" * 100_000,
        {},
        {"text": 5, "usage": {"promptTokenCount": 1, "generatedTokenCount": 1}},
        {"text": "x", "usage": {"promptTokenCount": -1, "generatedTokenCount": 1}},
        {"text": "x", "usage": {"promptTokenCount": 1, "generatedTokenCount": 2**32}},
        {"text": "x", "usage": []},
    ],
)
def test_answers_that_cannot_be_read(server: ModelServer, answer: Any) -> None:
    """They are an error of the interface, whatever they are."""  # LLM-22, V-52
    server.answer = answer
    case, message = error_of(state_of(server), INFER, "llama2", "why?", None)
    assert case == "runtime-error"
    assert message.startswith("Failed to deserialize response")


def test_servers_that_do_not_answer(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path is named, and no token; a large answer is not kept; redirects are followed."""
    # LLM-6, LLM-22
    state = instance_state(
        ai_models=("llama2",), llm=LlmClient(LlmServer("http://127.0.0.1:1", "secret"))
    )
    case, message = error_of(state, EMBED, "llama2", ["a"])
    assert (case, message.startswith("POST /embed request error")) == ("runtime-error", True)
    assert "secret" not in message
    server.answer = {"embeddings": [[1]], "usage": {"promptTokenCount": 3}}
    server.redirect = f"{server.url}/elsewhere"
    assert call(state_of(server), EMBED, "llama2", ["a"])["embeddings"] == [[1.0]]
    assert server.asked[-1][0] == "/elsewhere"
    monkeypatch.setattr(llm_client, "MAX_RESULT_BYTES", 10)
    case, message = error_of(state_of(server), EMBED, "llama2", ["a"])
    assert (case, "exceeds limit" in message) == ("runtime-error", True)


def test_a_deadline_ends_a_wait(server: ModelServer) -> None:
    """The guest stops in time while the server still computes."""
    server.held.clear()
    state = state_of(server)
    state.deadline_ns = time.monotonic_ns() + 200_000_000
    with pytest.raises(DeadlineExceeded):
        call(state, INFER, "llama2", "why?", None)


def settings_of(tmp_path: Path, text: str) -> Any:
    """Read a runtime configuration."""
    path = tmp_path / "runtime-config.toml"
    path.write_text(text)
    return read_llm_settings(load_runtime_config(path))


def test_a_question_that_nobody_waits_for_is_not_asked(server: ModelServer) -> None:
    """It had no turn before its guest's time was up; the ones behind it do not wait for it."""
    server.answer = {"text": "", "usage": {"promptTokenCount": 1, "generatedTokenCount": 1}}
    server.held.clear()
    state = state_of(server)
    first = threading.Thread(target=call, args=(state, INFER, "llama2", "first", None))
    first.start()
    while not server.asked:
        time.sleep(0.001)
    late = instance_state(ai_models=("llama2",), llm=state.grants.llm)
    late.deadline_ns = time.monotonic_ns()
    with pytest.raises(DeadlineExceeded):
        call(late, INFER, "llama2", "late", None)
    server.held.set()
    for thread in threading.enumerate():
        if thread is first or thread.name == "llm":
            thread.join()
    assert [body["prompt"] for _, _, body in server.asked] == ["first"]


def test_the_table_of_the_runtime_configuration(tmp_path: Path) -> None:
    """The path of the URL is replaced, and the token stays out of what is printed."""
    # LLM-4 to LLM-6
    assert read_llm_settings(None).server is None
    text = '[llm_compute]\ntype = "remote_http"\nurl = "https://h:7/base"\nauth_token = "secret"\n'
    server = settings_of(tmp_path, text).server
    assert server == LlmServer("https://h:7", "secret")
    assert "secret" not in repr(server)
    assert settings_of(tmp_path, text + 'api_type = "open_ai"\nextra = 1\n').server.open_ai
    local = settings_of(tmp_path, '[llm_compute]\ntype = "spin"\n')
    assert local.server is None
    assert "does nothing" in local.warnings[0]


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("", "missing field `type`"),
        ('type = "llama"', "unknown type 'llama'"),
        ('type = "remote_http"\nauth_token = "secret"', "missing field `url`"),
        ('type = "remote_http"\nurl = "https://h"', "missing field `auth_token`"),
        ('type = "remote_http"\nurl = "h"\nauth_token = "secret"', "not an http or https"),
        (
            'type = "remote_http"\nurl = "http://[x"\nauth_token = "secret"',
            "not an http or https",
        ),
        ('type = "remote_http"\nurl = "http://h"\nauth_token = "secret\\n"', "printable"),
        (
            'type = "remote_http"\nurl = "http://h"\nauth_token = "secret"\napi_type = "x"',
            "unknown API 'x'",
        ),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, table: str, fault: str) -> None:
    """They end the start, with the fault and without the token."""  # LLM-5
    with pytest.raises(InvalidManifestError) as raised:
        settings_of(tmp_path, f"[llm_compute]\n{table}\n")
    assert fault in str(raised.value)
    assert "secret" not in str(raised.value)
