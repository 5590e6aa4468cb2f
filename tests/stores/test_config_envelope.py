"""The envelope of a whole configuration: its hash, its form, and what is refused."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.stores import ConfigInternalError, envelope_text, hash_of, read_envelope
from edgezero_spin.stores.config_envelope import has_entries, is_envelope

NOW = "2026-11-30T08:00:00Z"
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
TREES = st.dictionaries(
    st.text(st.characters(codec="utf-8")),
    st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text("abé"), inner)),
)


@pytest.mark.parametrize(
    ("data", "canonical"),
    [
        ({}, "{}"),
        ({"b": 1, "a": {"d": [], "c": None}}, '{"a":{"c":null,"d":[]},"b":1}'),
        ({"é": "é\n\u0001\u007f/"}, '{"é":"é\\n\\u0001\x7f/"}'),
        ({"x": 1500}, '{"x":1500}'),
        ({"x": 1500.0}, '{"x":1500.0}'),
        ({"x": [1e16, 1e-5, 1.5e-7, 0.1]}, '{"x":[1e+16,0.00001,1.5e-7,0.1]}'),
    ],
)
def test_the_hash_is_of_the_canonical_text(data: dict[str, object], canonical: str) -> None:
    """Sorted keys, no blanks, an integer is not a float."""  # BLB-3, GEN-5, GEN-7
    assert hash_of(data) == hashlib.sha256(canonical.encode()).hexdigest()


@given(TREES)
def test_every_configuration_reads_back(data: dict[str, object]) -> None:
    """Value and type survive, and the text is what other readers expect."""  # BLB-2
    text = envelope_text(data, NOW, 3)
    assert hash_of(read_envelope(text)) == hash_of(data)
    assert is_envelope(text) and has_entries(text)
    members = json.loads(text)
    assert set(members) == {"data", "entries", "generated_at", "sha256", "version"}
    assert (members["version"], members["generated_at"]) == (1, NOW)


def test_an_envelope_of_edgezero_reads() -> None:
    """Members in any order, unknown ones among them, blanks and all."""  # BLB-2
    digest = hash_of({"a": 1})
    text = f'{{ "version": 1, "sha256": "{digest}", "extra": {{}}, "data": {{"a": 1}} }}'
    assert read_envelope(text) == {"a": 1}
    assert is_envelope(text) and not has_entries(text)
    inside = envelope_text({"entries": 3, "generated_at": "x", "sha256": "00", "version": 1}, NOW)
    assert not has_entries(inside)


GOOD = envelope_text({"a": 1}, NOW)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "envelope parse failed", id="no JSON"),
        pytest.param("[]", "envelope parse failed", id="no object"),
        pytest.param('{"sha256":"","version":1}', "`data`", id="no data"),
        pytest.param('{"data":[],"sha256":"","version":1}', "`data`", id="data of another kind"),
        pytest.param(GOOD.replace('"a":1', '"a":2'), "sha256 mismatch", id="changed"),
        pytest.param(GOOD.replace('"a":1', '"a":1.0'), "sha256 mismatch", id="another type"),
        pytest.param(GOOD.replace('"version":1', '"version":2'), "version 2", id="newer"),
        pytest.param(GOOD.replace('"version":1', '"version":true'), "version True", id="no number"),
    ],
)
def test_a_damaged_envelope_is_an_error(text: str, said: str) -> None:
    """Never a configuration that nobody pushed."""  # BLB-2
    with pytest.raises(ConfigInternalError, match=said):
        read_envelope(text)
