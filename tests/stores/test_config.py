"""Config on hosts that fail."""

import pytest

from edgezero_spin.stores import ConfigStore, ConfigUnavailableError, MemoryKeyValue
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
