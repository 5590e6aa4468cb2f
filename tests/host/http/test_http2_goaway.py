"""GOAWAY frames, taken out of what a client sends."""

from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.host.http.http2_goaway import GoAwayFilter
from tests.host.http.http2_client import PREFACE


@given(data=st.data())
def test_only_goaway_frames_are_taken_out(data: st.DataObject) -> None:
    """Whatever comes around them, and however it is cut."""
    heads = st.tuples(st.integers(0, 9), st.sampled_from([0, 0, 1]), st.binary(max_size=20))
    frames = data.draw(st.lists(heads, max_size=8))
    sent, kept, is_leaving = PREFACE, PREFACE, False
    for type_, stream, content in frames:
        head = len(content).to_bytes(3, "big") + bytes([type_, 0]) + stream.to_bytes(4, "big")
        sent += head + content
        if type_ == 7 and not stream and len(content) >= 8:
            is_leaving = True
        else:
            kept += head + content
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    goaways = GoAwayFilter()
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert b"".join(map(goaways.remove, pieces)) == kept
    assert goaways.is_leaving == is_leaving
