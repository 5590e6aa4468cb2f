"""The page on services says what the host reads."""

import re
from pathlib import Path

import trustme

from edgezero_spin.host.factors.key_value.cloud import CosmosContainer, DynamoTable
from edgezero_spin.host.factors.llm.config import LlmServer, read_llm_settings
from edgezero_spin.host.factors.outbound_networking.config import read_network_rules
from edgezero_spin.host.factors.sqlite.config import configured_databases
from edgezero_spin.host.factors.variables.backends.azure_key_vault import AzureKeyVaultProvider
from edgezero_spin.host.factors.variables.config import variable_providers
from edgezero_spin.host.factors.wasi.sockets import NOT_PROVIDED
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.load.runtime_config import resolve_runtime
from edgezero_spin.manifest.runtime_config import load_runtime_config
from tests.documents import File, read_session

PAGE = Path(__file__).parents[2] / "docs" / "services.md"


def test_its_configuration_is_read_as_it_says(tmp_path: Path) -> None:
    """Every table of the example is one that the host knows, with its fields."""
    (shown,) = (part for part in read_session(PAGE) if isinstance(part, File))
    path = tmp_path / shown.name
    path.write_text(shown.text)
    config = load_runtime_config(path)
    runtime = resolve_runtime(config)
    assert runtime.warnings == ()
    assert str(runtime.key_value["cache"].place) == "localhost:6379"
    assert runtime.key_value["sessions"].path == tmp_path / "data" / "sessions.db"
    assert configured_databases(config, None)["orders"].path == Path("data/orders.db").absolute()
    rules = read_network_rules(config)
    assert (rules.pooling, rules.http_slots.most, rules.redis_slots.most) == (True, 64, 32)
    assert rules.postgres_slots.most == rules.mysql_slots.most == rules.mqtt_slots.most == 32
    assert rules.max_mqtt_payload == 65536
    assert rules.blocked.private
    assert rules.blocked.blocks("203.0.113.9")
    assert len(variable_providers(config, {})) == 3


def test_its_stores_in_a_cloud_are_read_as_it_says(tmp_path: Path) -> None:
    """Both tables, with every field that is shown."""
    (text,) = re.findall(
        r"```toml\n(\[key_value_store\.profiles\].*?)```", PAGE.read_text(), re.DOTALL
    )
    path = tmp_path / "runtime-config.toml"
    path.write_text(text)
    stores = resolve_runtime(load_runtime_config(path)).key_value
    assert stores["profiles"].place == CosmosContainer(
        account="acme", database="shop", container="profiles", key="a2V5"
    )
    assert stores["carts"].place == DynamoTable(
        region="eu-west-1",
        table="carts",
        access_key="AKIDEXAMPLE",
        secret_key="secret",
        consistent_read=True,
    )


def test_its_key_vault_is_read_as_it_says(tmp_path: Path) -> None:
    """With every field that is shown."""
    (text,) = re.findall(
        r'```toml\n(\[\[variables_provider\]\]\ntype = "azure.*?)```', PAGE.read_text(), re.DOTALL
    )
    path = tmp_path / "runtime-config.toml"
    path.write_text(text)
    _, provider, _ = variable_providers(load_runtime_config(path), {})
    assert isinstance(provider, AzureKeyVaultProvider)
    assert provider.vault_url == "https://acme.vault.azure.net"
    provider.close()


def test_its_certificates_are_read_as_it_says(tmp_path: Path) -> None:
    """With files of these names beside it, the entry counts for its component and host."""
    (entry,) = re.findall(r"```toml\n(\[\[client_tls\]\].*?)```", PAGE.read_text(), re.DOTALL)
    authority = trustme.CA()
    mine = authority.issue_cert("shop.example")
    authority.cert_pem.write_to_path(str(tmp_path / "bank-roots.pem"))
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "shop.pem"))
    mine.private_key_pem.write_to_path(str(tmp_path / "shop.key"))
    path = tmp_path / "runtime-config.toml"
    path.write_text(entry)
    assert set(read_network_rules(load_runtime_config(path)).tls) == {("shop", "bank.example.com")}


def test_its_server_of_models_is_read_as_it_says(tmp_path: Path) -> None:
    """With every field that is shown."""
    (text,) = re.findall(r"```toml\n(\[llm_compute\].*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "runtime-config.toml"
    path.write_text(text)
    assert read_llm_settings(load_runtime_config(path)).server == LlmServer(
        "https://models.example.com", "token", open_ai=True
    )


def test_its_names_are_those_of_the_host() -> None:
    """The message of what is missing, and every interface of the table."""
    text = PAGE.read_text()
    assert NOT_PROVIDED.replace("`", "") in text
    for name in (
        "fermyon:spin/key-value",
        "wasi:keyvalue",
        "fermyon:spin/sqlite",
        "spin:sqlite",
        "wasi:config/store",
        "fermyon:spin/redis",
        "spin:postgres",
        "fermyon:spin/postgres",
        "spin:mysql",
        "fermyon:spin/mysql",
        "spin:mqtt",
        "fermyon:spin/mqtt",
        "fermyon:spin/llm",
    ):
        assert name in text
        assert any(interface.startswith(name) for interface in HostInterfaces())
