"""Proposals that Spin does not run are named when a component is loaded."""

import pytest
import wasmtime

from edgezero_spin.host.runtime.proposals import refused_proposal
from edgezero_spin.wasm.component.linking import link
from edgezero_spin.wasm.component.reader import read_component
from tests.host.runtime.components import component

_RUN = """(func (export "run") (result i32) (call $task.return) (i32.const 0))
  (func (export "cb") (param i32 i32 i32) (result i32) unreachable)"""
_LIFT = """(func (export "run") async
  (canon lift (core func $i "run") async (callback (core func $i "cb"))))"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(component(_RUN, _LIFT), None, id="nothing"),
        pytest.param(
            component(
                '(func (export "run") (call $task.return))',
                '(func (export "run") async (canon lift (core func $i "run") async))',
            ),
            "an `async` lift without a callback (run)",
            id="stackful lift",
        ),
        pytest.param(
            component(
                _RUN,
                _LIFT,
                lowers={"x": ("(canon error-context.drop (core func $x))", "(param i32)")},
            ),
            "error contexts (error-context.drop)",
            id="error context",
        ),
        pytest.param(
            component(
                _RUN,
                _LIFT,
                lowers={"x": ("(canon thread.index (core func $x))", "(result i32)")},
            ),
            "threads within a component (thread.index)",
            id="thread",
        ),
    ],
)
def test_a_proposal_is_named(text: str, expected: str | None) -> None:
    """What a component uses of one is found and named.  # XP-12"""
    linked = link(read_component(bytes(wasmtime.wat2wasm(text))))
    assert refused_proposal(linked) == expected
