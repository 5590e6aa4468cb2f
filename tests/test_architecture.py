"""The plan of the house, as a test: what each room may import."""

from pathlib import Path

import pytest

from tests.source_tree import PACKAGE, Import, imports_of, modules

# The leaves know nothing of ours, so every room may use them.
LEAVES = {"errors", "environment", "events"}

NEIGHBOURS = {
    "errors": set[str](),
    "environment": set[str](),
    "events": set[str](),
    "core": {"stores"},
    "stores": set[str](),
    "bundle": set[str](),
    "guest": {"bundle", "core", "stores"},
    # The store tables of edgezero.toml become the declaration that stores/ defines.
    "manifest": {"stores"},
    "wasm": set[str](),
    "host": {"manifest", "stores", "wasm"},
    "project": {"bundle", "manifest", "wasm"},
    "explorer": {"host", "manifest", "project", "stores"},
    "development": {
        "explorer",
        "__init__",
        "core",
        "stores",
        "manifest",
        "host",
        "project",
        "run_app",
    },
    "cli": {"development", "explorer", "project", "manifest", "host", "__version__"},
    "testing": {"bundle", "core", "stores", "guest", "manifest", "host", "project"},
    "__init__": {"core", "stores", "guest"},
}

# Libraries that are not ours. Bindings have the names componentize-py gives them.
BINDINGS = {
    "wit_world",
    "componentize_py_async_support",
    "componentize_py_runtime",
    "componentize_py_types",
}
LIBRARIES = {
    "errors": set[str](),
    "environment": set[str](),
    "events": {"attrs"},
    "core": {"attrs"},
    "stores": {"attrs", "cattrs"},
    "bundle": set[str](),
    "guest": {"attrs"} | BINDINGS,
    "manifest": {"attrs", "cattrs"},
    "host": {
        "apsw",
        "attrs",
        "wasmtime",
        "uvloop",
        "h2",
        "httptools",
        "hyperframe",
        "h11",
        "certifi",
        "croniter",
        "httpx",
        "anyio",
        "dotenv",
        "paho",
        "psycopg",
        "pymysql",
        "redis",
        "boto3",
        "opentelemetry",
        # What its exporters send with.
        "grpc",
        "requests",
        "prometheus_client",
        "botocore",
        "cryptography",
        "azure",
    },
    "wasm": {"attrs"},
    "project": {
        "apsw",
        "attrs",
        "componentize_py",
        "liquid",
        "redis",
        "tomli_w",
        "watchfiles",
    },
    "explorer": {"attrs"},
    "development": {"attrs", "httpx", "watchfiles"},
    "cli": {"click", "attrs"},
    "testing": {"apsw", "attrs", "pytest", "wasmtime", "httpx", "hypothesis", "time_machine"},
    "__init__": set[str](),
}

# What a component can reach: imports are resolved while it is built, so they
# stand at the top, where a missing one shows at once.
IN_THE_COMPONENT = [
    *("errors", "environment", "events"),
    *("bundle", "core", "stores", "guest", "__init__"),
]

# (file or folder, imported root) pairs that may stand inside a function, and why.
LATE = {
    # Reads a manifest while the component is built; an app without one never loads it.
    ("core/app.py", "edgezero_spin.core.from_manifest"),
    ("core/from_manifest.py", "edgezero_spin.manifest"),
    # Handlers of events; an app without them never loads what calls them.
    ("core/app.py", "edgezero_spin.core.event_handlers"),
    # Describes the app while it is compiled; an app without a description never loads it.
    ("core/app.py", "edgezero_spin.core.openapi"),
    ("core/app.py", "edgezero_spin.core.openapi.serving"),
    # 2.5 MB of a component, spared to apps without a type that needs it.
    ("stores/", "cattrs"),
    # Bindings exist only inside a component, and which ones depends on its world:
    # run_app imports them while the component is built.
    ("guest/", "edgezero_spin.guest.wasi02"),
    ("guest/", "edgezero_spin.guest.wasi03"),
    *(("guest/", binding) for binding in BINDINGS),
}

# The host: what each of its folders, and each module at its root, may import of the host. A request
# goes from http/ through execution/ to runtime/ and from there into factors/; nothing knows
# who calls it. load/ puts it all together.
HOST = PACKAGE / "host"
HOST_NEIGHBOURS = {
    "errors": set[str](),
    # Spans, metrics and logs of what observers see.
    "telemetry": {"observers"},
    # What embedders see of all that happens; everything below may tell of it.
    "observers": set[str](),
    # One request and its response between an event loop and a guest's thread.
    "exchange": {"errors", "observers"},
    # Components, whatever they import.
    "runtime": {"errors"},
    "factors": {"errors", "exchange", "observers", "runtime"},
    # Only to read components that are text.
    "registry": {"errors", "runtime"},
    "compat": {"errors", "exchange", "factors", "runtime"},
    "execution": {"errors", "exchange", "observers", "runtime", "factors", "compat"},
    # What starts components, but for HTTP, which knows the seam.
    "triggers": {"errors", "exchange", "execution", "factors", "observers", "runtime"},
    "http": {"compat", "errors", "exchange", "observers", "factors", "execution", "triggers"},
    "settings": {"execution", "factors", "observers", "runtime", "triggers"},
    "load": {
        "errors",
        "exchange",
        "runtime",
        "factors",
        "registry",
        "compat",
        "execution",
        "http",
        "observers",
        "settings",
        "triggers",
    },
    "host": {
        "errors",
        "exchange",
        "runtime",
        "factors",
        "execution",
        "http",
        "load",
        "observers",
        "settings",
        "triggers",
    },
    "switch": {"errors", "exchange", "http", "host", "settings"},
    "__init__": {
        "exchange",
        "execution",
        "http",
        "host",
        "observers",
        "settings",
        "switch",
        "triggers",
    },
}

# Factors know what all factors share, and of each other only what is listed here.
FACTOR_NEIGHBOURS = {
    "key_value": {"redis"},
    "outbound_http": {"outbound_networking", "variables", "wasi"},
    "outbound_networking": set[str](),
    "database_servers": {"outbound_networking"},
    "llm": set[str](),
    "mqtt": {"database_servers", "outbound_networking"},
    "mysql": {"database_servers", "outbound_networking"},
    "postgres": {"database_servers", "outbound_networking"},
    "redis": {"outbound_networking"},
    "sqlite": set[str](),
    "variables": set[str](),
    # Sockets are refused by the manifest or by this host.
    "wasi": {"outbound_networking"},
    "wasi_03": {"outbound_http", "wasi"},
}

# What the factors share knows none of them, but for the types of two grants.
SHARED_BY_FACTORS = {
    "edgezero_spin.host.factors.outbound_networking.config",
    "edgezero_spin.host.factors.variables.resolver",
}


def room_files(room: str) -> list[Path]:
    """The files of a room, or the one file of a leaf."""
    folder = PACKAGE / room
    return modules(folder) if folder.is_dir() else [PACKAGE / f"{room}.py"]


def is_late(path: Path, found: Import) -> bool:
    """Whether an import is one of the named exceptions."""
    name = path.relative_to(PACKAGE).as_posix()
    return any(
        name.startswith(place) and (found.module == root or found.module.startswith(f"{root}."))
        for place, root in LATE
    )


def describe(path: Path, found: Import) -> str:
    """``core/app.py:12 imports edgezero_spin.host``."""
    return f"{path.relative_to(PACKAGE)}:{found.line} imports {found.module}"


def test_every_room_is_planned() -> None:
    """A new room or top-level module needs a line in the tables above."""
    found = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    found |= {path.stem for path in PACKAGE.glob("*.py")}
    assert found == NEIGHBOURS.keys() == LIBRARIES.keys()


@pytest.mark.parametrize("room", sorted(NEIGHBOURS))
def test_rooms_import_only_their_neighbours(room: str) -> None:
    """An import across the plan fails here and names its file and line."""
    allowed = NEIGHBOURS[room] | {room}
    if room not in LEAVES:
        allowed |= LEAVES
    strays = [
        describe(path, found)
        for path in room_files(room)
        for found in imports_of(path)
        if found.ours and found.room not in allowed and not is_late(path, found)
    ]
    assert strays == []


def host_folder(module: str) -> str:
    """``http`` for ``edgezero_spin.host.http.server``, ``__init__`` for the package itself."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 else "__init__"


def test_every_folder_of_the_host_is_planned() -> None:
    """A new folder of the host, or module at its root, needs a line in the table."""
    found = {path.name for path in HOST.iterdir() if (path / "__init__.py").exists()}
    assert found | {path.stem for path in HOST.glob("*.py")} == HOST_NEIGHBOURS.keys()


@pytest.mark.parametrize("folder", sorted(HOST_NEIGHBOURS))
def test_folders_of_the_host_import_only_their_neighbours(folder: str) -> None:
    """An import against the data flow of the host fails here, wherever in a file it stands."""
    place = HOST / folder
    strays = [
        describe(path, found)
        for path in (modules(place) if place.is_dir() else [HOST / f"{folder}.py"])
        for found in imports_of(path)
        if found.ours
        and found.room == "host"
        and host_folder(found.module) not in HOST_NEIGHBOURS[folder] | {folder}
    ]
    assert strays == []


def test_the_folders_of_the_host_have_one_direction() -> None:
    """Each folder imports only from those before it in some order, so there is no way round."""
    left = {folder: set(others) for folder, others in HOST_NEIGHBOURS.items()}
    while free := {folder for folder, others in left.items() if not others & left.keys()}:
        left = {folder: others for folder, others in left.items() if folder not in free}
    assert left == {}


@pytest.mark.parametrize("factor", sorted(FACTOR_NEIGHBOURS))
def test_factors_import_only_their_neighbours(factor: str) -> None:
    """Whoever changes one factor sees in the table which others to look at."""
    shared = {path.stem for path in (HOST / "factors").glob("*.py")}
    allowed = FACTOR_NEIGHBOURS[factor] | {factor} | shared
    strays = [
        describe(path, found)
        for path in modules(HOST / "factors" / factor)
        for found in imports_of(path)
        if found.module.startswith("edgezero_spin.host.factors.")
        and found.module.split(".")[3] not in allowed
    ]
    assert strays == []


def test_what_factors_share_knows_none_of_them() -> None:
    """Limits, waiting and the state of an instance are the same for every factor."""
    found = {path.name for path in (HOST / "factors").iterdir() if (path / "__init__.py").exists()}
    assert found == FACTOR_NEIGHBOURS.keys()
    strays = [
        describe(path, found)
        for path in sorted((HOST / "factors").glob("*.py"))
        for found in imports_of(path)
        if found.module.startswith("edgezero_spin.host.factors.")
        and found.module.split(".")[3] in FACTOR_NEIGHBOURS
        and found.module not in SHARED_BY_FACTORS
    ]
    assert strays == []


@pytest.mark.parametrize("room", sorted(LIBRARIES))
def test_rooms_import_only_their_libraries(room: str) -> None:
    """A room reaches for no library that the plan does not give it."""
    strays = [
        describe(path, found)
        for path in room_files(room)
        for found in imports_of(path)
        if found.third_party and found.root not in LIBRARIES[room]
    ]
    assert strays == []


@pytest.mark.parametrize("room", IN_THE_COMPONENT)
def test_imports_of_a_component_stand_at_the_top(room: str) -> None:
    """A late import can pass every test and fail in a built component."""
    strays = [
        describe(path, found)
        for path in room_files(room)
        for found in imports_of(path)
        if (found.ours or found.third_party)
        and not found.top_level
        and not found.typing_only
        and not is_late(path, found)
    ]
    assert strays == []


def test_annotations_are_never_deferred() -> None:
    """Binding reads annotations while the program runs, so the future import stays out."""
    strays = [
        describe(path, found)
        for path in modules()
        for found in imports_of(path)
        if found.module == "__future__"
    ]
    assert strays == []
