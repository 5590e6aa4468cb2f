"""The public types as pyright sees them, beside mypy in ``make lint``."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# Those whose ``assert_type`` mypy reads, too.
TYPED = (
    "tests/core/test_typing.py",
    "tests/stores/databases/test_typing.py",
    "tests/testing/test_responses.py",
)


def errors_of(*files: str | Path) -> list[str]:
    """What pyright finds wrong in files."""
    tool = Path(sys.executable).with_name("basedpyright")
    command = [tool, "--level", "error", "--outputjson", "--pythonpath", sys.executable, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["summary"]["filesAnalyzed"] == len(files)
    return [f"{each['file']}: {each['message']}" for each in told["generalDiagnostics"]]


def test_pyright_agrees_with_the_types_of_the_public_api() -> None:
    """Markers, stores, rows and the JSON of responses are what they say."""
    assert errors_of(*TYPED) == []


def test_pyright_sees_a_wrong_type(tmp_path: Path) -> None:
    """It reads the types of the package, not ``Any``."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from edgezero_spin import Response\n"
        "from typing import assert_type\n"
        "assert_type(Response('x').status, str)\n"
    )
    [error] = errors_of(wrong)
    assert '"assert_type" mismatch: expected "str" but received "int"' in error
