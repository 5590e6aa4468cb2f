"""Extractors: from a request to one argument of a handler.

In: a marker and a type, when the app is compiled. Out: an ``Argument``, whose ``extract`` gives
the value for a request.

Source: contract edgezero.md, EXT-1 to EXT-14; the conversions of path parameters are a difference
of ours (RTE-5, EXT-3).
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from edgezero_spin.core.app_config import AppConfigReader, app_config_reader
from edgezero_spin.core.background import BackgroundTasks
from edgezero_spin.core.errors import BadRequest, Internal, NotSupported, ValidationFailed
from edgezero_spin.core.headers import Headers
from edgezero_spin.core.models import BAD_FORM, BAD_PATH, BAD_QUERY, fields_reader
from edgezero_spin.core.outbound import Outbound
from edgezero_spin.core.payloads import json_reader
from edgezero_spin.core.request import Request, decode_path_value
from edgezero_spin.core.scalars import scalar_reader
from edgezero_spin.stores.constraints import rule_of

__all__ = [
    "MISSING",
    "Argument",
    "background",
    "event_itself",
    "headers",
    "marked",
    "outbound",
    "path_value",
    "registry",
    "request_itself",
]

_Extractor: TypeAlias = Callable[[Request], Any]

MISSING: Any = object()
"""Stands for a value that a parameter cannot do without."""

_LOCALHOST = "localhost"


class Argument:
    """How one parameter is filled: ``extract(request)``, awaited if ``waits``.

    Attributes:
        keyword: The name by which it is given, ``None`` for by position.
        passed: Whether it is given at all; a dependency of a route is called for what it does.
    """

    __slots__ = ("extract", "keyword", "passed", "waits")

    def __init__(self, extract: _Extractor, waits: bool = False) -> None:
        self.extract = extract
        self.waits = waits
        self.keyword: str | None = None
        self.passed = True


def marked(source: str, model: Any, absent: Any) -> Argument:
    """Return what fills a parameter with this marker."""
    match source:
        case "json":
            return Argument(partial(_json, json_reader(model), absent), waits=True)
        case "form":
            return Argument(partial(_form, fields_reader(model, BAD_FORM), absent), waits=True)
        case "query":
            return Argument(partial(_query, fields_reader(model, BAD_QUERY), absent))
        case "path":
            return Argument(partial(_path, fields_reader(model, BAD_PATH)))
        case "state":
            return Argument(partial(_state, model, absent))
        case "app_config":
            reader = app_config_reader(model)
            return Argument(partial(_app_config, reader, absent), waits=True)
        case "host":
            return Argument(_host)
        case "forwarded_host":
            return Argument(_forwarded_host)
    raise TypeError(f"unknown marker {source!r}")


# What fills a parameter. One function each, so that a trace of a failure names it.


def path_value(parameter: inspect.Parameter, hint: Any, index: int) -> Argument | None:
    """Return what gives a parameter of the path; ``None`` when text cannot become its type."""
    name = parameter.name
    read = scalar_reader(str if hint is parameter.empty else hint)
    if read is None:
        return None
    rule = rule_of(hint)
    if read is str and rule is None:
        return Argument(lambda request: decode_path_value(name, request._captured[index]))

    def extract(request: Request) -> Any:
        try:
            value = read(decode_path_value(name, request._captured[index]))
        except ValueError as error:
            raise BadRequest(f"{BAD_PATH}: {name}: {error}") from None
        problem = rule(value) if rule is not None else None
        if problem is not None:
            raise ValidationFailed(f"{name}: {problem}")
        return value

    return Argument(extract)


def request_itself(request: Request) -> Request:
    """The request."""
    return request


def event_itself(request: Request) -> Any:
    """What started the handler of a trigger."""
    return request.event


def headers(request: Request) -> Headers:
    """Its header fields."""
    return request.headers


def background(request: Request) -> BackgroundTasks:
    """What is done after its response."""
    return request.background


def outbound(request: Request) -> Outbound:
    """What sends requests."""
    if request._transport is None:
        raise NotSupported("nothing here carries outbound requests")
    return Outbound(request._transport)


def registry(attribute: str, absent: Any) -> _Extractor:
    """Return what gives the stores of one kind."""

    def extract(request: Request) -> Any:
        if absent is not MISSING and getattr(request.stores, attribute) is None:
            return absent
        return getattr(request, attribute)

    return extract


async def _json(read: Callable[[bytes], Any], absent: Any, request: Request) -> Any:
    body = await request.bytes()
    return absent if absent is not MISSING and not body else read(body)


async def _form(read: Callable[[Any], Any], absent: Any, request: Request) -> Any:
    pairs = await request.form_pairs()
    return absent if absent is not MISSING and not pairs else read(pairs)


def _query(read: Callable[[Any], Any], absent: Any, request: Request) -> Any:
    pairs = request.query_pairs()
    return absent if absent is not MISSING and not pairs else read(pairs)


def _path(read: Callable[[Any], Any], request: Request) -> Any:
    return read(request.path_params.items())


def _state(kind: Any, absent: Any, request: Request) -> Any:
    try:
        return request.state(kind)
    except Internal:
        if absent is MISSING:
            raise
        return absent


async def _app_config(reader: AppConfigReader, absent: Any, request: Request) -> Any:
    if absent is MISSING:
        return await reader.require(request)
    found = None if request.stores.config is None else await reader.read(request)
    return absent if found is None else found


def _host(request: Request) -> str:
    value = request.headers.get_bytes("host")
    return value.decode() if value is not None and value.isascii() else _LOCALHOST


def _forwarded_host(request: Request) -> str:
    value = request.headers.get_bytes("x-forwarded-host")
    if value is None:
        return _host(request)
    return value.decode() if value.isascii() else _LOCALHOST
