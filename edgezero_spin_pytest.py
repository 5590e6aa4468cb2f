"""The pytest plugin of ``edgezero_spin``: one test, natively and as the component.

pytest loads it in every run of an environment where the package is installed, so it stands
beside the package and imports nothing of it until a test asks for ``spin_app``: importing
the package would cost more than a run without such tests may.

Documented hooks only, and no state of its own: what a session knows is in
``config.stash``, what a test used in ``item.user_properties``.
"""

import contextlib
import logging
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from edgezero_spin.testing import Client
    from edgezero_spin.testing.project import TestedProject

MODES = ("native", "component")
WASI = ("0.2", "0.3")

_PROJECTS: "pytest.StashKey[dict[object, Any]]" = pytest.StashKey()
_BEGUN: "pytest.StashKey[int]" = pytest.StashKey()
_CLIENTS: "pytest.StashKey[list[Client]]" = pytest.StashKey()

_FUEL = "spin_fuel"
_HOST_CALLS = "spin_host_calls"
_MEMORY = "spin_peak_memory_bytes"
_MODE = "spin_mode"

MARKERS = (
    "spin(kv, config, secrets, variables, env, ...): what the client of `spin_app` starts with; "
    "the arguments of edgezero_spin.testing.TestClient and ComponentClient",
    "spin_fuel(max): the most instructions that the component may use in the test; not checked "
    "natively, where there are none",
    "spin_native_only: run the test natively only",
    "spin_component_only: run the test on the component only",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the flags and settings."""
    group = parser.getgroup("edgezero", "Spin applications (edgezero_spin)")
    group.addoption(
        "--spin-mode",
        choices=[*MODES, "both"],
        default=None,
        help="run tests with `spin_app` natively (the default), on the component, or twice",
    )
    group.addoption(
        "--spin-wasi",
        choices=WASI,
        default=None,
        help="build components for this WASI, as `edgezero componentize --wasi` does",
    )
    group.addoption(
        "--spin-build",
        action="store_true",
        help="build components before the first test, also when no source has changed",
    )
    group.addoption(
        "--spin-no-build",
        action="store_true",
        help="never build; a component that is missing or stale fails its tests",
    )
    group.addoption(
        "--spin-stats",
        action="store_true",
        help="show instructions, host calls and peak guest memory per test",
    )
    parser.addini("spin_mode", "what --spin-mode is when it is not given", default="native")
    parser.addini(
        "spin_wasi", "what --spin-wasi is when it is not given; else edgezero.toml says", default=""
    )
    parser.addini(
        "spin_app", "the app as module:attribute, when spin.toml does not say", default=""
    )
    parser.addini("spin_manifest", "the spin.toml, when it is not above the tests", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[_PROJECTS] = {}
    config.stash[_BEGUN] = time.time_ns()
    mode = config.getini("spin_mode")
    if mode not in (*MODES, "both"):
        raise pytest.UsageError(f"spin_mode is native, component or both, got {mode!r}")
    wasi = config.getini("spin_wasi")
    if wasi not in ("", *WASI):
        raise pytest.UsageError(f"spin_wasi is 0.2 or 0.3, got {wasi!r}")


def _mode(config: pytest.Config) -> str:
    return str(config.getoption("spin_mode") or config.getini("spin_mode"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that need a client once for each mode."""
    if "spin_mode" not in metafunc.fixturenames:
        return
    mode = _mode(metafunc.config)
    if mode == "both":
        metafunc.parametrize("spin_mode", MODES, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a mark restricts to the other mode."""
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        fits = True
        if "spin_mode" in getattr(item, "fixturenames", ()):
            call = getattr(item, "callspec", None)
            mode = _mode(config) if call is None else call.params.get("spin_mode", _mode(config))
            other = "spin_component_only" if mode == "native" else "spin_native_only"
            fits = item.get_closest_marker(other) is None
        (kept if fits else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.fixture(scope="session")
def spin_mode(request: pytest.FixtureRequest) -> str:
    """How tests run: ``native`` or ``component``."""
    return str(getattr(request, "param", None) or _mode(request.config))


@pytest.fixture
def spin_preload() -> dict[str, Any]:
    """What every client starts with; override it in a ``conftest.py``.

    The arguments of a client, for example ``{"variables": {"admin_token": "secret"}}``.
    """
    return {}


@pytest.fixture
def spin_project(request: pytest.FixtureRequest) -> "TestedProject":
    """The application above the test file, found once and built when it has to be."""
    from edgezero_spin.testing.project import find_project

    config = request.config
    known = config.stash[_PROJECTS]
    folder = request.path.parent
    if folder not in known:
        with _explained():
            known[folder] = find_project(
                folder,
                root=config.rootpath,
                manifest=config.getini("spin_manifest"),
                app=config.getini("spin_app"),
                projects=known,
            )
    project: TestedProject = known[folder]
    return project


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Show what the kit says about a test and not where in the kit that was found."""
    from edgezero_spin.errors import EdgeZeroError

    try:
        yield
    except EdgeZeroError as error:
        raise _failed(f"{type(error).__name__}: {error}") from None


class _ProgressLines(logging.Handler):
    """Writes what is built or compiled on the terminal, past pytest's capture."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._config = config

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; workers of pytest-xdist have no terminal."""
        plugins = self._config.pluginmanager
        terminal = plugins.get_plugin("terminalreporter")
        capture = plugins.get_plugin("capturemanager")
        if terminal is None:
            return
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            terminal.ensure_newline()
            terminal.write_line(f"[edgezero] {record.getMessage()}")
            terminal.flush()


@contextlib.contextmanager
def _progress_shown(config: pytest.Config) -> Iterator[None]:
    """Show the lines about work that takes longer than a second."""
    from edgezero_spin.host.runtime.compiling import LOGGER
    from edgezero_spin.testing.building import LOGGER as BUILD_LOGGER

    handler = _ProgressLines(config)
    loggers = [(log, log.level) for log in map(logging.getLogger, (LOGGER, BUILD_LOGGER))]
    for log, _ in loggers:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        for log, level in loggers:
            log.removeHandler(handler)
            log.setLevel(level)


def _failed(message: str) -> BaseException:
    """A failure that is shown without a traceback."""
    return pytest.fail.Exception(message, pytrace=False)


@pytest.fixture
def spin_app(
    request: pytest.FixtureRequest,
    spin_mode: str,
    spin_project: "TestedProject",
    spin_preload: dict[str, Any],
) -> "Iterator[Client]":
    """A client of the application, with stores of its own."""
    from edgezero_spin.testing.project import arguments_of

    config = request.config
    client: Client
    with _explained():
        arguments = arguments_of(spin_preload, reversed(list(request.node.iter_markers("spin"))))
        if spin_mode == "native":
            client = spin_project.native(**arguments)
        else:
            build = "always" if config.getoption("spin_build") else "stale"
            if config.getoption("spin_no_build"):
                build = "never"
            stats = config.getoption("spin_stats")
            with _progress_shown(config):
                wasi = config.getoption("spin_wasi") or config.getini("spin_wasi") or None
                spin_project.build(build, since_ns=config.stash[_BEGUN], wasi=wasi)
                client = spin_project.component(**{"measure_memory": stats, **arguments})
    request.node.stash.setdefault(_CLIENTS, []).append(client)
    request.node.user_properties.append((_MODE, spin_mode))
    with client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note what a test used, and fail it when that is too much."""
    allowed = _budget(item)
    result = yield
    clients = item.stash.get(_CLIENTS, [])
    usages = [usage for client in clients for usage in client.usages]
    if not usages:
        return result
    fuel = sum(usage.fuel for usage in usages)
    calls = sum(usage.host_calls for usage in usages)
    peak = max(usage.peak_memory_bytes or 0 for usage in usages)
    item.user_properties += [(_FUEL, fuel), (_HOST_CALLS, calls), (_MEMORY, peak)]
    if allowed is not None and fuel > allowed:
        from edgezero_spin.testing import BudgetError

        raise _failed(f"BudgetError: {BudgetError(fuel, allowed)}")
    return result


def _budget(item: pytest.Item) -> int | None:
    """The instructions that a mark allows a test; a mark that says nothing fails it."""
    marker = item.get_closest_marker("spin_fuel")
    if marker is None:
        return None
    if "spin_app" not in getattr(item, "fixturenames", ()):
        if marker not in item.own_markers:
            return None
        raise _failed(
            f"{item.nodeid}: @pytest.mark.spin_fuel counts what `spin_app` uses, which this test "
            f"does not take; for a client of its own look at answer.usage.fuel"
        )
    allowed = marker.kwargs.get("max", marker.args[0] if marker.args else None)
    if not isinstance(allowed, int) or isinstance(allowed, bool) or allowed < 0:
        raise _failed(
            f"{item.nodeid}: write the instructions as @pytest.mark.spin_fuel(max=1_000_000)"
        )
    return allowed


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was asked for and not done, and what tests used, where that is asked for."""
    _say_untested(terminalreporter, config)
    if not config.getoption("spin_stats"):
        return
    rows = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            used = dict(getattr(report, "user_properties", ()))
            if _FUEL in used and getattr(report, "when", "") == "call":
                rows.append((used[_FUEL], used[_HOST_CALLS], used[_MEMORY], report.nodeid))
    terminalreporter.section("Spin components")
    if not rows:
        terminalreporter.write_line("no test asked a component (--spin-mode component or both)")
        return
    terminalreporter.write_line(f"{'instructions':>14} {'host calls':>10} {'peak MiB':>8}  test")
    for fuel, calls, peak, name in sorted(rows, key=lambda row: row[3]):
        shown = f"{peak / 1_048_576:.1f}" if peak else "-"
        terminalreporter.write_line(f"{fuel:>14,} {calls:>10,} {shown:>8}  {name}")
    if not any(row[2] for row in rows):
        terminalreporter.write_line(
            "peak memory is read from /proc/self/maps, which this system has not (Linux has)"
        )


def _say_untested(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say that a component which should have been tested was not."""
    if config.getoption("spin_mode") not in ("component", "both") or config.option.collectonly:
        return
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
    ]
    tested = any(
        (_MODE, "component") in map(tuple, getattr(report, "user_properties", ()))
        for report in reports
    )
    if reports and not tested and not terminalreporter.getreports("error"):
        terminalreporter.write_line(
            "The component was not tested: no test that ran takes the fixture `spin_app`.",
            yellow=True,
        )
