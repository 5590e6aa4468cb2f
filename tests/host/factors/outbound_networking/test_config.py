"""What the tables of the runtime configuration say about connections, and what they must not."""

from pathlib import Path

import pytest
import trustme

from edgezero_spin.host.factors.outbound_networking.config import (
    MAX_HTTP_CONNECTIONS,
    NetworkRules,
    read_network_rules,
)
from edgezero_spin.manifest import InvalidManifestError
from edgezero_spin.manifest.runtime_config import load_runtime_config


def rules_of(folder: Path, text: str) -> NetworkRules:
    """The rules of a file with this text."""
    path = folder / "runtime-config.toml"
    path.write_text(text)
    return read_network_rules(load_runtime_config(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an authority's certificate and one of ours."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    mine = authority.issue_cert("client.example")
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    mine.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    other = trustme.CA().issue_cert("client.example")
    other.private_key_pem.write_to_path(str(tmp_path / "other.key"))
    return tmp_path


def test_without_a_file() -> None:
    """Connections are kept, and their number has a bound of ours."""
    rules = read_network_rules(None)
    assert (rules.pooling, rules.http_slots.most) == (True, MAX_HTTP_CONNECTIONS)
    assert (rules.redis_slots.most, rules.socket_slots.most) == (None, None)
    assert not rules.blocked


@pytest.mark.parametrize(
    ("text", "pooling", "most"),
    [
        ("", True, MAX_HTTP_CONNECTIONS),
        # The table alone switches it off.
        ("[outbound_http]", False, MAX_HTTP_CONNECTIONS),
        ("[outbound_http]\nconnection_pooling = true\nmax_connections = 0", True, 0),
        ("[outbound_http]\nmax_concurrent_requests = 0", False, 1),
    ],
)
def test_http(tmp_path: Path, text: str, pooling: bool, most: int) -> None:
    """Pooling and limit (NET-40)."""
    rules = rules_of(tmp_path, text)
    assert (rules.pooling, rules.http_slots.most) == (pooling, most)
    old = "max_concurrent_requests" in text
    assert [warning for warning in rules.warnings if "max_connections" in warning] == (
        [*rules.warnings] if old else []
    )
    assert bool(rules.warnings) is old


def test_limits_of_every_kind_share_the_total(tmp_path: Path) -> None:
    """What HTTP holds is missing for Redis and for sockets (NET-41, NET-42)."""
    rules = rules_of(
        tmp_path,
        "[outbound_networking]\nmax_total_connections = 2\nmax_socket_connections = 1\n"
        "[outbound_redis]\nmax_connections = 7",
    )
    assert (rules.redis_slots.most, rules.socket_slots.most) == (7, 1)
    assert rules.http_slots.claim()
    assert rules.redis_slots.claim()
    assert not rules.socket_slots.claim()


@pytest.mark.parametrize("value", ['["10.0.0.0/8", "private"]', '"private"'])
def test_blocked_networks(tmp_path: Path, value: str) -> None:
    """A list, or the one word (NET-41)."""
    assert rules_of(tmp_path, f"[outbound_networking]\nblock_networks = {value}").blocked.private


def test_client_certificates_by_component_and_host(folder: Path) -> None:
    """The first entry for a pair counts; hosts are compared as they are connected to (NET-44)."""
    rules = rules_of(
        folder,
        '[[client_tls]]\ncomponent_ids = ["a"]\nhosts = ["Example.com"]\nca_roots_file = "ca.pem"\n'
        '[[client_tls]]\ncomponent_ids = ["a", "b"]\nhosts = ["example.com", "127.1"]\n'
        'client_cert_file = "client.pem"\nclient_private_key_file = "client.key"\n',
    )
    assert set(rules.tls) == {
        (component, host) for component in "ab" for host in ("example.com", "127.0.0.1")
    }
    assert rules.tls["a", "example.com"] is not rules.tls["b", "example.com"]
    assert rules.tls["a", "127.0.0.1"] is rules.tls["b", "example.com"]


ENTRY = '[[client_tls]]\ncomponent_ids = ["a"]\nhosts = ["h"]\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[outbound_networking]\nblock = []", "outbound_networking.block: unknown field `block`"),
        ('[outbound_networking]\nblock_networks = ["x"]', "block_networks: invalid value 'x'"),
        ("[outbound_networking]\nblock_networks = [1]", "block_networks[0]: invalid type"),
        ("[outbound_networking]\nmax_total_connections = -1", "max_total_connections: must be"),
        ("outbound_networking = 1", "outbound_networking: invalid type: expected a table"),
        ("[outbound_http]\nmax_connections = true", "max_connections: invalid type"),
        ('[outbound_http]\nconnection_pooling = "yes"', "connection_pooling: invalid type"),
        ("[outbound_http]\npooling = true", "outbound_http.pooling: unknown field"),
        (
            "[outbound_http]\nmax_connections = 1\nmax_concurrent_requests = 1",
            "cannot set both `max_connections` and `max_concurrent_requests`",
        ),
        ("[outbound_redis]\nmax = 1", "outbound_redis.max: unknown field `max`"),
        ('[[client_tls]]\nhosts = ["h"]', "missing field `component_ids`"),
        ('[[client_tls]]\ncomponent_ids = ["a"]\nhosts = []', "'hosts' list may not be empty"),
        (ENTRY.replace('"a"', '"_a"'), "'_a' is not a component id"),
        (ENTRY.replace('"h"', '"h:443"'), "invalid TLS 'host' 'h:443'"),
        (ENTRY + "ca_use_platform_roots = false", "nobody is trusted"),
        (ENTRY + 'ca_roots_file = "none.pem"', "none.pem': No such file"),
        (ENTRY + 'ca_roots_file = "client.key"', "client.key': "),
        (ENTRY + 'client_cert_file = "client.pem"', "without client_private_key_file"),
        (ENTRY + 'client_private_key_file = "client.key"', "without client_cert_file"),
        (
            ENTRY + 'client_cert_file = "client.pem"\nclient_private_key_file = "other.key"',
            "client.pem': KEY_VALUES_MISMATCH",
        ),
        (
            ENTRY + 'client_cert_file = "client.pem"\nclient_private_key_file = "none.key"',
            "none.key': No such file",
        ),
        (ENTRY + "ca_roots = 1", "unknown field `ca_roots`"),
    ],
)
def test_what_cannot_be_used_is_named(folder: Path, text: str, fault: str) -> None:
    """With the key and the file, before anything is served."""
    with pytest.raises(InvalidManifestError) as caught:
        rules_of(folder, text)
    assert fault in str(caught.value)
    assert str(folder / "runtime-config.toml") in str(caught.value)
