"""Worlds of components: the fewest imports that serve an app, on either WASI.

Config stores are backed by key-value and secrets by variables, so three facts
about an app decide. The worlds themselves stand in ``edgezero_spin/wit/world.wit``.

Source: design.md, "Worlds"; our own.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

import attrs

__all__ = [
    "DEFAULT_WASI",
    "SPIN_FOR",
    "WASI_VERSIONS",
    "WORLDS",
    "Capabilities",
    "Wasi",
    "world_for",
]

Wasi = Literal["0.2", "0.3"]
"""A generation of WASI: its worlds, and the host that they need."""

WASI_VERSIONS: tuple[Wasi, ...] = get_args(Wasi)

DEFAULT_WASI: Wasi = "0.2"
"""What runs wherever Spin 2 or later does, in SpinKube and the clouds, too. With 0.3 a Spin 4.1
keeps an instance for many requests, which answers several times as many; nothing older runs it."""

SPIN_FOR: Mapping[Wasi, str] = MappingProxyType({"0.2": "2.0", "0.3": "4.1"})
"""The oldest Spin that runs components of a generation."""


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


def _name(needs: Capabilities, wasi: Wasi) -> str:
    parts = ["http-trigger" if wasi == "0.2" else "http-service"]
    if needs.key_value:
        parts.append("key-value")
    if needs.variables:
        parts.append("variables")
    if needs.outbound_http:
        parts.append("outbound-http")
    return f"edgezero:spin/{'-'.join(parts)}@0.1.0"


WORLDS: Mapping[tuple[Wasi, Capabilities], str] = MappingProxyType(
    {
        (wasi, needs): _name(needs, wasi)
        for wasi in WASI_VERSIONS
        for needs in (
            Capabilities(key_value=kv, variables=variables, outbound_http=outbound)
            for kv in (False, True)
            for variables in (False, True)
            for outbound in (False, True)
        )
    }
)
"""Every world of ours by its WASI and what it grants; one for each combination."""


def world_for(needs: Capabilities, wasi: Wasi = DEFAULT_WASI) -> str:
    """Return the world that imports exactly ``needs``, as ``ns:package/world@version``."""
    return WORLDS[wasi, needs]
