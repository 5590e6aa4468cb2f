"""Code that is bundled keeps its lines and loses its columns."""

from types import CodeType

import pytest

from edgezero_spin.bundle.standard_library import lines_only

SOURCE = '''\
def first(a):
    """Text."""
    b = (a +

         1)
    for _ in range(3):
        b += len([c for c in
                  "abc"])
    try:
        raise ValueError(b)
    except ValueError:
        return b
'''


def lines_of(code: CodeType) -> list[int | None]:
    """The line of every instruction, those of inner functions after them."""
    found = [start for start, _, _, _ in code.co_positions()]
    for each in code.co_consts:
        if isinstance(each, CodeType):
            found += lines_of(each)
    return found


@pytest.mark.parametrize("source", [SOURCE, "\n" * 5000 + SOURCE, "x = 1", SOURCE * 30])
def test_every_instruction_keeps_its_line(source: str) -> None:
    """Lines that go up, down and far away."""
    code = compile(source, "name", "exec")
    small = lines_only(code)
    assert lines_of(small) == lines_of(code)
    assert all(column is None for _, _, column, _ in small.co_positions())
    assert len(small.co_linetable) <= len(code.co_linetable)


def test_the_code_does_what_it_did() -> None:
    """Exceptions are caught where they were, and a traceback names the line."""
    space: dict[str, object] = {}
    exec(lines_only(compile(SOURCE, "name", "exec")), space)
    first = space["first"]
    assert callable(first)
    assert first(1) == 11
    with pytest.raises(TypeError) as raised:
        first("a")
    assert raised.tb.tb_next is not None
    assert raised.tb.tb_next.tb_lineno == 3
