"""The only door to the WIT bindings: values in, values out, errors translated.

``run_app`` makes of an ``App`` the class that a component exports; ``adopt.open_stores`` gives
the typed stores alone to a component that was written on another kit. Everything below
``wasi02`` speaks WASI 0.2 and is imported only inside a component, while it is built;
another generation of WASI is another folder beside it.
"""

from edgezero_spin.guest.drive import wait
from edgezero_spin.guest.run import run_app

__all__ = ["run_app", "wait"]
