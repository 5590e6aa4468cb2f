"""Choose the world of a component: the fewest imports that serve its app.

Config stores are backed by key-value and secrets by variables, so three facts
about an app decide. The worlds themselves stand in ``edgezero_spin/wit/world.wit``.

Source: design.md, "Worlds"; our own.
"""

from collections.abc import Mapping
from types import MappingProxyType

import attrs

__all__ = ["WORLDS", "Capabilities", "world_for"]


@attrs.frozen(kw_only=True)
class Capabilities:
    """What an app asks of its host beyond answering requests.

    Attributes:
        key_value: It declares key-value or config stores.
        variables: It declares secret stores.
        outbound_http: It sends requests of its own.
    """

    key_value: bool = False
    variables: bool = False
    outbound_http: bool = False


def _name(needs: Capabilities) -> str:
    parts = ["http-trigger"]
    if needs.key_value:
        parts.append("key-value")
    if needs.variables:
        parts.append("variables")
    if needs.outbound_http:
        parts.append("outbound-http")
    return f"edgezero:spin/{'-'.join(parts)}@0.1.0"


WORLDS: Mapping[Capabilities, str] = MappingProxyType(
    {
        needs: _name(needs)
        for needs in (
            Capabilities(key_value=kv, variables=variables, outbound_http=outbound)
            for kv in (False, True)
            for variables in (False, True)
            for outbound in (False, True)
        )
    }
)
"""Every world of ours by what it grants; one for each combination."""


def world_for(needs: Capabilities) -> str:
    """Return the world that imports exactly ``needs``, as ``ns:package/world@version``."""
    return WORLDS[needs]
