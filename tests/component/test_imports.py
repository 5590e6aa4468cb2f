"""What an app imports and reads only when it is asked, natively and in the component.

One app (``guests/imports``), the same requests to both. Nothing that is asked for here was
imported while the component was built.
"""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.errors import AppImportError
from edgezero_spin.testing import ComponentClient, TestClient
from tests.component.conftest import GUESTS, Build
from tests.component.servers import jco

SAME = [
    "/strptime",
    "/codec/cp1252",
    "/codec/koi8-r",
    "/idna",
    "/utc",
    "/zone/Europe/Vienna",
    "/zone/Asia/Kolkata",
    "/mail",
    "/resources",
    "/get-data",
    "/metadata",
    "/entry-points",
    "/templates/relative",
    "/templates/absolute",
    "/templates/package",
    "/open",
    "/open/templates",
    "/open/none.txt",
    "/write",
    "/walk",
    "/lazy",
    "/structure",
    "/plugin/red",
    "/parts",
    *(f"/library/{name}" for name in ("logging.config", "http.client", "urllib.request")),
    *(f"/library/{name}" for name in ("sqlite3", "asyncio", "unittest.mock", "decimal", "csv")),
    *(f"/library/{name}" for name in ("xml.etree.ElementTree", "html.parser", "uuid", "gzip")),
]


@pytest.fixture(scope="module")
def component(build: Build) -> Iterator[ComponentClient]:
    """The guest in the embedded host."""
    with ComponentClient(build("imports")) as client:
        yield client


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The same app in this process, from its own folder."""
    folder = GUESTS / "imports"
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "app", raising=False)
    before = set(sys.modules)
    app = importlib.import_module("app").app
    with TestClient(app) as client:
        yield client
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("app", "kept", "plugins"):
            del sys.modules[name]


@pytest.mark.parametrize("path", SAME)
def test_an_answer_is_the_same_natively_and_in_the_component(
    native: TestClient, component: ComponentClient, path: str
) -> None:
    """Modules, codecs, time zones, data files, metadata and templates are there when asked for."""
    expected = native.get(path)
    assert expected.status == 200, expected.text
    answer = component.get(path)
    assert (answer.status, answer.text) == (expected.status, expected.text)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        pytest.param("ssl", "Outbound", id="tls"),
        pytest.param("smtplib", "Outbound", id="sockets"),
        pytest.param("multiprocessing", "cannot start processes", id="processes"),
        pytest.param("tkinter", "no terminal and no screen", id="screen"),
        pytest.param("ctypes", "Python code only", id="compiled"),
        pytest.param("lzma", "zlib", id="compression"),
        pytest.param("pdb", "at the top of a module", id="a tool"),
        pytest.param("markupsafe._speedups", "compiled extension", id="an extension"),
        pytest.param("nothing_like_it", "--include", id="unknown"),
        pytest.param("json.nothing", "--include", id="unknown in a package"),
    ],
)
def test_what_cannot_be_imported_says_why_in_one_sentence(
    component: ComponentClient, name: str, advice: str
) -> None:
    """It is an ImportError that names the module; whoever only asks for it hears no error."""
    answer = component.get(f"/optional/{name}").text
    assert answer.startswith(f"not there: No module named {name!r} in this component: ")
    assert advice in answer
    assert answer.endswith("(see docs/inside-a-component.md)")
    assert "\n" not in answer


@pytest.mark.parametrize(
    ("what", "kind", "advice"),
    [
        ("socket", "OSError", "Outbound"),
        ("name", "OSError", "Outbound"),
        ("connect", "OSError", "Outbound"),
        ("thread", "RuntimeError", "one thread"),
        ("process", "OSError", "cannot start processes"),
    ],
)
def test_what_cannot_be_used_says_what_to_use(
    component: ComponentClient, what: str, kind: str, advice: str
) -> None:
    """Modules that can be imported and not used keep the kind of error that libraries expect."""
    answer = component.get(f"/use/{what}").text
    assert answer.startswith(f"{kind}: ")
    assert advice in answer
    assert answer.endswith("(see docs/inside-a-component.md)")


def test_every_module_that_is_bundled_can_be_imported(component: ComponentClient) -> None:
    """Whatever fails needs a module that no component has, and says so."""
    failed = json.loads(component.get("/modules").text)
    without_reason = {
        name: said
        for name, said in failed.items()
        if "see docs/inside-a-component.md" not in said or "--include" in said
    }
    # For another operating system; it fails natively as well.
    assert without_reason.keys() <= {"dateutil.tz.win", "dateutil.tzwin"}


def test_another_host_gives_the_same_answers(build: Build) -> None:
    """``jco serve`` knows nothing of ours."""
    with jco(build("imports")) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.get("/strptime").text == "2026-11-30"
        assert client.get("/lazy").json()[0] == "from a plain module"
        assert client.get("/templates/relative").json()[0] == "hello x"


def test_a_module_that_cannot_work_is_named_when_the_component_is_built(tmp_path: Path) -> None:
    """An import at the top that needs one fails with the reason and the app's own lines."""
    (tmp_path / "app.py").write_text(
        "import ssl\n\nfrom edgezero_spin import App\n\napp = App()\ncontext = ssl\n"
    )
    with pytest.raises(AppImportError) as raised:
        componentize_app("app:app", output=tmp_path / "out.wasm", folder=tmp_path)
    assert "ssl: TLS is the host's part; take an Outbound parameter" in raised.value.reason
    assert f'File "{tmp_path / "app.py"}", line 1' in raised.value.traceback
