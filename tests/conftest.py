"""Settings for the whole suite, the order of its files, and the time that builds are given."""

import pytest
from hypothesis import settings

# A busy machine may stop a test for longer than any deadline that means something.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

BUILD_TIMEOUT_S = 600
"""For a test that may be the first to need a component: it compiles it, or waits for a process
that does."""


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
