"""Line numbers of keys: every way of writing a table, and places that are not there."""

import pytest

from edgezero_spin.project.toml_lines import line_of, lines_of

TEXT = """\
top = 1
[a]
b = 2
c.d = { e = 3 }
[[a.list]]
x = 1
[[a.list]]
x = [
  1,
  { y = 2 },
]
[a.list.inner]
z = 1
["q r"]
s = '''
t = 1
'''
u = 2
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("top", 1),
        ("a", 2),
        ("a.b", 3),
        ("a.c", 4),
        ("a.c.d.e", 4),
        ("a.list[0]", 5),
        ("a.list[0].x", 6),
        ("a.list[1].x", 8),
        ("a.list[1].x[0]", 9),
        ("a.list[1].x[1].y", 10),
        ("a.list[1].inner.z", 13),
        ('"q r".u', 18),
        # What is not there stands where it would belong.
        ("a.missing", 2),
        ("a.list[1].x[1].missing.deeper", 10),
        ("missing", None),
        ("to", None),
    ],
)
def test_lines(key: str, line: int | None) -> None:
    """A place has the line of its key; one that is missing that of what is around it."""
    assert line_of(lines_of(TEXT), key) == line


def test_a_text_that_is_no_toml_has_none() -> None:
    """The parser's own error says where that is wrong."""
    assert lines_of("[a") == {}
