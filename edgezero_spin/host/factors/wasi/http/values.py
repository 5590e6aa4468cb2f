"""Methods and error codes of ``wasi:http``, as tagged values and as text."""

from typing import Any

__all__ = ["ErrorCode", "TaggedValue", "error_text", "method_text", "method_variant"]

ErrorCode = tuple[str, Any]
TaggedValue = tuple[str, Any]

_METHODS: dict[str, TaggedValue] = {
    name.upper(): (name, None)
    for name in ["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"]
}


def method_variant(method: str) -> TaggedValue:
    """``GET`` as ``("get", None)``, ``PURGE`` as ``("other", "PURGE")``."""
    return _METHODS.get(method) or ("other", method)


def method_text(method: TaggedValue) -> str:
    """The reverse of ``method_variant``."""
    case, payload = method
    return str(payload) if case == "other" else case.upper()


def error_text(code: ErrorCode) -> str:
    """An error code as one word, with what it carries in brackets."""
    case, payload = code
    return case if payload is None else f"{case}({payload})"
