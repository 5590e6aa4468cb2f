"""Variables from Vault: a stand-in server that follows its HTTP API."""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import certifi
import pytest
import trustme

from edgezero_spin.host.errors import WitError
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.variables.backends.vault import VaultProvider
from edgezero_spin.host.factors.variables.errors import ProviderError
from edgezero_spin.host.factors.variables.providers import StaticProvider, VariableProvider
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.manifest.spin.locked_app import LockedVariable
from tests.host.factors.outbound_http.asking import request_of
from tests.host.factors.variables.vault_stand_in import TOKEN, Vault, running_vault
from tests.host.redis_server import free_port
from tests.host.support import call, instance_state

STORE = "wasi:config/store@0.2.0-draft-2024-09-27"
CALLS: list[tuple[str, tuple[object, ...]]] = [
    ("fermyon:spin/variables@2.0.0 get", ("t",)),
    (f"{STORE} get", ("t",)),
    (f"{STORE} get-all", ()),
    ("wasi:http/outgoing-handler handle", (request_of(), None)),
    ("fermyon:spin/redis@2.0.0 [static]connection.open", ("redis://elsewhere:1",)),
]


@pytest.fixture
def vault() -> Iterator[Vault]:
    """A server with no secrets yet."""
    with running_vault() as server:
        yield server


@pytest.mark.parametrize(
    ("mount", "prefix", "path"),
    [
        ("secret", None, "secret/data/token"),
        ("secret", "app", "secret/data/app/token"),
        ("/team/kv/", "/a/b/", "team/kv/data/a/b/token"),
        ("my kv", None, "my%20kv/data/token"),
    ],
)
def test_where_a_value_is(vault: Vault, mount: str, prefix: str | None, path: str) -> None:
    """In the mount, below the prefix, in the field ``value`` (VAR-25)."""
    vault.secrets[path] = {"value": "ä", "other": "x"}
    provider = vault.provider(url=f"{vault.url}/", mount=mount, prefix=prefix)
    assert provider.get("token") == "ä"
    assert provider.get("none") is None
    assert vault.asked[0] == f"/v1/{path}"


def test_values_are_asked_for_every_time(vault: Vault) -> None:
    """A rotated secret is seen by the next call (VAR-6), on the connection of the last one."""
    provider = vault.provider()
    for value in ("old", "new"):
        vault.secrets["secret/data/token"] = {"value": value}
        assert provider.get("token") == value
    assert vault.connections == 1


def test_the_roots_of_system_and_mozilla_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of a company's own authority, which the machine trusts, is asked; so are others."""
    for variable in ("system", "mozilla"):
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        roots = {name: tmp_path / f"{name}.pem" for name in ("system", "mozilla")}
        for path in roots.values():
            trustme.CA().cert_pem.write_to_path(str(path))
        authority.cert_pem.write_to_path(str(roots[variable]))
        authority.issue_cert("localhost").configure_cert(context)
        monkeypatch.setenv("SSL_CERT_FILE", str(roots["system"]))
        monkeypatch.setattr(certifi, "where", lambda path=roots["mozilla"]: str(path))
        with running_vault() as server:
            server.secrets["secret/data/token"] = {"value": "x"}
            server.socket = context.wrap_socket(server.socket, server_side=True)
            provider = server.provider(url=f"https://localhost:{server.server_port}")
            assert provider.get("token") == "x"


@pytest.mark.parametrize("fields", [{}, {"value": 7}, {"value": None}, [], "text"])
def test_a_secret_of_another_shape(vault: Vault, fields: object) -> None:
    """It is an error that names the secret, not a missing value."""
    vault.secrets["secret/data/token"] = fields
    with pytest.raises(ProviderError, match=r"the secret 'token' has no text in its field"):
        vault.provider().get("token")


def test_a_refusal_says_why(vault: Vault) -> None:
    """What Vault says is passed on, the token is not."""
    provider = vault.provider(token="s.wrong")
    with pytest.raises(ProviderError) as caught:
        provider.get("token")
    assert str(caught.value) == (
        "Failed to check Vault for config: 403 Forbidden: permission denied"
    )
    assert "s.wrong" not in f"{caught.value} {provider!r}"


@pytest.mark.parametrize("token", ["s.wrong\n", "s.wr\xf6ng"])
def test_a_token_that_cannot_be_sent_is_not_repeated(vault: Vault, token: str) -> None:
    """A guest that catches the error has learned nothing of it."""
    provider = vault.provider(token=token)
    with pytest.raises(ProviderError) as caught:
        provider.get("token")
    assert str(caught.value) == "Failed to check Vault for config: `url` or `token` cannot be sent"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "nonsense", "http://[", "ftp://x"])
def test_a_vault_that_cannot_be_asked(url: str) -> None:
    """It is a failure of the provider and stops the chain (VAR-8)."""
    provider = VaultProvider(url=url.format(port=free_port()), token=TOKEN, mount="secret")
    with pytest.raises(ProviderError, match="Failed to check Vault for config: "):
        provider.get("token")


def test_a_vault_that_takes_its_time_lets_others_compute(vault: Vault) -> None:
    """Whoever waits for a value, or for a destination that is made of one, counts as asleep."""
    vault.secrets["secret/data/token"] = {"value": "127.0.0.1"}
    slow = vault.provider()

    def sleeps(*providers: VariableProvider) -> list[list[bool]]:
        declared = {"token": LockedVariable(default="localhost")}
        resolver = VariableResolver(declared, {"test": {"t": "{{ token }}"}}, providers)
        hosts = OutboundHosts(["redis://{{ token }}:1"], variables=resolver)
        state = instance_state(variables=resolver, outbound=hosts)
        found = []
        for function, arguments in CALLS:
            found.append(list[bool]())
            state.around_wait = found[-1].append
            with suppress(WitError):
                call(state, function, *arguments)
        return found

    assert sleeps(slow) == [[True, False]] * len(CALLS)
    assert sleeps(StaticProvider({"token": "x"})) == [[]] * len(CALLS)


def test_a_missing_secret_falls_through(vault: Vault) -> None:
    """The next provider, or the default, has a say (VAR-4, VAR-25)."""
    declared = {"token": LockedVariable(default="fallback")}
    provider = vault.provider()
    resolver = VariableResolver(declared, {"test": {"t": "<{{ token }}>"}}, [provider])
    assert resolver.get("test", "t") == "<fallback>"
    vault.secrets["secret/data/token"] = {"value": "kept"}
    assert resolver.get("test", "t") == "<kept>"
