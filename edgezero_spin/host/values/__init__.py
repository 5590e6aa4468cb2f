"""WIT values to Python and back, by converters that are prepared once per type.

``prepare_lift`` and ``prepare_lower`` turn a type into a closure while a component is
linked; a call then runs closures over raw addresses and reads no type. Everything that
knows the engine's value layout is in this package (``raw.py`` first of all), so that a new
wasmtime release is followed here.
"""

from edgezero_spin.host.values.bulk import behind_length, prepare_bulk_lifts
from edgezero_spin.host.values.lift import Lift, prepare_lift
from edgezero_spin.host.values.lower import Lower, prepare_case, prepare_lower
from edgezero_spin.host.values.scope import GuestResource, Scope
from edgezero_spin.host.values.types import HostResource, ResourceTypes, describe, host_type_id

__all__ = [
    "GuestResource",
    "HostResource",
    "Lift",
    "Lower",
    "ResourceTypes",
    "Scope",
    "behind_length",
    "describe",
    "host_type_id",
    "prepare_bulk_lifts",
    "prepare_case",
    "prepare_lift",
    "prepare_lower",
]
