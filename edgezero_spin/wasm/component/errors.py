"""Errors of reading and linking components.

Each names what is wrong and the byte of the component at which it stands.
"""

import attrs

__all__ = ["InvalidError", "MalformedError", "UnsupportedError", "WasmError"]


@attrs.frozen
class WasmError(ValueError):
    """A component cannot be used.

    Attributes:
        reason: What is wrong.
        offset: The byte of the file at which it stands.
    """

    reason: str
    offset: int

    def __str__(self) -> str:
        return f"{self.reason} (at byte {self.offset:#x})"


@attrs.frozen
class MalformedError(WasmError):
    """The bytes are not a component in the binary format."""


@attrs.frozen
class InvalidError(WasmError):
    """The component breaks a rule of validation."""


@attrs.frozen
class UnsupportedError(WasmError):
    """The component uses a feature, or has a size, that is refused here."""
