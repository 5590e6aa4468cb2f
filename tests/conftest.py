"""Settings for the whole suite: what its processes share, their order, and the time of builds."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine may stop a test for longer than any deadline that means something.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

BUILD_TIMEOUT_S = 600
"""For a test that may be the first to need a component: it compiles it, or waits for a process
that does."""


def pytest_configure(config: pytest.Config) -> None:
    """Have all processes of the run keep what they build (tests/kept_builds)."""
    if hasattr(config, "workerinput"):
        return
    kept = tempfile.mkdtemp(prefix="edgezero-kept-builds-")
    config.add_cleanup(lambda: shutil.rmtree(kept, ignore_errors=True))
    os.environ["KEPT_BUILDS"] = kept
    found = os.environ.get("PYTHONPATH")
    paths = [str(Path(__file__).parent / "kept_builds"), *([found] if found else [])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that compile components, and give their tests the time.

    They take longest. One that began last would leave the other processes with nothing to do.
    """
    compiling = {item.path for item in items if item.get_closest_marker("component")}
    items.sort(key=lambda item: item.path not in compiling)
    for item in items:
        if item.get_closest_marker("component") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(BUILD_TIMEOUT_S))
