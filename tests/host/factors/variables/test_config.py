"""Providers as the runtime configuration names them: their order, their faults."""

import importlib.util
from pathlib import Path

import pytest

from edgezero_spin.host.errors import RuntimeConfigError
from edgezero_spin.host.factors.variables.backends.vault import VaultProvider
from edgezero_spin.host.factors.variables.config import variable_providers
from tests.host.load.test_runtime_config import config


def test_providers_and_their_order(tmp_path: Path) -> None:
    """Options, then the file's providers, then the environment and its ``.env``."""
    (tmp_path / ".env").write_text("SPIN_VARIABLE_D=dotenv\nSPIN_VARIABLE_C=dotenv\n")
    chain = variable_providers(
        config(
            tmp_path,
            '[[variables_provider]]\ntype = "static"\nvalues = { a = "static", b = "static" }\n'
            '[[variables_provider]]\ntype = "env"\nprefix = "MY"\n',
        ),
        {"a": "option"},
        environ={
            "SPIN_VARIABLE_A": "env",
            "SPIN_VARIABLE_B": "env",
            "SPIN_VARIABLE_C": "env",
            "MY_E": "mine",
        },
        dotenv_path=tmp_path / ".env",
    )

    def first(name: str) -> str | None:
        return next((value for item in chain if (value := item.get(name)) is not None), None)

    assert [first(name) for name in "abcdef"] == [  # VAR-5, VAR-21, VAR-24
        "option",
        "static",
        "env",
        "dotenv",
        "mine",
        None,
    ]


def test_providers_that_this_host_does_not_have(tmp_path: Path) -> None:
    """Unknown kinds and fields are refused together."""
    text = (
        '[[variables_provider]]\ntype = "vault"\n'
        '[[variables_provider]]\ntype = "magic"\n'
        '[[variables_provider]]\ntype = "env"\nprefx = "x"\n'
        '[[variables_provider]]\ntype = "env"\nprefix = 1\n'
        '[[variables_provider]]\ntype = "static"\nvalues = { a = 1 }\n'
        '[[variables_provider]]\ntype = "azure_key_vault"\n'
        '[[variables_provider]]\ntype = "vault"\nurl = "x"\ntoken = "y"\nmount = "z"\nurll = ""\n'
        '[[variables_provider]]\ntype = "vault"\nurl = "x"\ntoken = "s3cret\\n"\nmount = "z"\n'
    )
    with pytest.raises(RuntimeConfigError) as caught:
        variable_providers(config(tmp_path, text), {})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "variables_provider[0]",
        "variables_provider[1]",
        "variables_provider[2]",
        "variables_provider[3]",
        "variables_provider[4]",
        "variables_provider[5]",
        "variables_provider[6]",
        "variables_provider[7]",
    ]
    assert caught.value.problems[0].endswith("must be a string: url, token, mount")
    assert "`token` has a letter that cannot be sent" in caught.value.problems[7]
    assert "s3cret" not in str(caught.value)


KEY_VAULT = (
    '[[variables_provider]]\ntype = "azure_key_vault"\nvault_url = "https://acme.vault.azure.net"\n'
)


# VAR-26
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('client_id = "a"\ntenant_id = "b"\n', "client_id, tenant_id without client_secret"),
        ('client_secret = "s3cret"\n', "client_secret without client_id, tenant_id"),
        ('authority_host = "Moon"\n', "`authority_host` is one of AzurePublicCloud, AzureChina"),
        ('secret = "s3cret"\n', "unknown field(s): secret. Known here: type, vault_url"),
        ("client_id = 7\n", "must be a string: client_id"),
        (
            'client_id = "a"\nclient_secret = "s3cret"\ntenant_id = "a b"\n',
            "`vault_url` or `tenant_id` cannot be used",
        ),
    ],
)
def test_faults_of_a_key_vault(tmp_path: Path, text: str, says: str) -> None:
    """Each names the keys and repeats no value."""
    with pytest.raises(RuntimeConfigError) as caught:
        variable_providers(config(tmp_path, KEY_VAULT + text), {})
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_key_vault_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One error at the start says how to get it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    with pytest.raises(RuntimeConfigError, match="need the extra `azure`: pip install"):
        variable_providers(config(tmp_path, KEY_VAULT), {})


def test_a_vault(tmp_path: Path) -> None:
    """The table's fields are the provider's (VAR-25)."""
    text = (
        '[[variables_provider]]\ntype = "vault"\n'
        'url = "https://v"\ntoken = "t"\nmount = "m"\nprefix = "p"\n'
    )
    provider = variable_providers(config(tmp_path, text), {})[1]
    assert isinstance(provider, VaultProvider)
    assert (provider.url, provider.mount, provider.prefix) == ("https://v", "m", "p")
