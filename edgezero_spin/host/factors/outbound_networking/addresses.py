"""Permission to connect to a database or a broker.

In: an address as the guest gives it. Out: yes or no, and a line for the operator when it is
no (NET-30). Which error the guest gets is for each interface to say.

Source: contract spin-host.md, NET-22 to NET-25, NET-30.
"""

import logging
from contextlib import nullcontext

from edgezero_spin.host.factors.blocking import blocking_if_remote
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.allowed_hosts import (
    denial_advice,
    parse_outbound_url,
)

__all__ = ["may_connect"]

logger = logging.getLogger("edgezero_spin.host")


def may_connect(state: InstanceState, address: str, scheme: str, *, apart: bool = False) -> bool:
    """Whether the manifest allows a connection.

    Args:
        address: A URL, or one without its scheme.
        scheme: What is meant when the address has none.
        apart: The call is on a thread of the host, and the guest does not wait.
    """
    hosts = state.grants.outbound
    with nullcontext() if apart else blocking_if_remote(state, hosts):
        allowed = hosts is not None and hosts.allows_address(address, scheme)
    if allowed:
        return True
    try:
        url = parse_outbound_url(address, scheme)
    except ValueError:
        logger.warning("A component tried to connect to what is not an address of %s.", scheme)
    else:
        logger.warning("%s", denial_advice(url.scheme, url.authority))
    return False
