"""Everything that an app imports and reads only while it answers a request.

The same routes run natively and in the component; ``/modules`` exists for the component alone.
"""

import importlib
import os
import pkgutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from jinja2 import Environment, FileSystemLoader, PackageLoader

from edgezero_spin import App
from edgezero_spin.guest import run_app
from edgezero_spin.stores import structurer

app = App()
HERE = Path(__file__).parent


@app.get("/strptime")
async def strptime() -> str:
    return datetime.strptime("30 Nov 2026", "%d %b %Y").date().isoformat()


@app.get("/codec/{name}")
async def codec(name: str) -> str:
    return b"caf\xe9".decode(name)


@app.get("/idna")
async def idna() -> str:
    return "bücher.example".encode("idna").decode()


@app.get("/zone/{area}/{place}")
async def zone(area: str, place: str) -> str:
    from zoneinfo import ZoneInfo

    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    return moment.astimezone(ZoneInfo(f"{area}/{place}")).isoformat()


@app.get("/utc")
async def utc() -> str:
    import zoneinfo

    return str(zoneinfo.ZoneInfo("UTC"))


@app.get("/mail")
async def mail() -> str:
    from email.message import EmailMessage
    from email.utils import format_datetime

    message = EmailMessage()
    message["Subject"] = "hé"
    message["Date"] = format_datetime(datetime(2026, 1, 1, tzinfo=UTC))
    message.set_content("text")
    message.add_attachment(b"1", maintype="application", subtype="x", filename="a.bin")
    return str(message["Subject"]) + message.get_content_type()


@app.get("/resources")
async def resources() -> list[object]:
    from importlib import resources

    folder = resources.files("kept")
    return [
        (folder / "texts" / "words.txt").read_text(),
        list(folder.joinpath("blob.bin").read_bytes()),
        sorted(each.name for each in folder.joinpath("texts").iterdir()),
        (resources.files("kept") / "nothing.txt").is_file(),
    ]


@app.get("/get-data")
async def get_data() -> str:
    return (pkgutil.get_data("kept", "texts/words.txt") or b"").decode()


@app.get("/metadata")
async def metadata() -> list[object]:
    from importlib import metadata

    try:
        missing = metadata.version("no-such-distribution")
    except metadata.PackageNotFoundError as error:
        missing = type(error).__name__
    return [metadata.version("jinja2"), metadata.version("attrs"), missing]


@app.get("/entry-points")
async def entry_points() -> list[str]:
    from importlib.metadata import entry_points

    return sorted(
        each.name
        for each in entry_points(group="console_scripts")
        if each.dist.name == "edgezero-spin"
    )


@app.get("/templates/{folder}")
async def templates(folder: str) -> list[str]:
    loaders = {
        "relative": FileSystemLoader("templates"),
        "absolute": FileSystemLoader(HERE / "templates"),
        "package": PackageLoader("kept", "texts"),
    }
    environment = Environment(loader=loaders[folder])
    if folder == "package":
        return [environment.get_template("words.txt").render()]
    return [
        environment.get_template("hello.html").render(name="x"),
        environment.get_template("page.html").render(),
        *environment.list_templates(),
    ]


@app.get("/open")
async def open_() -> list[object]:
    with open(HERE / "beside.txt", "rb") as data:
        first = data.read(6).decode()
    with open("beside.txt", encoding="utf-8") as file:
        lines = list(file)
    path = HERE / "beside.txt"
    return [first, lines, path.exists(), path.stat().st_size, (HERE / "none.txt").exists()]


@app.get("/open/{name}")
async def open_named(name: str) -> str:
    try:
        return (HERE / name).read_text()
    except OSError as error:
        return f"{type(error).__name__} {error.strerror}"


@app.get("/write")
async def write() -> str:
    try:
        with open(HERE / "no" / "such" / "file", "w"):
            return "written"
    except OSError as error:
        return type(error).__name__


@app.get("/walk")
async def walk() -> list[str]:
    found = [name for _, _, names in os.walk(HERE / "templates") for name in names]
    return sorted(found + [path.name for path in HERE.glob("templates/*.html")])


@app.get("/lazy")
async def lazy() -> list[str]:
    import dateutil
    from kept import later

    return [later.GREETING, dateutil.parser.parse("1 Feb 2026").isoformat()]


class Point(TypedDict):
    x: int


@app.get("/structure")
async def structure() -> object:
    return structurer(Point)({"x": 1})


@app.get("/plugin/{name}")
async def plugin(name: str) -> str:
    value: str = importlib.import_module(f"plugins.{name}").VALUE
    return value


@app.get("/parts")
async def parts() -> list[str]:
    import kept.parts

    names = [each.name for each in pkgutil.iter_modules(kept.parts.__path__)]
    return [importlib.import_module(f"kept.parts.{name}").NAME for name in sorted(names)]


@app.get("/library/{name}")
async def library(name: str) -> str:
    return importlib.import_module(name).__name__


@app.get("/optional/{name}")
async def optional(name: str) -> str:
    from importlib.util import find_spec

    try:
        found = "there" if find_spec(name) else "not there"
    except ModuleNotFoundError:
        found = "raised"
    try:
        importlib.import_module(name)
    except ImportError as error:
        return f"{found}: {error}"
    return f"{found}: imported"


@app.get("/use/{what}")
async def use(what: str) -> str:
    import socket
    import subprocess
    import threading

    attempts = {
        "socket": lambda: socket.create_connection(("127.0.0.1", 9)),
        "name": lambda: socket.getaddrinfo("localhost", 80),
        "connect": lambda: socket.socket().connect(("127.0.0.1", 9)),
        "thread": lambda: threading.Thread(target=print).start(),
        "process": lambda: subprocess.run(["true"], check=True),
    }
    try:
        attempts[what]()
    except (OSError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return "worked"


@app.get("/modules")
async def modules() -> dict[str, str]:
    """Import all that is bundled; say what fails."""
    failed = {}
    for finder in sys.meta_path:
        for archive in getattr(finder, "archives", ()):
            for name in archive.modules:
                try:
                    importlib.import_module(name)
                except Exception as error:
                    failed[name] = f"{type(error).__name__}: {error}"
    return failed


IncomingHandler = run_app(app)
