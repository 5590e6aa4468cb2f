"""Method, path, scheme and authority of a request that a guest makes.

In: the name of the resource, and what a generation of WASI takes for a scheme or an authority.
Out: getters and setters; the setters refuse what cannot stand in a request.

Source: wasi:http@0.2 and 0.3; contract spin-host.md, HTTP-10; contract wasi03.md, WH-14.
"""

import re
from typing import Any

from edgezero_spin.host.exchange.fields import is_token
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http.values import TaggedValue
from edgezero_spin.host.runtime.interface import HostFunction, WitError

__all__ = ["request_accessors"]

# No absolute URL: to a proxy that is allowed it would name a host that is not.
_PATH = re.compile(r"(?:[/?#][^\x00-\x20\x7f]*|\*)?")


def request_accessors(
    resource: str, scheme: re.Pattern[str], authority: re.Pattern[str], get: str = ""
) -> dict[str, HostFunction]:
    """Return the functions, those of getters with ``get`` before the name of the part."""

    def set_scheme(state: InstanceState, request: Any, value: TaggedValue | None) -> None:
        if value is not None and value[0] == "other" and not scheme.fullmatch(value[1]):
            raise WitError(None)
        request.scheme = value

    def set_authority(state: InstanceState, request: Any, value: str | None) -> None:
        if value is not None and not authority.fullmatch(value):
            raise WitError(None)
        request.authority = value

    method = f"[method]{resource}"
    return {
        f"{method}.{get}method": lambda state, request: request.method,
        f"{method}.set-method": _set_method,
        f"{method}.{get}path-with-query": lambda state, request: request.path,
        f"{method}.set-path-with-query": _set_path,
        f"{method}.{get}scheme": lambda state, request: request.scheme,
        f"{method}.set-scheme": set_scheme,
        f"{method}.{get}authority": lambda state, request: request.authority,
        f"{method}.set-authority": set_authority,
    }


def _set_method(state: InstanceState, request: Any, method: TaggedValue) -> None:
    case, payload = method
    if case == "other" and not is_token(payload):
        raise WitError(None)
    request.method = method


def _set_path(state: InstanceState, request: Any, path: str | None) -> None:
    if path is not None and not _PATH.fullmatch(path):
        raise WitError(None)
    # A fragment is accepted, and never sent.
    request.path = None if path is None else path.partition("#")[0]
