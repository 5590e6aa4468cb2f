"""Variables: providers, templates, and what a component gets to read."""

from edgezero_spin.host.factors.variables.errors import (
    ProviderError,
    VariableError,
    VariableSetupError,
)
from edgezero_spin.host.factors.variables.options import read_variable_options
from edgezero_spin.host.factors.variables.providers import (
    ClosingProvider,
    EnvironmentProvider,
    StaticProvider,
    VariableProvider,
)
from edgezero_spin.host.factors.variables.resolver import VariableResolver

__all__ = [
    "ClosingProvider",
    "EnvironmentProvider",
    "ProviderError",
    "StaticProvider",
    "VariableError",
    "VariableProvider",
    "VariableResolver",
    "VariableSetupError",
    "read_variable_options",
]
