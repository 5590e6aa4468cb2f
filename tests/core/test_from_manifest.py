"""An app out of ``edgezero.toml``: where it is looked for and what it names."""

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.core import App
from edgezero_spin.errors import ManifestError
from tests.core.asking import ask

MANIFEST = """
[app]
name = "demo"
middleware = ["demo_handlers:outer", "demo_handlers:Layers.inner"]

[[triggers.http]]
path = "/"
handler = "demo_handlers:root"

[[triggers.http]]
path = "/echo/{name}"
methods = ["get", "PUT"]
handler = "demo_handlers:echo"
adapters = ["fastly"]
body-mode = "buffered"

[[triggers.http]]
path = "/no-handler"

[stores.kv]
ids = ["sessions", "cache"]
default = "cache"
"""

HANDLERS = """
class Layers:
    @staticmethod
    async def inner(request, call_next):
        request.extensions["trace"].append("inner")
        return await call_next(request)

async def outer(request, call_next):
    request.extensions["trace"] = ["outer"]
    response = await call_next(request)
    response.headers["x-trace"] = ",".join(request.extensions["trace"])
    return response

def root():
    return "root"

async def echo(name: str):
    return f"echo {name}"

not_callable = 7
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the Python path with the handlers, and the current one elsewhere."""
    known = set(sys.modules)
    (tmp_path / "demo_handlers.py").write_text(HANDLERS)
    monkeypatch.syspath_prepend(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith(("demo_", "broken_")):
            del sys.modules[name]


def test_routes_middleware_and_stores(folder: Path) -> None:
    """Everything that the manifest names is there, in its order, and decorators add to it."""
    # APP-7, APP-8, APP-3
    (folder / "edgezero.toml").write_text(MANIFEST)
    app = App.from_manifest(folder / "edgezero.toml")
    app.get("/more")(lambda: "more")
    assert app.name == "demo"
    assert app.declaration.kv is not None
    assert app.declaration.kv.default == "cache"
    assert app.declaration.config is None
    assert [(route.method, route.path) for route in app.routes] == [
        ("GET", "/"),
        ("GET", "/echo/{name}"),
        ("PUT", "/echo/{name}"),
        ("GET", "/more"),
    ]
    response = ask(app, "PUT", "/echo/a%20b")
    assert response.body == b"echo a b"
    assert response.headers["x-trace"] == "outer,inner"
    assert ask(app, "GET", "/no-handler").status == 404


def test_an_empty_manifest(folder: Path) -> None:
    """A manifest that says nothing makes an app with nothing but its default name."""
    (folder / "empty.toml").write_text("")
    app = App.from_manifest(folder / "empty.toml", body_limit=5, open_stores="eager", state=[7])
    assert (app.name, app.routes) == ("EdgeZero App", ())
    assert (app.body_limit, app.open_stores) == (5, "eager")


def test_a_relative_path_is_beside_the_caller(folder: Path) -> None:
    """The folder of the calling module comes first, the current folder second."""
    (folder / "edgezero.toml").write_text('[app]\nname = "beside"')
    (folder / "elsewhere" / "edgezero.toml").write_text('[app]\nname = "current"')
    (folder / "elsewhere" / "other.toml").write_text('[app]\nname = "other"')
    (folder / "demo_app.py").write_text(
        "from edgezero_spin.core import App\n"
        "beside = App.from_manifest()\n"
        "current = App.from_manifest('other.toml')\n"
    )
    made = runpy.run_path(str(folder / "demo_app.py"))
    assert made["beside"].name == "beside"
    assert made["current"].name == "other"


@pytest.mark.parametrize("run_name", ["demo_self", "__main__"])
def test_handlers_below_the_app(
    folder: Path, run_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module may name its own functions, further down, also when it is the script that runs."""
    (folder / "edgezero.toml").write_text(
        '[[triggers.http]]\npath = "/"\nhandler = "demo_self:root"\n'
    )
    script = folder / "demo_self.py"
    script.write_text(
        "from edgezero_spin.core import App\n"
        "app = App.from_manifest()\n"
        "def root(): return __name__\n"
        "app.compile()\n"
    )
    if run_name == "__main__":
        # runpy puts a module of that name in sys.modules while it runs.
        made = runpy.run_path(str(script), run_name="__main__")
        assert ask(made["app"], "GET", "/").body == b"__main__"
        assert "demo_self" not in sys.modules
    else:
        import importlib

        assert ask(importlib.import_module("demo_self").app, "GET", "/").body == b"demo_self"


@pytest.mark.parametrize(
    ("handler", "parts"),
    [
        ("demo_nowhere:root", ["'demo_nowhere'", "no module"]),
        ("demo_handlers.sub:root", ["no module 'demo_handlers.sub'"]),
        ("demo_handlers:nothing", ["'nothing'"]),
        ("demo_handlers:not_callable", ["is not a function"]),
        ("demo_handlers.root", ["invalid handler path", "demo_handlers.root"]),
        ("demo_handlers:", ["invalid handler path"]),
        ("demo handlers:root", ["invalid handler path"]),
    ],
)
def test_a_handler_that_is_not_there(folder: Path, handler: str, parts: list[str]) -> None:
    """A name that leads nowhere fails the build, with file and key."""
    # APP-9, OPQ-11
    (folder / "edgezero.toml").write_text(
        f'[[triggers.http]]\npath = "/"\n\n[[triggers.http]]\npath = "/x"\nhandler = "{handler}"\n'
    )
    with pytest.raises(ManifestError) as caught:
        App.from_manifest(folder / "edgezero.toml").compile()
    message = str(caught.value)
    assert "edgezero.toml" in message
    assert "triggers.http[1].handler" in message
    for part in parts:
        assert part in message


def test_a_path_that_is_no_pattern(folder: Path) -> None:
    """A pattern with a mistake is named with file and key."""
    (folder / "edgezero.toml").write_text('[[triggers.http]]\npath = "/{a"\nhandler = "a:b"\n')
    with pytest.raises(ManifestError, match=r"triggers\.http\[0\]\.path: invalid route pattern"):
        App.from_manifest(folder / "edgezero.toml")


def test_a_failure_inside_the_handlers_module_is_its_own(folder: Path) -> None:
    """An import that fails inside the user's module is not taken for a wrong name."""
    (folder / "broken_handlers.py").write_text("import demo_absent_library\n")
    (folder / "edgezero.toml").write_text(
        '[[triggers.http]]\npath = "/"\nhandler = "broken_handlers:root"\n'
    )
    with pytest.raises(ModuleNotFoundError, match="demo_absent_library"):
        App.from_manifest(folder / "edgezero.toml").compile()


def test_a_manifest_that_is_not_there(folder: Path) -> None:
    """A missing manifest is named."""
    with pytest.raises(ManifestError, match=r"missing\.toml"):
        App.from_manifest("missing.toml")
