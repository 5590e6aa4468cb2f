"""Interfaces that this host knows and does not provide: LLM.

A component that imports them loads. A call is checked as Spin checks it and then fails with an
error of its own interface, so that a guest can go on; the message says who provides it.

Source: contract spin-host.md, DB-8 to DB-10.
"""

from typing import Any

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError

__all__ = ["INTERFACES", "NOT_PROVIDED"]

NOT_PROVIDED = "not supported by this host; `spin up` provides it"
"""What every such call ends in."""


def _ask_model(state: InstanceState, model: str, *rest: Any) -> None:
    if model not in state.grants.ai_models:
        raise WitError(
            (
                "invalid-input",
                f"The component does not have access to use '{model}'. To give the component "
                f"access, add '{model}' to the 'ai_models' key for the component in your "
                "spin.toml manifest",
            )
        )
    raise WitError(("runtime-error", NOT_PROVIDED))


_LLM: dict[str, HostFunction] = {"infer": _ask_model, "generate-embeddings": _ask_model}

INTERFACES = (Interface("fermyon:spin/llm@2.0.0", _LLM), Interface("fermyon:spin/llm", _LLM))
"""The interfaces, versions included."""
