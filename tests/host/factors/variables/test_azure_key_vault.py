"""Variables from Azure Key Vault: a stand-in that follows its protocol, no real vault."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from edgezero_spin.host.factors.variables.backends.azure_key_vault import (
    AzureKeyVaultProvider,
    ServicePrincipal,
)
from edgezero_spin.host.factors.variables.errors import ProviderError
from edgezero_spin.host.factors.variables.providers import (
    ClosingProvider,
    StaticProvider,
    VariableProvider,
)
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.manifest.spin.locked_app import LockedVariable
from tests.host.factors.variables.key_vault_stand_in import (
    CLIENT,
    SECRET,
    TENANT,
    KeyVault,
    running_key_vault,
)


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVault]:
    """A vault with no secrets yet, trusted by the client."""
    authority = trustme.CA()
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(str(roots))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(roots))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_key_vault(authority) as server:
        yield server


def provider_of(vault: KeyVault, client_secret: str = SECRET) -> AzureKeyVaultProvider:
    """A provider that asks as the service principal that the stand-in knows."""
    return AzureKeyVaultProvider(
        vault.url,
        ServicePrincipal(
            tenant_id=TENANT, client_id=CLIENT, client_secret=client_secret, authority=vault.url
        ),
    )


@pytest.fixture
def provider(vault: KeyVault) -> Iterator[AzureKeyVaultProvider]:
    """One that may read."""
    made = provider_of(vault)
    yield made
    made.close()
    made.close()


# VAR-26
def test_a_value_is_the_secret_of_that_name(
    vault: KeyVault, provider: AzureKeyVaultProvider
) -> None:
    """The name as it is, and the value whatever its letters; asked for every time (VAR-6)."""
    for value in ("old", "grüße"):
        vault.secrets["my-token"] = value
        assert provider.get("my-token") == value
    assert vault.asked.count("/secrets/my-token/") == 3


def test_a_missing_secret_stops_the_chain(vault: KeyVault, provider: AzureKeyVaultProvider) -> None:
    """It is an error, unlike with Vault: nobody else is asked (VAR-8, VAR-26)."""
    with pytest.raises(ProviderError, match=r"404 .*for the secret 'token'"):
        provider.get("token")
    declared = {"token": LockedVariable(default="fallback")}
    chain: list[VariableProvider] = [provider, StaticProvider({"token": "other"})]
    resolver = VariableResolver(declared, {"test": {"t": "{{ token }}"}}, chain)
    with pytest.raises(Exception, match="Failed to read variable from Azure Key Vault"):
        resolver.get("test", "t")


def test_a_wrong_secret_is_not_repeated(vault: KeyVault) -> None:
    """Neither in the error nor in what is printed."""
    principal = ServicePrincipal(
        tenant_id=TENANT, client_id=CLIENT, client_secret="wr0ng", authority=vault.url
    )
    refused = AzureKeyVaultProvider(vault.url, principal)
    with pytest.raises(ProviderError) as caught:
        refused.get("token")
    refused.close()
    assert str(caught.value) == (
        "Failed to read variable from Azure Key Vault: there is no token that may read"
    )
    assert caught.value.__suppress_context__
    assert "wr0ng" not in repr(principal)


def test_a_busy_vault_is_asked_again(vault: KeyVault, provider: AzureKeyVaultProvider) -> None:
    """When it says so."""
    vault.secrets["token"] = "value"
    vault.busy = 1
    assert provider.get("token") == "value"


def test_a_vault_that_is_not_there(vault: KeyVault) -> None:
    """The reason is told without an address."""
    gone = AzureKeyVaultProvider(
        "https://127.0.0.1:1",
        ServicePrincipal(
            tenant_id=TENANT, client_id=CLIENT, client_secret=SECRET, authority=vault.url
        ),
    )
    with pytest.raises(ProviderError, match="Key Vault: ServiceRequestError"):
        gone.get("token")
    gone.close()


def test_it_is_closed_with_its_application(provider: AzureKeyVaultProvider) -> None:
    """Whoever prepares the application finds that it wants to be."""
    assert isinstance(provider, ClosingProvider)
    assert not isinstance(StaticProvider({}), ClosingProvider)
