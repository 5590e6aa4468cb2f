"""Handler signatures to calls: what each parameter is given, decided once.

In: a handler and the parameters of its route, when the app is compiled. Out: one coroutine
function from request to response. A parameter named like one in the path is given that
value, converted; every other parameter is given what its annotation names. A signature that
cannot be served is a ``TypeError`` that names the handler and the parameter, before any
request.

Parameters are filled in the order of the signature, and the first failure is the answer.

Source: contract edgezero.md, HND-1, EXT-1 to EXT-14; the conversions of path parameters
are a difference of ours (RTE-5, EXT-3).
"""

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, NoReturn, TypeAlias, get_args, get_origin, get_type_hints

import attrs

from edgezero_spin.core.annotations import Config, Kv, Marker, Secrets
from edgezero_spin.core.errors import BadRequest, Internal, NotSupported, ValidationFailed
from edgezero_spin.core.headers import Headers
from edgezero_spin.core.models import (
    BAD_COOKIE,
    BAD_FORM,
    BAD_HEADER,
    BAD_PATH,
    BAD_QUERY,
    ArgumentsReader,
    Field,
    arguments_reader,
    field_of,
    fields_reader,
)
from edgezero_spin.core.outbound import Outbound
from edgezero_spin.core.payloads import json_reader
from edgezero_spin.core.percent import parse_pairs
from edgezero_spin.core.request import Request, decode_path_value
from edgezero_spin.core.response import Response, prepare_json, to_response
from edgezero_spin.core.return_annotations import check_return
from edgezero_spin.core.scalars import scalar_reader, without_none
from edgezero_spin.stores.aliases import alias_of
from edgezero_spin.stores.constraints import rule_of
from edgezero_spin.stores.structure_hooks import is_model

__all__ = ["Endpoint", "Offers", "bind", "name_of", "sends_requests"]

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
_Extractor: TypeAlias = Callable[[Request], Any]

_MISSING: Any = object()
_LOCALHOST = "localhost"
_FAILURES = {"query": BAD_QUERY, "header": BAD_HEADER, "cookie": BAD_COOKIE}
_PAIRS: dict[str, Callable[[Request], Any]] = {
    "query": Request.query_pairs,
    "header": lambda request: request.headers.items(),
    "cookie": lambda request: request.cookies.items(),
}
_STORE_KINDS: Any = (
    (Kv, "kv", "key-value"),
    (Config, "config", "config"),
    (Secrets, "secrets", "secret"),
)


class _Argument:
    """How one parameter is filled: ``extract(request)``, awaited if ``waits``."""

    __slots__ = ("extract", "keyword", "waits")

    def __init__(self, extract: _Extractor, waits: bool = False) -> None:
        self.extract = extract
        self.waits = waits
        self.keyword: str | None = None


@attrs.frozen
class Offers:
    """What the app has for its handlers, beside what a request brings.

    Attributes:
        stores: The kinds of store that it declares: ``kv``, ``config``, ``secrets``.
        states: The types of its state.
    """

    stores: frozenset[str]
    states: frozenset[type]


def bind(
    handler: Callable[..., object],
    names: tuple[str, ...],
    elsewhere: frozenset[str] = frozenset(),
    offers: Offers | None = None,
) -> Endpoint:
    """Return the call of a handler.

    Args:
        handler: A function, ``async`` or not, or any callable with a signature.
        names: The path parameters of the route, in order.
        elsewhere: Path parameters that other routes of this handler have; here they take
            their default.
        offers: What the app declares; ``None`` to find out at the request.

    Raises:
        TypeError: A parameter cannot be filled from a request or by the app, or nothing can be
            answered of what the handler returns.
    """
    where = name_of(handler)
    try:
        hints = get_type_hints(_annotated(handler), include_extras=True)
        parameters = inspect.signature(handler).parameters.values()
    except (NameError, ValueError) as error:
        raise TypeError(f"handler {where}: {error}") from error
    arguments = []
    groups: dict[str, dict[str, Field]] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"handler {where}: {parameter} cannot be filled from a request")
        hint = hints.get(parameter.name, parameter.empty)
        optional_here = parameter.name in elsewhere and parameter.default is not parameter.empty
        if optional_here and parameter.name not in names:
            continue
        try:
            if offers is not None:
                _check_offered(hint, parameter.default, offers)
            if _is_field(parameter, hint, names):
                _add_field(parameter, hint, groups)
                continue
            argument = _argument(parameter, hint, names)
        except TypeError as error:
            raise TypeError(f"handler {where}: parameter {parameter.name!r}: {error}") from error
        if argument is None:
            _refuse(where, parameter, hint, names)
        # Whatever follows a parameter that is left to its default goes by name.
        by_name = (elsewhere or groups) and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        if by_name or parameter.kind is parameter.KEYWORD_ONLY:
            argument.keyword = parameter.name
        arguments.append(argument)
    if not hasattr(handler, "__wrapped__"):
        # A decorator may make something else of what the function returns.
        try:
            check_return(hints.get("return"))
        except TypeError as error:
            raise TypeError(f"handler {where}: its return annotation: {error}") from None
    prepare_json(hints.get("return"))
    is_async = _is_async(handler)
    if not is_async and hasattr(handler, "__wrapped__"):
        # A plain decorator around an async handler gives back what the handler gave it.
        handler, is_async = _awaiting(handler), True
    _check_path_is_taken(where, names, hints, parameters, groups.get("query", {}))
    readers = [
        (_PAIRS[source], arguments_reader(fields, _FAILURES[source]))
        for source, fields in groups.items()
    ]
    return _endpoint(handler, arguments, readers, is_async)


def sends_requests(handler: Callable[..., object]) -> bool:
    """Tell whether a handler asks for ``Outbound``, and so its component for the network."""
    return Outbound in get_type_hints(_annotated(handler), include_extras=True).values()


def name_of(handler: Callable[..., object]) -> str:
    """Return ``module.function`` for messages."""
    name = getattr(handler, "__qualname__", None) or repr(handler)
    return f"{getattr(handler, '__module__', '')}.{name}"


def _endpoint(
    handler: Callable[..., object],
    arguments: list[_Argument],
    readers: list[tuple[Callable[[Request], Any], ArgumentsReader]],
    is_async: bool,
) -> Endpoint:
    """The call with as little as possible left to do for each request."""
    call: Callable[..., Any] = handler
    if readers or any(argument.keyword or argument.waits for argument in arguments):

        async def fill_and_call(request: Request) -> Response:
            values = []
            named: dict[str, Any] = {}
            for pairs, read in readers:
                named |= read(pairs(request))
            for argument in arguments:
                value = argument.extract(request)
                if argument.waits:
                    value = await value
                if argument.keyword is None:
                    values.append(value)
                else:
                    named[argument.keyword] = value
            result = call(*values, **named)
            if is_async:
                result = await result
            return to_response(result)

        return fill_and_call
    if not arguments:

        async def call_bare(request: Request) -> Response:
            result = call()
            return to_response(await result if is_async else result)

        return call_bare
    if len(arguments) == 1:
        extract_only = arguments[0].extract

        async def call_with_one(request: Request) -> Response:
            result = call(extract_only(request))
            return to_response(await result if is_async else result)

        return call_with_one
    extracts = [argument.extract for argument in arguments]

    async def call_with_all(request: Request) -> Response:
        result = call(*[extract(request) for extract in extracts])
        return to_response(await result if is_async else result)

    return call_with_all


def _check_offered(hint: Any, default: Any, offers: Offers) -> None:
    """Refuse a store or state that the app does not have, unless the handler can do without."""
    hint, nullable = without_none(hint)
    if nullable or default is not inspect.Parameter.empty:
        return
    for kind, attribute, noun in _STORE_KINDS:
        if hint == kind and attribute not in offers.stores:
            raise TypeError(
                f"the app declares no {noun} store; write App({attribute}=[...]) or "
                f"[stores.{attribute}] in edgezero.toml"
            )
    marker = _marker(hint)
    if marker is not None and marker.source == "state":
        kind = get_args(hint)[0]
        if kind not in offers.states:
            raise TypeError(
                f"the app has no state of type {_spell(kind)}; write App(state=[...]) or "
                f"app.with_state(...)"
            )


def _argument(parameter: inspect.Parameter, hint: Any, names: tuple[str, ...]) -> _Argument | None:
    """Choose what fills a parameter; ``None`` when nothing does."""
    if parameter.name in names and _marker(hint) is None:
        return _path_value(parameter, hint, names.index(parameter.name))
    if hint is parameter.empty:
        return _Argument(_request) if parameter.name == "request" else None
    hint, nullable = without_none(hint)
    absent = parameter.default
    if absent is parameter.empty:
        absent = None if nullable else _MISSING
    if hint is Request:
        return _Argument(_request)
    if hint is Headers:
        return _Argument(_headers)
    if hint is Outbound:
        return _Argument(_outbound)
    for kind, attribute, _ in _STORE_KINDS:
        if hint == kind:
            return _Argument(_registry(attribute, absent))
    marker = _marker(hint)
    return None if marker is None else _marked(marker.source, get_args(hint)[0], absent)


def _is_field(parameter: inspect.Parameter, hint: Any, names: tuple[str, ...]) -> bool:
    """Whether a parameter is one field of the query, the headers or the cookies."""
    if parameter.name in names or hint is parameter.empty:
        return False
    marker = _marker(hint)
    if marker is None:
        return _field(parameter, hint, "query") is not None
    return marker.source in ("header", "cookie") or (
        marker.source == "query" and _field(parameter, hint, "query") is not None
    )


def _field(parameter: inspect.Parameter, hint: Any, source: str) -> Field | None:
    return field_of(parameter.name, hint, parameter.default, _FAILURES[source])


def _add_field(
    parameter: inspect.Parameter, hint: Any, groups: dict[str, dict[str, Field]]
) -> None:
    marker = _marker(hint)
    source = "query" if marker is None else marker.source
    field = _field(parameter, hint, source)
    if field is None:
        raise TypeError(f"text of a {source} cannot become {_spell(get_args(hint)[0])}")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise TypeError("a field is given by name; leave out the '/'")
    name = alias_of(hint) or parameter.name
    if source == "header":
        name = (alias_of(hint) or parameter.name.replace("_", "-")).lower()
    fields = groups.setdefault(source, {})
    if name in fields:
        raise TypeError(f"another parameter takes the {source} field {name!r} as well")
    fields[name] = field


def _check_path_is_taken(
    where: str,
    names: tuple[str, ...],
    hints: dict[str, Any],
    parameters: Any,
    query: dict[str, Field],
) -> None:
    """Refuse a required query field beside a path parameter that nobody takes: a slip."""
    taken = {parameter.name for parameter in parameters}
    left = [name for name in names if name not in taken]
    markers = [marker.source for hint in hints.values() if (marker := _marker(hint))]
    if not left or "path" in markers or Request in hints.values() or "request" in taken:
        return
    required = [field.argument for field in query.values() if field.required]
    if required:
        raise TypeError(
            f"handler {where}: no parameter takes {{{left[0]}}} of the path, and "
            f"{required[0]!r} would be read from the query; give both one name"
        )


def _marker(hint: Any) -> Marker | None:
    if get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, Marker):
                return extra
    return None


def _marked(source: str, model: Any, absent: Any) -> _Argument:
    match source:
        case "json":
            return _Argument(partial(_json, json_reader(model), absent), waits=True)
        case "form":
            return _Argument(partial(_form, fields_reader(model, BAD_FORM), absent), waits=True)
        case "query":
            return _Argument(partial(_query, fields_reader(model, BAD_QUERY), absent))
        case "path":
            return _Argument(partial(_path, fields_reader(model, BAD_PATH)))
        case "state":
            return _Argument(partial(_state, model, absent))
        case "host":
            return _Argument(_host)
        case "forwarded_host":
            return _Argument(_forwarded_host)
    raise TypeError(f"unknown marker {source!r}")


# What fills a parameter. One function each, so that a trace of a failure names it.


def _path_value(parameter: inspect.Parameter, hint: Any, index: int) -> _Argument | None:
    name = parameter.name
    read = scalar_reader(str if hint is parameter.empty else hint)
    if read is None:
        return None
    rule = rule_of(hint)
    if read is str and rule is None:
        return _Argument(lambda request: decode_path_value(name, request._captured[index]))

    def extract(request: Request) -> Any:
        try:
            value = read(decode_path_value(name, request._captured[index]))
        except ValueError as error:
            raise BadRequest(f"{BAD_PATH}: {name}: {error}") from None
        problem = rule(value) if rule is not None else None
        if problem is not None:
            raise ValidationFailed(f"{name}: {problem}")
        return value

    return _Argument(extract)


def _request(request: Request) -> Request:
    return request


def _headers(request: Request) -> Headers:
    return request.headers


def _outbound(request: Request) -> Outbound:
    if request._transport is None:
        raise NotSupported("nothing here carries outbound requests")
    return Outbound(request._transport)


def _registry(attribute: str, absent: Any) -> _Extractor:
    def extract(request: Request) -> Any:
        if absent is not _MISSING and getattr(request.stores, attribute) is None:
            return absent
        return getattr(request, attribute)

    return extract


async def _json(read: Callable[[bytes], Any], absent: Any, request: Request) -> Any:
    body = await request.bytes()
    return absent if absent is not _MISSING and not body else read(body)


async def _form(read: Callable[[Any], Any], absent: Any, request: Request) -> Any:
    body = await request.bytes()
    return absent if absent is not _MISSING and not body else read(parse_pairs(body))


def _query(read: Callable[[Any], Any], absent: Any, request: Request) -> Any:
    pairs = request.query_pairs()
    return absent if absent is not _MISSING and not pairs else read(pairs)


def _path(read: Callable[[Any], Any], request: Request) -> Any:
    return read(request.path_params.items())


def _state(kind: Any, absent: Any, request: Request) -> Any:
    try:
        return request.state(kind)
    except Internal:
        if absent is _MISSING:
            raise
        return absent


def _host(request: Request) -> str:
    value = request.headers.get_bytes("host")
    return value.decode() if value is not None and value.isascii() else _LOCALHOST


def _forwarded_host(request: Request) -> str:
    value = request.headers.get_bytes("x-forwarded-host")
    if value is None:
        return _host(request)
    return value.decode() if value.isascii() else _LOCALHOST


def _annotated(handler: Callable[..., object]) -> Any:
    """The function that carries a callable's annotations."""
    while isinstance(handler, partial):
        handler = handler.func
    handler = inspect.unwrap(handler)
    if inspect.isroutine(handler):
        return handler
    return type(handler).__call__


def _is_async(handler: Callable[..., object]) -> bool:
    while isinstance(handler, partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004  # looking at the method, not for one
    )


def _awaiting(handler: Callable[..., Any]) -> Callable[..., Awaitable[object]]:
    async def call(*args: Any, **kwargs: Any) -> object:
        result = handler(*args, **kwargs)
        return await result if hasattr(result, "__await__") else result

    return call


def _refuse(
    where: str, parameter: inspect.Parameter, hint: Any, names: tuple[str, ...]
) -> NoReturn:
    name = parameter.name
    if hint is parameter.empty:
        problem = f"cannot inject `{name}`: it has no annotation"
    elif name in names:
        problem = f"cannot inject `{name}: {_spell(hint)}`: text of the path cannot become it"
    else:
        problem = f"cannot inject `{name}: {_spell(hint)}`"
        if is_model(hint):
            problem += f"; for the body write Json[{_spell(hint)}] or Form[{_spell(hint)}]"
    raise TypeError(
        f"handler {where}: {problem}. A parameter is named after one of the path "
        f"({', '.join(names) or 'this route has none'}), is a field of the query (str, int, float, "
        f"bool, a date, UUID, Decimal, enum, Literal, or a list of these), or is annotated with "
        f"Request, Headers, Json[...], Form[...], Query[...], Path[...], Header[...], Cookie[...], "
        f"State[...], Kv, Config, Secrets or Outbound"
    )


def _spell(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)
