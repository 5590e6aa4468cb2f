"""Routes of an app: ``[[triggers.http]]`` of ``edgezero.toml``.

Source: contract edgezero.md, MAN-3 to MAN-7; the handler syntax is Python's own (OPQ-11).
"""

import attrs

from edgezero_spin.manifest.keys import item_key
from edgezero_spin.manifest.table_reader import TableReader

__all__ = ["HttpTrigger", "parse_handler", "read_http_triggers"]

_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")
_BODY_MODES = ("buffered", "stream")


@attrs.frozen(kw_only=True)
class HttpTrigger:
    """One route of the app.

    Attributes:
        path: The route, such as ``/notes/{id}``. Not empty.
        methods: Upper-case methods; ``("GET",)`` when the file names none.
        handler: ``pkg.mod:func``; ``None`` makes no route. Its form is checked by
            ``parse_handler``, when it is used or validated.
        id: A name for tools.
        description: For people.
        adapters: The adapters it is meant for; empty means all. Filters nothing.
        body_mode: ``buffered``, ``stream`` or ``None``. Changes nothing here.
    """

    path: str
    methods: tuple[str, ...] = ("GET",)
    handler: str | None = None
    id: str | None = None
    description: str | None = None
    adapters: tuple[str, ...] = ()
    body_mode: str | None = None


def parse_handler(text: str) -> tuple[str, str]:
    """Split ``pkg.mod:func`` into module and function.

    Raises:
        ValueError: It is not of that form. The message quotes the text.
    """
    module, colon, function = text.partition(":")
    names = [*module.split("."), *function.split(".")]
    if not colon or not all(name.isascii() and name.isidentifier() for name in names):
        raise ValueError(
            f"invalid handler path {text!r}: write the module, a colon and the function, "
            "as in `app.handlers:root`"
        )
    return module, function


def read_http_triggers(triggers: TableReader) -> tuple[HttpTrigger, ...]:
    """Return the routes in the order of the file."""
    return tuple(_read_trigger(table) for table in triggers.tables("http"))


def _read_trigger(table: TableReader) -> HttpTrigger:
    return HttpTrigger(
        path=table.required_text("path", blank=False),
        methods=_read_methods(table),
        handler=table.optional_text("handler", blank=False),
        id=table.optional_text("id", blank=False),
        description=table.optional_text("description", blank=False),
        adapters=table.texts("adapters"),
        body_mode=_read_body_mode(table),
    )


def _read_methods(table: TableReader) -> tuple[str, ...]:
    methods = tuple(text.strip().upper() for text in table.texts("methods"))
    place = table.place("methods")
    for index, method in enumerate(methods):
        if method not in _METHODS:
            table.problems.add(
                item_key(place, index),
                f"unsupported HTTP method `{method}`",
                f"Use one of {', '.join(_METHODS)}.",
            )
    return methods or ("GET",)


def _read_body_mode(table: TableReader) -> str | None:
    given = table.optional_text("body-mode")
    if given is None:
        return None
    mode = given.strip().lower()
    if mode not in _BODY_MODES:
        table.problem(
            "body-mode", f"unsupported body mode `{given}`", "Use `buffered` or `stream`."
        )
    return mode
