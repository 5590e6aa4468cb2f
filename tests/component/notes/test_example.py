"""The Notes example as a person runs it: built, seeded, served, and asked over HTTP."""

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx

from tests.component.notes.conftest import GRANTS, TOKEN
from tests.component.notes.serving import Served, serving
from tests.examples.loading import EXAMPLES, load

ROOT = EXAMPLES.parent


def test_the_tour(served: Served) -> None:
    """Every request of the tour is answered by the component as by the app itself."""
    tour = load("notes", "tour")
    with httpx.Client(base_url=served.url, timeout=30) as client:
        played = tour.Tour(client)
        tour.visit(played, TOKEN)
    assert played.asked >= 10
    assert played.wrong == 0


def test_address_and_routes_are_printed(served: Served) -> None:
    """What a person needs to know stands on standard output, as Spin prints it."""  # OUT-4..6
    assert served.printed[:4] == [
        "",
        f"Serving {served.url}",
        "Available Routes:",
        f"  notes: {served.url} (wildcard)",
    ]


def test_data_survives_a_killed_server(notes: Path) -> None:
    """What was answered with success is there after kill -9, and the file is sound."""
    saved = []
    with serving(notes, *GRANTS) as running:
        for number in range(20):
            target = f"/notes/n{number:02}"
            answer = httpx.put(running.url + target, json={"title": f"Note {number}"}, timeout=30)
            assert answer.status_code == 201
            saved.append(target)
        running.kill()
    database = sqlite3.connect(notes / ".spin" / "notes.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    with serving(notes, *GRANTS) as running:
        for number, target in enumerate(saved):
            answer = httpx.get(running.url + target, timeout=30)
            assert answer.json()["note"]["title"] == f"Note {number}"


def test_the_file_is_one_that_spin_reads(served: Served, notes: Path) -> None:
    """A value lies in Spin's table, under its label, as the bytes that were put."""  # KV-40
    httpx.put(f"{served.url}/notes/bread", json={"title": "Bake bread"}, timeout=30)
    database = sqlite3.connect(notes / ".spin" / "notes.db")
    query = "SELECT value FROM spin_key_value WHERE store = 'notes' AND key = 'bread'"
    assert database.execute(query).fetchall() == [(b'{"title":"Bake bread","text":"","tags":[]}',)]
    database.close()


def test_a_request_sees_what_another_process_wrote(served: Served, notes: Path) -> None:
    """Configuration is read from the store at each request, not kept from the first."""
    assert httpx.get(served.url, timeout=30).json()["greeting"] == "Hello from a Python component"
    database = sqlite3.connect(notes / ".spin" / "notes.db")
    with database:
        database.execute("UPDATE spin_key_value SET value = x'4869' WHERE key = 'greeting'")
    database.close()
    assert httpx.get(served.url, timeout=30).json()["greeting"] == "Hi"


def test_a_label_that_the_manifest_does_not_grant(notes: Path) -> None:
    """A store the app declares and spin.toml forgets: a JSON 500, the label in the log only."""
    manifest = notes / "spin.toml"
    text = manifest.read_text()
    granted = 'key_value_stores = ["notes", "views", "app_config"]'
    assert granted in text
    manifest.write_text(text.replace(granted, 'key_value_stores = ["notes", "app_config"]'))
    with (
        serving(notes, *GRANTS) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        assert client.put("/notes/bread", json={"title": "Bake bread"}).status_code == 201
        answer = client.get("/notes/bread")
        assert answer.status_code == 500
        assert answer.json()["error"]["kind"] == "internal"
        # The instance that failed took nothing with it.
        assert client.get("/").status_code == 200


def test_the_secret_can_come_from_the_environment(notes: Path) -> None:
    """``SPIN_VARIABLE_ADMIN_TOKEN`` stands for ``--variable``, as in Spin."""  # VAR-22
    (notes / ".env").write_text("SPIN_VARIABLE_ADMIN_TOKEN=from-the-file\n")
    with serving(notes) as running:
        header = {"x-admin-token": "from-the-file"}
        answer = httpx.delete(f"{running.url}/notes/none", headers=header, timeout=30)
        assert answer.status_code == 204


def test_make_demo_plays_the_tour() -> None:
    """``ONCE=1 make demo`` builds, serves, asks, and ends with 0."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    # The environment that runs this test is the one to use, however old its stamp is.
    ready = Path(sys.prefix) / ".ready"
    done = subprocess.run(
        ["make", "-o", str(ready), f"VENV={sys.prefix}", "PORT=0", "demo"],
        cwd=ROOT,
        env={**clean, "ONCE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "$ edgezero build" in done.stdout
    count = re.search(r"^(\d+) requests, \1 answered as expected$", done.stdout, re.MULTILINE)
    assert count is not None
    assert int(count[1]) >= 10
