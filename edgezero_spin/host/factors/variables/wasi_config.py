"""``wasi:config/store@0.2.0-draft-2024-09-27``: a component's variables as configuration.

The same values as ``fermyon:spin/variables``, other errors: a name that is not there, or that
no variable can have, is not an error here.

Source: contract spin-host.md, VAR-12 and VAR-13.
"""

from edgezero_spin.host.factors.blocking import blocking_if_remote
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.variables import VariableError
from edgezero_spin.host.runtime.interface import Interface, WitError

__all__ = ["WASI_CONFIG"]


def _failure(error: VariableError) -> WitError:
    return WitError(("upstream" if error.case == "provider" else "io", error.message))


def _get(state: InstanceState, key: str) -> str | None:
    grants = state.grants
    if grants.variables is None:
        return None
    try:
        with blocking_if_remote(state, grants.variables):
            return grants.variables.get(grants.component_id, key)
    except VariableError as error:
        if error.case in ("undefined", "invalid-name"):
            return None
        raise _failure(error) from error


def _get_all(state: InstanceState) -> list[tuple[str, str]]:
    grants = state.grants
    if grants.variables is None:
        return []
    try:
        with blocking_if_remote(state, grants.variables):
            return list(grants.variables.get_all(grants.component_id).items())
    except VariableError as error:
        raise _failure(error) from error


WASI_CONFIG = Interface(
    "wasi:config/store@0.2.0-draft-2024-09-27", {"get": _get, "get-all": _get_all}
)
"""The interface, version included."""
