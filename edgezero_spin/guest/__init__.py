"""The only door to the WIT bindings: values in, values out, errors translated.

``run_app`` makes of an ``App`` the class that a component exports. Everything below
``wasi02`` speaks WASI 0.2 and is imported only inside a component, while it is built;
another generation of WASI is another folder beside it.
"""

from edgezero_spin.guest.run import run_app

__all__ = ["run_app"]
