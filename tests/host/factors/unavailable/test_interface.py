"""Interfaces without a service behind them: checked, refused, and never a trap."""

from typing import Any

import pytest

from edgezero_spin.host.factors.unavailable.interface import NOT_PROVIDED
from tests.host.support import error_of, instance_state


@pytest.mark.parametrize("interface", ["fermyon:spin/llm@2.0.0", "fermyon:spin/llm"])
@pytest.mark.parametrize(
    ("function", "arguments"), [("infer", ("prompt", None)), ("generate-embeddings", (["text"],))]
)
def test_models(interface: str, function: str, arguments: tuple[Any, ...]) -> None:
    """A model that the manifest does not list is refused in Spin's words (DB-9, DB-10).

    Of DB-8 this host has the functions and these errors.
    """
    state = instance_state(ai_models=("llama2",))
    asked = f"{interface} {function}"
    assert error_of(state, asked, "llama2", *arguments) == ("runtime-error", NOT_PROVIDED)
    case, message = error_of(state, asked, "other", *arguments)
    assert case == "invalid-input"
    assert message.startswith("The component does not have access to use 'other'. ")
