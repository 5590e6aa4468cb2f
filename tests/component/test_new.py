"""A new project, from the command to answers over HTTP, as its README tells it."""

from pathlib import Path

import httpx

from tests.cli.running import edgezero
from tests.component.notes.serving import serving


def test_a_new_project_builds_serves_and_passes_its_own_tests(tmp_path: Path) -> None:
    """Nothing has to be edited on the way, with a second component or without."""
    # NEW-1, NEW-12, TPL-13, TV-180, TV-181
    for command in (
        ["new", "My App"],
        ["add", "component", "reports", "-C", "my-app"],
        # Builds both components.
        ["test", "-C", "my-app"],
    ):
        done = edgezero(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
    folder = tmp_path / "my-app"
    assert (folder / "tests" / "test_app.py").is_file()
    # Each component at its `source`.  BLD-10
    assert (folder / "app.wasm").is_file()
    assert (folder / "reports" / "app.wasm").is_file()
    push = ("config", "push", "--local", "--model", "app_config:MyAppConfig")
    done = edgezero(*push, cwd=folder)
    assert done.returncode == 0, done.stderr
    with serving(folder) as running, httpx.Client(base_url=running.url, timeout=30) as client:
        assert client.get("/").text == "hello from my-app"
        assert client.get("/echo/alice").text == "Hello, alice!"
        assert client.post("/echo", json={"name": "Edge"}).text == "Hello, Edge!"
        assert client.get("/headers", headers={"user-agent": "DemoAgent"}).text == "ua=DemoAgent"
        assert client.get("/stream").text == "chunk 0\nchunk 1\nchunk 2\n"
        assert client.get("/private", headers={"x-api-token": "change-me"}).status_code == 200
        assert client.get("/proxy/x").status_code == 501
        # The component that was added.
        assert client.get("/reports").text == "reports"
        assert client.get("/reports/alice").text == "Hello, alice!"
    # The stores are in the folder, where every host looks for them.
    assert (folder / ".spin" / "sqlite_key_value.db").is_file()


def test_a_new_project_for_events_passes_its_own_tests(tmp_path: Path) -> None:
    """On the component that it builds, with the trigger of its spin.toml."""  # NEW-12
    # The others differ in what tests/component/test_events.py tries.
    made = edgezero("new", "-t", "edgezero-mqtt", "shop", "-a", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = edgezero("test", "-C", "shop", "--mode", "component", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "shop" / "app.wasm").is_file()
    assert "skipped" not in done.stdout
