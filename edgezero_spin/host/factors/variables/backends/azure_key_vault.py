"""Variables from Azure Key Vault, by its official client, which is an extra.

Each variable is a secret of the vault, under the variable's own name. It is asked for at
every call of a guest, so a value that is rotated there is seen by the next request (VAR-6).
A secret that is not there is an error, and no reason to ask the next provider.

Source: contract spin-host.md, VAR-26.
"""

import logging
from contextlib import ExitStack
from typing import Any

import attrs
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from edgezero_spin.host.factors.variables.errors import ProviderError

__all__ = ["AzureKeyVaultProvider", "ServicePrincipal"]

logger = logging.getLogger("edgezero_spin.host")

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 10
RETRIES = 2
FAILED = "Failed to read variable from Azure Key Vault"


@attrs.frozen(kw_only=True)
class ServicePrincipal:
    """Who asks.

    Attributes:
        client_secret: Its password.
        authority: URL of the service that knows it.
    """

    tenant_id: str
    client_id: str
    client_secret: str = attrs.field(repr=False)
    authority: str


class AzureKeyVaultProvider:
    """Looks values up in one vault. May be asked from any thread.

    Attributes:
        vault_url: The vault, ``https://acme.vault.azure.net``.
        remote: It is on another machine.
    """

    remote = True

    def __init__(self, vault_url: str, principal: ServicePrincipal | None = None) -> None:
        """Connect to nothing yet.

        Args:
            principal: Who asks; ``None`` for whom the environment names.

        Raises:
            ValueError: The URL or the principal cannot be used.
        """
        self.vault_url = vault_url
        limits: dict[str, Any] = {
            "connection_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retry_total": RETRIES,
        }
        credential: ClientSecretCredential | DefaultAzureCredential
        if principal is None:
            credential = DefaultAzureCredential(**limits)
        else:
            credential = ClientSecretCredential(
                principal.tenant_id,
                principal.client_id,
                principal.client_secret,
                authority=principal.authority,
                # The authority is the operator's choice; nobody else has to vouch for it.
                disable_instance_discovery=True,
                **limits,
            )
        self._client = SecretClient(vault_url, credential, **limits)
        self._open = ExitStack()
        self._open.callback(credential.close)
        self._open.callback(self._client.close)

    def get(self, name: str) -> str:
        """Return the value.

        Raises:
            ProviderError: There is none, or the vault cannot be asked (VAR-26).
        """
        try:
            secret = self._client.get_secret(name)
        except ClientAuthenticationError:
            # Its message repeats what was tried, at length.
            raise ProviderError(f"{FAILED}: there is no token that may read") from None
        except HttpResponseError as error:
            status = f"{error.status_code or 0} {error.reason or ''}".rstrip()
            raise ProviderError(f"{FAILED}: {status} for the secret {name!r}") from None
        except AzureError as error:
            raise ProviderError(f"{FAILED}: {type(error).__name__}") from None
        if secret.value is None:
            raise ProviderError(f"{FAILED}: the secret {name!r} has no value")
        return secret.value

    def close(self) -> None:
        """Close the connections. Twice is harmless."""
        self._open.close()
