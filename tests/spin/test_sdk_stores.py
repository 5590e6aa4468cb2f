"""The typed stores in handlers of spin-sdk 4 and 5, which only a Spin of today runs."""

import json
from pathlib import Path

import pytest

from benchmarks.peers import PeerMissingError
from tests.foreign.building import build_spin_sdk_with_stores
from tests.spin.programs import Program, running
from tests.spin.wire import ask

GUEST = Path(__file__).parents[1] / "foreign" / "guests" / "spin_sdk_5_stores"

# MAN-90: a manifest of version 2.
MANIFEST = """\
spin_manifest_version = 2
application = {{ name = "notes" }}

[variables]
password = {{ default = "hunter2", secret = true }}

[[trigger.http]]
route = "/..."
component = "notes"

[component.notes]
source = {source}
key_value_stores = ["default"]
sqlite_databases = ["default"]
environment = {{ EDGEZERO__STORES__KV__NOTES__NAME = "default" }}
variables = {{ password = "{{{{ password }}}}" }}
"""


@pytest.mark.parametrize("release", ["4.0.0", "5.0.0"])
def test_typed_stores_in_an_async_handler(release: str, spin: Program, tmp_path: Path) -> None:
    """``open_stores`` finds the interfaces of WASI 0.3 among the SDK's bindings."""
    try:
        component = build_spin_sdk_with_stores(GUEST, tmp_path / "build", release)
    except PeerMissingError as error:
        pytest.skip(str(error))
    manifest = tmp_path / "spin.toml"
    manifest.write_text(MANIFEST.format(source=json.dumps(str(component))), encoding="utf-8")
    with running(spin, ["-f", manifest], folder=tmp_path) as served:
        answers = [ask(served.port, "/note").body for _ in range(2)]
        assert answers == [b"typed 1", b"typed 2"]
        assert ask(served.port, "/secret").body == b"hunter2"
        assert ask(served.port, "/visits").body == b"1"
