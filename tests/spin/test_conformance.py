"""The conformance vectors, as they stand in ``tests/conformance``, on a real Spin.

Left out: deadlines, which Spin has for other components only; requests without an authority
and headers that a client forges, which have tests of their own beside this file.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import MANIFEST, guest, player
from tests.conformance.test_vectors import (
    echo,
    test_a_whole_body_passes_through_a_second_request,
    test_bodies_are_forwarded_chunk_by_chunk,
    test_chain_of_components,
    test_configuration,
    test_environment,
    test_files,
    test_key_value,
    test_key_value_without_permission,
    test_key_values_of_the_command_line,
    test_outbound_http,
    test_outbound_http_without_permission,
    test_several_answers_are_read_side_by_side,
    test_sockets_without_permission,
    test_sqlite,
    test_sqlite_without_permission,
    test_variables,
)
from tests.spin.programs import Program, running

__all__ = [
    "echo",
    "guest",
    "player",
    "test_a_whole_body_passes_through_a_second_request",
    "test_bodies_are_forwarded_chunk_by_chunk",
    "test_chain_of_components",
    "test_configuration",
    "test_environment",
    "test_files",
    "test_key_value",
    "test_key_value_without_permission",
    "test_key_values_of_the_command_line",
    "test_outbound_http",
    "test_outbound_http_without_permission",
    "test_several_answers_are_read_side_by_side",
    "test_sockets_without_permission",
    "test_sqlite",
    "test_sqlite_without_permission",
    "test_variables",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Spin keeps what it compiled."""
    return tmp_path_factory.mktemp("cache")


Application = Callable[..., contextlib.AbstractContextManager[int]]


@pytest.fixture
def application(spin: Program, player: Path, cache: Path, tmp_path: Path) -> Application:
    """Spin with a component that plays ``vector``, in place of a host of this project."""
    return _applications(spin, player, cache, tmp_path)


@pytest.fixture
def bare_application(spin: Program, guest: Path, cache: Path, tmp_path: Path) -> Application:
    """The same on the plain bindings alone."""
    return _applications(spin, guest, cache, tmp_path)


def _applications(spin: Program, component: Path, cache: Path, tmp_path: Path) -> Application:
    @contextlib.contextmanager
    def load(
        vector: str,
        *,
        route: str = "/",
        grants: str = "",
        id: str = "test",
        manifest: str | None = None,
        **options: Any,
    ) -> Iterator[int]:
        values = {"variables": "", "route": json.dumps(route), "id": id, "vector": vector}
        text = (manifest or MANIFEST).format(
            **values, source=json.dumps(str(component)), grants=grants
        )
        (tmp_path / "spin.toml").write_text(text, encoding="utf-8")
        arguments = ["-f", "spin.toml", "--state-dir", str(options.get("state_dir", "state"))]
        for name, value in options.get("env", {}).items():
            arguments += ["--env", f"{name}={value}"]
        for name, value in options.get("key_values", {}).items():
            arguments += ["--key-value", f"{name}={value}"]
        environment = {"XDG_CACHE_HOME": str(cache)}
        with running(spin, arguments, folder=tmp_path, environment=environment) as served:
            yield served.port

    return load
