"""Pages of the API reference: which public name stands where.

In: the public modules. Out: one page of reStructuredText for each subject, whose texts Sphinx takes
from the docstrings. A name that several modules offer stands once, under the first of them.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
from sphinx.pycode import ModuleAnalyzer

__all__ = ["PAGES", "Page", "missing_names", "write_reference"]


@attrs.frozen
class Page:
    """One page.

    Attributes:
        name: Of its file.
        title: Its heading.
        module: Where its names are imported from.
        names: The names in order, the rest of ``__all__`` where it has ``...``.
    """

    name: str
    title: str
    module: str
    names: tuple[str, ...] = ("...",)


PAGES = (
    Page(
        "apps",
        "Apps and routes",
        "edgezero_spin",
        (
            *("App", "Router", "RouteTable", "introspection", "run_app", "open_stores", "wait"),
            "__version__",
        ),
    ),
    Page(
        "parameters",
        "Parameters of handlers",
        "edgezero_spin",
        (
            *("Json", "Query", "Form", "PathParams", "Header", "Cookie", "Headers", "Depends"),
            *("RequestHost", "ForwardedHost", "State", "ManifestJson", "AppConfig", "UploadFile"),
            *("BackgroundTasks", "Kv", "Config", "Secrets", "Alias", "Ge", "Gt", "Le", "Lt"),
            *("MinLen", "MaxLen"),
        ),
    ),
    Page(
        "requests",
        "Requests and responses",
        "edgezero_spin",
        ("Request", "BodyStream", "Part", "Response", "Event", "MutableHeaders", "error_response"),
    ),
    Page(
        "middleware",
        "Middleware",
        "edgezero_spin",
        (
            *("Middleware", "Next", "cors", "compress", "access_log", "log_requests"),
            *("request_ids", "security_headers", "static_files"),
        ),
    ),
    Page(
        "outbound",
        "Requests of the app's own",
        "edgezero_spin",
        ("Outbound", "OutboundResponse", "OutboundError", "OutboundStatusError"),
    ),
    Page(
        "databases",
        "Databases",
        "edgezero_spin",
        (
            *("Sqlite", "Postgres", "MySql", "Redis", "Interval", "Range", "DatabaseError"),
            *("DatabaseOpenError", "QueryError", "RowError", "NoRowError", "ManyRowsError"),
        ),
    ),
    Page("stores", "Stores, models and errors", "edgezero_spin"),
    Page("store_backends", "Stores outside of an app", "edgezero_spin.stores"),
    Page("openapi", "OpenAPI", "edgezero_spin.core.openapi"),
    Page("introspection", "Introspection", "edgezero_spin.core.introspection"),
    Page("core", "Sources of requests", "edgezero_spin.core"),
    Page("guest", "Inside a component", "edgezero_spin.guest"),
    Page(
        "testing",
        "Testing",
        "edgezero_spin.testing",
        ("TestClient", "ComponentClient", "Client", "AsyncClient", "ClientResponse", "..."),
    ),
    Page("contracts", "Contracts of store backends", "edgezero_spin.testing.contracts"),
    Page("host", "The embedded host", "edgezero_spin.host"),
    Page("triggers", "Kinds of triggers", "edgezero_spin.host.triggers"),
    Page("manifest", "The manifest of an app", "edgezero_spin.manifest"),
    Page("errors", "Families of errors", "edgezero_spin.errors"),
)


def missing_names() -> dict[str, list[str]]:
    """Return the public names of each module that stand on no page."""
    told: dict[int, str] = {}
    for page in PAGES:
        module = importlib.import_module(page.module)
        told.update((id(getattr(module, name)), name) for name in _names_of(page, told))
    missing: dict[str, list[str]] = {}
    for offering in {page.module for page in PAGES}:
        module = importlib.import_module(offering)
        names = [name for name in module.__all__ if id(getattr(module, name)) not in told]
        if names:
            missing[offering] = names
    return missing


def write_reference(folder: Path) -> None:
    """Write the pages.

    Raises:
        ValueError: A page lists what its module does not offer, or a public name has no page.
    """
    folder.mkdir(exist_ok=True)
    told: dict[int, str] = {}
    written: dict[str, str] = {}
    for page in PAGES:
        names = list(_names_of(page, told))
        module = importlib.import_module(page.module)
        told.update((id(getattr(module, name)), name) for name in names)
        written[f"{page.name}.rst"] = "\n".join(_page(page, names))
    if missing := missing_names():
        raise ValueError(f"public names without a page in the reference: {missing}")
    for path in folder.iterdir():
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _names_of(page: Page, told: dict[int, str]) -> Iterator[str]:
    """Yield the names that stand on a page; those that stand on an earlier one are left out."""
    module = importlib.import_module(page.module)
    for name in page.names:
        if name != "...":
            if name not in module.__all__:
                raise ValueError(f"{page.module} does not offer {name}, which {page.name} lists")
            yield name
            continue
        listed = {name for other in PAGES if other.module == page.module for name in other.names}
        for offered in module.__all__:
            if offered not in listed and id(getattr(module, offered)) not in told:
                yield offered


def _page(page: Page, names: list[str]) -> Iterator[str]:
    yield from (page.title, "=" * len(page.title), "")
    yield f"Import from ``{page.module}``."
    yield from ("", f".. py:currentmodule:: {page.module}", "")
    for name in names:
        yield from _entry(page.module, name)
        yield ""


def _entry(module: str, name: str) -> Iterator[str]:
    value = getattr(importlib.import_module(module), name)
    if inspect.isclass(value):
        yield f".. autoclass:: {module}.{name}"
        yield "   :members:"
        if not issubclass(value, Exception) and value.__bases__ != (object,):
            yield "   :show-inheritance:"
    elif inspect.isroutine(value):
        yield f".. autofunction:: {module}.{name}"
    elif inspect.ismodule(value):
        yield f"``{name}`` is the module :doc:`{value.__name__.rpartition('.')[2]}`."
    else:
        yield f".. py:data:: {name}"
        yield ""
        yield from (f"   {line}" for line in _text_of(value, name))


def _text_of(value: object, name: str) -> list[str]:
    """Return the docstring below the assignment that makes a value.

    Raises:
        ValueError: It has none.
    """
    for module in [module for module in sys.modules if module.startswith("edgezero_spin")]:
        if getattr(sys.modules[module], name, None) is value:
            text = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name))
            if text:
                return text
    raise ValueError(f"{name} has no docstring")
