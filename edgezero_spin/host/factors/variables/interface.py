"""``fermyon:spin/variables`` and ``spin:variables``, and ``wasi:config/store``.

A component reads the names in its own ``variables`` table and no others (VAR-1); values are
looked up at each call (VAR-6). This module only translates: names, templates and providers
are the business of ``resolver``. Version 3 asks a provider on another machine while
other requests of the instance go on (SK-10). In ``wasi:config`` a name that is not there, or that
no variable can have, is not an error.

Source: contract spin-host.md, VAR-1, VAR-6, VAR-12, VAR-13; wasi03.md, SK-10.
"""

from typing import Any

from edgezero_spin.host.factors.blocking import blocking_if_remote, in_thread
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.variables.errors import VariableError
from edgezero_spin.host.runtime.interface import Interface, WitError

__all__ = ["VARIABLES", "VARIABLES_3", "WASI_CONFIG"]


def _get_now(state: InstanceState, name: str) -> str:
    grants = state.grants
    if grants.variables is None:
        raise WitError(("undefined", f'no variable for "{grants.component_id}"."{name}"'))
    try:
        return grants.variables.get(grants.component_id, name)
    except VariableError as error:
        raise WitError((error.case, error.message)) from error


def _get(state: InstanceState, name: str) -> str:
    with blocking_if_remote(state, state.grants.variables):
        return _get_now(state, name)


def _get_3(state: InstanceState, name: str) -> Any:
    if getattr(state.grants.variables, "remote", False):
        return in_thread(lambda: _get_now(state, name))
    return _get_now(state, name)


VARIABLES = Interface("fermyon:spin/variables@2.0.0", {"get": _get})
"""The interface of version 2."""

VARIABLES_3 = Interface("spin:variables/variables@3.0.0", {"get": _get_3})
"""The interface of version 3."""


def _config_error(error: VariableError) -> WitError:
    return WitError(("upstream" if error.case == "provider" else "io", error.message))


def _get_config(state: InstanceState, key: str) -> str | None:
    grants = state.grants
    if grants.variables is None:
        return None
    try:
        with blocking_if_remote(state, grants.variables):
            return grants.variables.get(grants.component_id, key)
    except VariableError as error:
        if error.case in ("undefined", "invalid-name"):
            return None
        raise _config_error(error) from error


def _get_all(state: InstanceState) -> list[tuple[str, str]]:
    grants = state.grants
    if grants.variables is None:
        return []
    try:
        with blocking_if_remote(state, grants.variables):
            return list(grants.variables.get_all(grants.component_id).items())
    except VariableError as error:
        raise _config_error(error) from error


WASI_CONFIG = Interface(
    "wasi:config/store@0.2.0-draft-2024-09-27", {"get": _get_config, "get-all": _get_all}
)
"""The interface of WASI."""
