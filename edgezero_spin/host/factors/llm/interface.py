"""``fermyon:spin/llm``: a guest asks language models for text and embeddings.

Source: contract services.md, section 4; spin-host.md, DB-8, DB-9.
"""

from collections.abc import Callable
from struct import pack, unpack
from typing import Any

from edgezero_spin.host.factors.blocking import on_own_thread
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError

__all__ = ["INTERFACES", "NO_ENGINE"]

NO_ENGINE = "Local LLM operations are not supported in this version of Spin."

_DEFAULTS = {
    "max-tokens": 100,
    "repeat-penalty": 1.1,
    "repeat-penalty-last-n-token-count": 64,
    "temperature": 0.8,
    "top-k": 40,
    "top-p": 0.9,
}


def _check_granted(state: InstanceState, model: str) -> None:
    if model not in state.grants.ai_models:
        raise WitError(
            (
                "invalid-input",
                f"The component does not have access to use '{model}'. To give the component "
                f"access, add '{model}' to the 'ai_models' key for the component in your "
                "spin.toml manifest",
            )
        )
    if state.grants.llm is None:
        raise WitError(("runtime-error", NO_ENGINE))


def _ask(
    state: InstanceState,
    path: str,
    body: dict[str, Any],
    read: Callable[[dict[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    from edgezero_spin.host.factors.llm.client import LlmError

    observer = state.request_observer
    given = () if observer is None else observer.headers()
    fields = {name: value.decode("latin-1") for name, value in given}
    llm = state.grants.llm
    try:
        found: dict[str, Any] = on_own_thread(
            state, "llm", lambda: llm.ask(path, body, fields, state.check)
        )
    except LlmError as error:
        raise WitError(("runtime-error", str(error))) from error
    refusal = found.get("error")
    if llm.open_ai and isinstance(refusal, dict):
        raise WitError(("runtime-error", str(refusal.get("message"))))
    try:
        return read(found)
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        reason = f"Failed to deserialize response: {error!r}"
        raise WitError(("runtime-error", reason)) from error


def _infer(
    state: InstanceState, model: str, prompt: str, params: dict[str, Any] | None
) -> dict[str, Any]:
    _check_granted(state, model)
    settings = {**_DEFAULTS, **(params or {})}
    if state.grants.llm.open_ai:
        return _ask(
            state,
            "/v1/chat/completions",
            {
                "messages": [{"role": "user", "content": prompt}],
                "model": model,
                "max_completion_tokens": settings["max-tokens"],
                "frequency_penalty": _single(settings["repeat-penalty"]),
            },
            _completion,
        )
    return _ask(
        state,
        "/infer",
        {
            "model": model,
            "prompt": prompt,
            "options": {
                "maxTokens": settings["max-tokens"],
                "repeatPenalty": _single(settings["repeat-penalty"]),
                "repeatPenaltyLastNTokenCount": settings["repeat-penalty-last-n-token-count"],
                "temperature": _single(settings["temperature"]),
                "topK": settings["top-k"],
                "topP": _single(settings["top-p"]),
            },
        },
        lambda found: _inferred(
            found["text"], found["usage"]["promptTokenCount"], found["usage"]["generatedTokenCount"]
        ),
    )


def _completion(found: dict[str, Any]) -> dict[str, Any]:
    choices, usage = found["choices"], found["usage"]
    text = choices[0]["message"]["content"] if choices else ""
    return _inferred(text, usage["prompt_tokens"], usage["completion_tokens"])


def _inferred(text: Any, asked: Any, generated: Any) -> dict[str, Any]:
    if not isinstance(text, str):
        raise TypeError("the text is not a string")
    usage = {"prompt-token-count": _count(asked), "generated-token-count": _count(generated)}
    return {"text": text, "usage": usage}


def _generate_embeddings(state: InstanceState, model: str, texts: list[str]) -> dict[str, Any]:
    _check_granted(state, model)
    body = {"model": model, "input": texts}
    if state.grants.llm.open_ai:
        return _ask(
            state,
            "/v1/embeddings",
            body,
            lambda found: _embedded(
                [item["embedding"] for item in found["data"]], found["usage"]["prompt_tokens"]
            ),
        )
    return _ask(
        state,
        "/embed",
        body,
        lambda found: _embedded(found["embeddings"], found["usage"]["promptTokenCount"]),
    )


def _embedded(vectors: Any, asked: Any) -> dict[str, Any]:
    return {
        "embeddings": [[_single(number) for number in vector] for vector in vectors],
        "usage": {"prompt-token-count": _count(asked)},
    }


def _single(number: Any) -> float:
    """Return a number as single precision has it."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError("an embedding has something else than numbers")
    return float(unpack("<f", pack("<f", number))[0])


def _count(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**32:
        raise TypeError("a count of tokens is not a count")
    return number


_FUNCTIONS: dict[str, HostFunction] = {
    "infer": _infer,
    "generate-embeddings": _generate_embeddings,
}

INTERFACES = (
    Interface("fermyon:spin/llm@2.0.0", _FUNCTIONS),
    Interface("fermyon:spin/llm", _FUNCTIONS),
)
"""The interfaces, versions included."""
