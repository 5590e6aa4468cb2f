"""``fermyon:spin/variables@2.0.0``: the variables that the manifest gives a component.

A component reads the names in its own ``variables`` table and no others (VAR-1); values are
looked up at each call (VAR-6). This module only translates: names, templates and providers
are the business of ``resolver``.
"""

from edgezero_spin.host.factors.blocking import asking
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.variables import VariableError
from edgezero_spin.host.runtime.interface import Interface, WitError

__all__ = ["VARIABLES"]


def _get(state: InstanceState, name: str) -> str:
    grants = state.grants
    if grants.variables is None:
        raise WitError(("undefined", f'no variable for "{grants.component_id}"."{name}"'))
    try:
        with asking(state, grants.variables):
            return grants.variables.get(grants.component_id, name)
    except VariableError as error:
        raise WitError((error.case, error.message)) from error


VARIABLES = Interface("fermyon:spin/variables@2.0.0", {"get": _get})
"""The interface, version included."""
