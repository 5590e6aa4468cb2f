"""Config on hosts that fail."""

import pytest

from edgezero_spin.stores import ConfigStore, ConfigUnavailableError, MemoryKeyValue, envelope_text
from tests.stores.doubles import FailingKeyValue, RecordingKeyValue, finish


def test_a_failing_host_makes_the_config_unavailable() -> None:
    """The error names the label and keeps the host's words."""  # CFG-3, CFG-4
    with pytest.raises(ConfigUnavailableError) as raised:
        finish(ConfigStore(FailingKeyValue(), "prod").get("a.b"))
    assert str(raised.value) == "config store unavailable: store `prod`: disk on fire"
    assert raised.value.answer == "store `prod`: disk on fire"


def test_a_read_is_one_host_call() -> None:
    """With the key as it is; an empty key is answered without the host."""  # CFG-1, CFG-5
    backend = RecordingKeyValue({"A.b__c": b"v"})
    config = ConfigStore(backend, "prod")
    assert finish(config.get("A.b__c")) == "v"
    assert finish(config.get("")) is None
    assert backend.calls == [("get", "A.b__c")]


def test_the_text_of_a_config_store_shows_no_contents() -> None:
    """Only its label."""
    assert repr(ConfigStore(MemoryKeyValue({"k": b"v"}), "prod")) == "ConfigStore('prod')"


ENVELOPE = b'{"data":{"a":1},"sha256":"00","version":1,"generated_at":"2026-01-31T08:00:00Z"}'


def test_a_configuration_in_one_entry_is_named() -> None:
    """A store that EdgeZero's current version filled is not a store in which everything lacks."""
    # BLB-1, BLB-2
    backend = RecordingKeyValue({"app_config": ENVELOPE, "other": b"here"})
    config = ConfigStore(backend, "prod", "app_config")
    assert finish(config.get("other")) == "here"
    with pytest.raises(ConfigUnavailableError, match="whole configuration in its entry `app_con"):
        finish(config.get("a"))
    assert backend.calls == [("get", "other"), ("get", "a"), ("get", "app_config")]


@pytest.mark.parametrize("value", [None, b"hello", b"{}", b'{"data": 1}', b'["data"]'])
def test_a_key_that_lacks_is_looked_for_once(value: bytes | None) -> None:
    """Any other entry of that name changes nothing, and costs one call for all misses."""
    backend = RecordingKeyValue({} if value is None else {"app_config": value})
    config = ConfigStore(backend, "prod", "app_config")
    assert [finish(config.get(key)) for key in ("a", "b")] == [None, None]
    assert backend.calls == [("get", "a"), ("get", "app_config"), ("get", "b")]


WRITTEN = envelope_text({"a": 1}, "2026-11-30T08:00:00Z", 1).encode()


def test_the_whole_configuration_is_one_read() -> None:
    """From the entry of the id, of the variable, or of the call."""  # BLB-1, ENV-16
    backend = RecordingKeyValue({"app_config": WRITTEN, "v2": WRITTEN})
    assert finish(ConfigStore(backend, "prod", "app_config").whole()) == {"a": 1}
    assert finish(ConfigStore(backend, "prod", "app_config", "v2").whole()) == {"a": 1}
    assert finish(ConfigStore(backend, "prod", "app_config").whole("v3")) is None
    assert backend.calls == [("get", "app_config"), ("get", "v2"), ("get", "v3")]


def test_a_key_that_a_push_did_not_write_is_missing() -> None:
    """Where both forms were written, what the one of single keys lacks is not there at all."""
    backend = RecordingKeyValue({"app_config": WRITTEN})
    assert finish(ConfigStore(backend, "prod", "app_config").get("b")) is None
