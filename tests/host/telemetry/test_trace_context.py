"""Ids of traces that are known before their first span is made."""

from edgezero_spin.host.telemetry.trace_context import ChosenIds

LOW = 0x1234_5678_9ABC_DEF0


def test_a_chosen_id_is_given_to_one_trace() -> None:
    """Else a trace that begins here is kept by the host and dropped by the sampler."""
    ids = ChosenIds()
    ids.choose(LOW)
    first, second = ids.generate_trace_id(), ids.generate_trace_id()
    assert first % 2**64 == LOW
    assert first >> 64
    assert second % 2**64 != LOW
