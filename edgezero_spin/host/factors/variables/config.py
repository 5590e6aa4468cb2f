"""Providers of variables, as ``runtime-config.toml`` names them.

In: the tables ``[[variables_provider]]`` and the values of the command line. Out: the
providers in the order in which they are asked. None of them is asked yet.

Source: contract spin-host.md, VAR-5 and VAR-20 to VAR-26.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgezero_spin.host.errors import RuntimeConfigError
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.factors.variables.providers import (
    DEFAULT_PREFIX,
    EnvironmentProvider,
    StaticProvider,
    VariableProvider,
)
from edgezero_spin.manifest.runtime_config import RuntimeConfig, TypedTable

__all__ = ["variable_providers"]

_FIELDS = {
    "env": ("prefix", "dotenv_path"),
    "vault": ("url", "token", "mount", "prefix"),
    "azure_key_vault": ("vault_url", "client_id", "client_secret", "tenant_id", "authority_host"),
}
_NEEDED = {"vault": ("url", "token", "mount"), "azure_key_vault": ("vault_url",)}

_PRINCIPAL = ("client_id", "client_secret", "tenant_id")
_AUTHORITIES = {
    "AzurePublicCloud": "https://login.microsoftonline.com",
    "AzureChina": "https://login.chinacloudapi.cn",
    "AzureGermany": "https://login.microsoftonline.de",
    "AzureGovernment": "https://login.microsoftonline.us",
}

ProviderSettings = Mapping[str, Any]


def variable_providers(
    config: RuntimeConfig | None,
    given: Mapping[str, str],
    *,
    environ: Mapping[str, str] | None = None,
    dotenv_path: Path = Path(".env"),
) -> tuple[VariableProvider, ...]:
    """Return the providers in the order in which they are asked (VAR-5).

    Args:
        given: Values from ``--variable``.
        environ: The environment; this process's own when ``None``.
        dotenv_path: The file of the built-in provider.

    Raises:
        RuntimeConfigError: A provider is of a kind that this host does not have, or its table
            cannot be used; every fault is named.
    """
    problems: list[str] = []
    configured: list[VariableProvider] = []
    for table in () if config is None else config.variables_providers:
        try:
            configured.append(_provider(table, environ))
        except ValueError as fault:
            problems.append(f"{table.key}: {fault}")
    if problems:
        raise RuntimeConfigError(None if config is None else config.path, problems)
    return (
        StaticProvider(given),
        *configured,
        EnvironmentProvider(environ=environ, dotenv_path=dotenv_path),
    )


def _provider(table: TypedTable, environ: Mapping[str, str] | None) -> VariableProvider:
    """Make the provider of one table.

    Raises:
        ValueError: It cannot be made. No value is repeated, which may be a secret.
    """
    type_, settings = table.type, table.settings
    if type_ == "static":
        # Spin takes no notice of fields that it does not know here.
        return _static(settings)
    if type_ not in _FIELDS:
        raise ValueError(
            f"unknown type '{type_}' of provider. Use `static`, `env`, `vault` or "
            "`azure_key_vault`."
        )
    _check_names(type_, settings)
    _check_texts(type_, settings)
    if type_ == "env":
        return _environment(settings, environ)
    return _vault(settings) if type_ == "vault" else _key_vault(settings)


def _check_names(type_: str, settings: ProviderSettings) -> None:
    known = _FIELDS[type_]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(
            f"unknown field(s): {', '.join(unknown)}. Known here: type, {', '.join(known)}."
        )


def _check_texts(type_: str, settings: ProviderSettings) -> None:
    wrong = [
        name
        for name in _FIELDS[type_]
        if (name in settings or name in _NEEDED.get(type_, ()))
        and not isinstance(settings.get(name), str)
    ]
    if wrong:
        raise ValueError(f"must be a string: {', '.join(wrong)}")


def _static(settings: ProviderSettings) -> VariableProvider:
    values = settings.get("values")
    if not isinstance(values, Mapping) or not all(isinstance(one, str) for one in values.values()):
        raise ValueError("`values` must be a table of strings")
    return StaticProvider(values)


def _environment(settings: ProviderSettings, environ: Mapping[str, str] | None) -> VariableProvider:
    dotenv = settings.get("dotenv_path")
    return EnvironmentProvider(
        settings.get("prefix", DEFAULT_PREFIX),
        dotenv_path=None if dotenv is None else Path(dotenv),
        environ=environ,
    )


def _vault(settings: ProviderSettings) -> VariableProvider:
    token = settings["token"]
    if not (token.isascii() and token.isprintable()):
        raise ValueError("`token` has a letter that cannot be sent, such as the end of a line")
    # With it comes an HTTP client, a sixth of what a host imports.
    from edgezero_spin.host.factors.variables.backends.vault import VaultProvider

    return VaultProvider(**settings)


def _key_vault(settings: ProviderSettings) -> VariableProvider:
    """Read ``azure_key_vault`` (VAR-26)."""
    given = [name for name in _PRINCIPAL if name in settings]
    absent = [name for name in _PRINCIPAL if name not in settings]
    if given and absent:
        raise ValueError(
            f"{', '.join(given)} without {', '.join(absent)}: give all three, or none to ask as "
            "whom the environment names"
        )
    host = settings.get("authority_host", "AzurePublicCloud")
    if host not in _AUTHORITIES:
        raise ValueError(f"`authority_host` is one of {', '.join(_AUTHORITIES)}")
    needed = missing_extra("variables of type 'azure_key_vault'", "azure", "azure.keyvault.secrets")
    if needed is not None:
        raise ValueError(needed)
    # An extra, and slow to import.
    from edgezero_spin.host.factors.variables.backends.azure_key_vault import (
        AzureKeyVaultProvider,
        ServicePrincipal,
    )

    principal = None
    if given:
        of_whom = {name: settings[name] for name in _PRINCIPAL}
        principal = ServicePrincipal(authority=_AUTHORITIES[host], **of_whom)
    try:
        return AzureKeyVaultProvider(settings["vault_url"], principal)
    except ValueError:
        raise ValueError("`vault_url` or `tenant_id` cannot be used") from None
