"""Variables from HashiCorp Vault, over its HTTP API.

Each variable is a secret of a version 2 key-value engine, with its value in the field
``value``. It is asked for at every call of a guest, so a value that is rotated there is seen
by the next request (VAR-6).

Source: contract spin-host.md, VAR-25; https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2.
"""

from typing import Any, ClassVar
from urllib.parse import quote

import attrs
import httpx

from edgezero_spin.host.factors.tls import usual_tls
from edgezero_spin.host.factors.variables.errors import ProviderError

__all__ = ["VaultProvider"]

TIMEOUT_S = 10.0
FAILED = "Failed to check Vault for config"


@attrs.frozen(kw_only=True, eq=False)
class VaultProvider:
    """Looks values up in one Vault. May be asked from any thread.

    Attributes:
        url: The server, ``https://vault.example.com:8200``.
        token: What it lets this host in with.
        mount: Where the key-value engine is mounted.
        prefix: Put before every name, with a slash between.
        remote: It is on another machine.
    """

    remote: ClassVar[bool] = True

    url: str
    token: str = attrs.field(repr=False)
    mount: str
    prefix: str | None = None
    _client: httpx.Client = attrs.field(
        factory=lambda: httpx.Client(timeout=TIMEOUT_S, verify=usual_tls()), init=False, repr=False
    )

    def get(self, name: str) -> str | None:
        """Return the value, ``None`` when Vault has no such secret.

        Raises:
            ProviderError: Vault cannot be asked, refuses, or holds something else there.
        """
        path = name if self.prefix is None else f"{self.prefix.strip('/')}/{name}"
        url = f"{self.url.rstrip('/')}/v1/{_quoted(self.mount)}/data/{_quoted(path)}"
        try:
            response = self._client.get(url, headers={"X-Vault-Token": self.token})
        except (httpx.LocalProtocolError, httpx.InvalidURL, ValueError):
            # Their messages repeat the token, or what stands for a port in the URL.
            raise ProviderError(f"{FAILED}: `url` or `token` cannot be sent") from None
        except httpx.HTTPError as error:
            raise ProviderError(f"{FAILED}: {str(error) or type(error).__name__}") from error
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise ProviderError(f"{FAILED}: {_refusal(response)}")
        return _value(response, path)

    def close(self) -> None:
        """Close the connections. Twice is harmless."""
        self._client.close()


def _quoted(path: str) -> str:
    return quote(path.strip("/"), safe="/")


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _refusal(response: httpx.Response) -> str:
    body = _json(response)
    errors = body.get("errors") if isinstance(body, dict) else None
    said = ", ".join(str(error) for error in errors) if isinstance(errors, list) else ""
    status = f"{response.status_code} {response.reason_phrase}".rstrip()
    return f"{status}: {said}" if said else status


def _value(response: httpx.Response, path: str) -> str:
    found = _json(response)
    for key in ("data", "data", "value"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str):
        raise ProviderError(f"{FAILED}: the secret {path!r} has no text in its field `value`")
    return found
