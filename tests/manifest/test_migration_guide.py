"""The page that older manifests are sent to is there, and covers what is refused."""

from pathlib import Path

import pytest

from edgezero_spin.manifest import InvalidManifestError, load_app_manifest
from edgezero_spin.manifest.store_tables import MIGRATION_GUIDE

PAGE = Path(__file__).parents[2] / MIGRATION_GUIDE


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ('[stores.kv]\nname = "MY_KV"', "MY_KV"),
        ("[stores.kv]\nenabled = true", "enabled = true"),
        ("[stores.kv.adapters.spin]", "[stores.kv.adapters.spin]"),
        ("[stores.config.defaults]", "[stores.config.defaults]"),
        ("[adapters.spin.stores.kv.default]", "[adapters.spin.stores.*]"),
        ("[adapters.axum.runtime]", "[adapters.<name>.runtime]"),
        ("[adapters.spin.adapter]\nruntime_threads = 4", "[adapters.<name>.adapter]"),
    ],
)
def test_the_guide_covers_what_is_refused(tmp_path: Path, text: str, covered: str) -> None:
    """The error names the page, and the page has the old key."""  # MAN-11, MAN-15, MAN-18
    path = tmp_path / "edgezero.toml"
    path.write_text(text)
    with pytest.raises(InvalidManifestError, match=MIGRATION_GUIDE):
        load_app_manifest(path)
    assert covered in PAGE.read_text(encoding="utf-8")
