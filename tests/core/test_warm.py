"""What is done before a component's first request."""

import subprocess
import sys

from edgezero_spin.core.warm import warm_up


def test_warming_up_leaves_nothing_behind() -> None:
    """It runs through, twice as well, without an event loop."""
    warm_up()
    warm_up()


def test_the_core_brings_no_heavy_module() -> None:
    """Importing, compiling and answering loads neither asyncio nor logging."""
    # Each of these costs a component megabytes or instructions (notes-wasm.md).
    heavy = ["asyncio", "logging", "decimal", "uuid", "http", "zoneinfo", "email"]
    script = (
        "import sys; from edgezero_spin.core.warm import warm_up; warm_up(); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
