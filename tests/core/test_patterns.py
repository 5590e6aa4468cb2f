"""Route patterns: what is one, what is not, and what its segments are."""

import re

import pytest

from edgezero_spin.core.patterns import Segment, parse_pattern


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        pytest.param("/", [Segment(b"")], id="root"),
        pytest.param("/a/b", [Segment(b"a"), Segment(b"b")], id="static"),
        pytest.param("/a/", [Segment(b"a"), Segment(b"")], id="trailing slash counts"),
        pytest.param("/{id}", [Segment(b"", "id")], id="parameter"),
        pytest.param("/img-{id}.png", [Segment(b"img-", "id", b".png")], id="affixes"),
        pytest.param("/f/{*rest}", [Segment(b"f"), Segment(b"", "rest", b"", True)], id="rest"),
        pytest.param("/{{a}}", [Segment(b"{a}")], id="literal braces"),
        pytest.param("/{{{id}}}", [Segment(b"{", "id", b"}")], id="braces around a parameter"),
        pytest.param("/café", [Segment(b"caf%C3%A9")], id="as a client sends it"),
        pytest.param("/a%20b", [Segment(b"a%20b")], id="encoded already"),
        pytest.param("/v1:batch", [Segment(b"v1:batch")], id="a colon inside is text"),
        pytest.param("/%3Aname", [Segment(b"%3Aname")], id="an encoded colon in front, too"),
        pytest.param("/a<b", [Segment(b"a<b")], id="a bracket alone is text"),
    ],
)
def test_segments(text: str, segments: list[Segment]) -> None:
    """A pattern is read segment by segment, static text in its wire form."""
    # RTE-2
    assert list(parse_pattern(text).segments) == segments


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must start with '/'"),
        ("notes", "must start with '/'"),
        ("/{id", "not closed"),
        ("/id}", "never opened"),
        ("/{}", "not a parameter name"),
        ("/{a-b}", "not a parameter name"),
        ("/{a}{b}", "one parameter"),
        ("/{a}-{b}", "one parameter"),
        ("/{a}/{a}", "twice"),
        ("/{*rest}/x", "at the end"),
        ("/{*}", "not a parameter name"),
        ("/x{*rest}", "by itself"),
        ("/{*rest}x", "by itself"),
        # Other frameworks' spellings would be static text here.
        ("/a/<id>", "write '{id}'"),
        ("/a/<id>.json", "write '{id}'"),
        ("/a/<int:id>", "write '{id}' and annotate the parameter `id: int`"),
        ("/a/<path:rest>", "write '{*rest}'"),
        ("/{id:int}", "write '{id}' and annotate the parameter `id: int`"),
        ("/{rest:path}", "write '{*rest}'"),
        ("/:id", "write '{id}' (a static colon is '%3A')"),
        ("/a/...", "write '{*rest}'"),
        ("/a/*", "write '{*rest}'"),
        ("/a/*all", "write '{*all}'"),
    ],
)
def test_what_is_no_pattern(text: str, why: str) -> None:
    """A mistake in a pattern is named, with the pattern, where it is declared."""
    # RTE-2, RTE-6
    with pytest.raises(ValueError, match=re.escape(why)) as caught:
        parse_pattern(text)
    assert repr(text) in str(caught.value)


def test_static_path() -> None:
    """Only a pattern without parameters stands for one path, its escapes resolved."""
    assert parse_pattern("/a/{{x}}/").static_path == b"/a/{x}/"
    assert parse_pattern("/a/{x}").static_path is None
