"""Linear memories in the kernel's list of mappings."""

import pytest

from edgezero_spin.testing.memory_map import largest_guest_memory

GUARD = "7f0000100000-7f0100100000 ---p 00000000 00:00 0\n"


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("7f0000000000-7f0000100000 rw-p 0 00:00 0\n", None, id="no guard"),
        pytest.param(
            "7f0000000000-7f0000100000 rw-p 0 00:00 0\n" + GUARD, 0x100000, id="one mapping"
        ),
        pytest.param(
            "7effff000000-7f0000000000 rw-p 0 00:01 7 /memfd:wasm\n"
            "7f0000000000-7f0000100000 rw-p 0 00:00 0 [anon: x]\n" + GUARD,
            0x1100000,
            id="image and growth",
        ),
        pytest.param(
            "7efff0000000-7efff1000000 rw-p 0 00:00 0\n"
            "7f0000000000-7f0000100000 rw-p 0 00:00 0\n" + GUARD,
            0x100000,
            id="a neighbour with a gap",
        ),
        pytest.param(
            "7f0000000000-7f0000100000 rw-p 0 00:00 0\n7f0000100000-7f0000200000 ---p 0 00:00 0\n",
            None,
            id="a small guard",
        ),
    ],
)
def test_largest_guest_memory(maps: str, expected: int | None) -> None:
    """Writable mappings without a gap before a huge unreachable one are a memory."""
    assert largest_guest_memory(maps) == expected
