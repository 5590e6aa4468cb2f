"""HTTP methods and schemes as the bindings of ``wasi:http`` have them, in both generations.

Source: ``wasi:http/types``, method and scheme.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["method_types", "scheme_name", "scheme_types"]

_NAMED = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")


def method_types(types: Any) -> Mapping[str, Any]:
    """Return the case class of each method that WASI names.

    Args:
        types: The generated module.
    """
    return {name: getattr(types, f"Method_{name.title()}") for name in _NAMED}


def scheme_types(types: Any) -> Mapping[str, Any]:
    """Return the case class of ``http`` and ``https``."""
    return {"http": types.Scheme_Http, "https": types.Scheme_Https}


def scheme_name(scheme: Any) -> str | None:
    """Return ``http``, ``https`` or what the host says instead, in lower case."""
    if scheme is None:
        return None
    text = getattr(scheme, "value", None)
    return (
        str(text).lower()
        if text is not None
        else type(scheme).__name__.removeprefix("Scheme_").lower()
    )
