"""What is done before a component's first request."""

import subprocess
import sys

import pytest

from edgezero_spin.core.warm import warm_up


def test_warming_up_leaves_nothing_behind() -> None:
    """It runs through, twice as well, without an event loop."""
    warm_up()
    warm_up()


def test_the_core_brings_no_heavy_module() -> None:
    """Importing, compiling and answering loads neither asyncio nor logging."""
    # Each of these costs a component megabytes or instructions (notes-wasm.md).
    heavy = ["asyncio", "logging", "decimal", "uuid", "http", "zoneinfo", "email", "datetime"]
    loaded = modules_after("from edgezero_spin.core.warm import warm_up; warm_up()")
    assert [name for name in heavy if name in loaded] == []


PLAIN = (
    "from edgezero_spin import App, Stores, run_app; app = App(kv=['notes']); "
    "app.get('/')(lambda: ''); run_app(app); app.compile()"
)
USES = {
    "from edgezero_spin import Sqlite": "edgezero_spin.stores.databases",
    "App(sqlite=['default']).compile()": "edgezero_spin.stores.databases",
    "from edgezero_spin import CronEvent": "edgezero_spin.events",
    "app.cron('0 * * * * *')": "edgezero_spin.core.event_handlers",
    "app.mqtt('doors')": "edgezero_spin.core.topics",
    "app.openapi()": "edgezero_spin.core.openapi",
    "from edgezero_spin import compress": "edgezero_spin.core.compress",
}


def test_a_plain_app_carries_nothing_that_it_does_not_use() -> None:
    """Databases, events, descriptions and ready middleware cost a component 0.6 MB."""
    loaded = modules_after(PLAIN)
    assert [name for name in USES.values() if name in loaded] == []


@pytest.mark.parametrize("use", USES)
def test_an_app_carries_what_it_names(use: str) -> None:
    """It is there when the component is built: an import or a declaration loads it."""
    assert USES[use] in modules_after(f"{PLAIN}; {use}")


def modules_after(script: str) -> set[str]:
    """The modules that a fresh interpreter has loaded behind a script."""
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())
