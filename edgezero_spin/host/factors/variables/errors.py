"""Errors of variables, before the first request and during one.

```
HostError
├── VariableError       a guest asked, and gets an error of its interface
├── ProviderError       a provider cannot say whether it has a value
└── SetupError
    └── VariableSetupError  the application's variables cannot be used as they stand
```
"""

from typing import Literal

from edgezero_spin.errors import HostError
from edgezero_spin.host.errors import SetupError

__all__ = ["Case", "ProviderError", "VariableError", "VariableSetupError"]

Case = Literal["undefined", "invalid-name", "provider", "other"]
"""A case of ``error`` in ``fermyon:spin/variables``."""


class VariableError(HostError):
    """A guest asked for a variable and there is no value for it.

    Attributes:
        case: Which error it is.
        message: The payload of that case.

    Source: contract spin-host.md, VAR-10 and VAR-11.
    """

    def __init__(self, case: Case, message: str) -> None:
        super().__init__(case, message)
        self.case: Case = case
        self.message = message

    def __str__(self) -> str:
        return self.message


class ProviderError(HostError):
    """A provider failed. The chain of providers stops there (VAR-8)."""


class VariableSetupError(SetupError):
    """The variables of an application cannot be used."""
