"""Signatures of handlers and dependencies: what each parameter is given, decided once.

In: a function and the parameters of its route, when the app is compiled. Out: ``Parameters``, which
fill a call of it. A parameter named like one in the path is given that value, converted; a
scalar is a field of the query; every other parameter is given what its annotation names. A
signature that cannot be served is a ``TypeError`` that names the function and the parameter, before
any request.

Fields of the query, the headers and the cookies are read first, together; then the rest in the
order of the signature. The first failure is the answer.

Source: contract edgezero.md, HND-1, EXT-1 to EXT-14.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NoReturn, get_args, get_origin

import attrs

from edgezero_spin.core.annotations import Depends, marker_of
from edgezero_spin.core.background import BackgroundTasks
from edgezero_spin.core.callables import hints_of, is_async, name_of, spelled
from edgezero_spin.core.dependencies import Dependency, Parameters
from edgezero_spin.core.extractors import (
    MISSING,
    Argument,
    background,
    event_itself,
    headers,
    marked,
    outbound,
    path_value,
    registry,
    request_itself,
)
from edgezero_spin.core.headers import Headers
from edgezero_spin.core.models import (
    BAD_COOKIE,
    BAD_FORM,
    BAD_HEADER,
    BAD_QUERY,
    Field,
    arguments_reader,
    field_of,
)
from edgezero_spin.core.offers import (
    STORE_KINDS,
    Offers,
    check_event,
    check_offered,
    is_event,
    kind_of,
)
from edgezero_spin.core.outbound import Outbound
from edgezero_spin.core.request import Request
from edgezero_spin.core.scalars import without_none
from edgezero_spin.stores.aliases import alias_of
from edgezero_spin.stores.structure_hooks import is_model

__all__ = ["parameters_of", "sends_requests"]

_FAILURES = {"query": BAD_QUERY, "header": BAD_HEADER, "cookie": BAD_COOKIE, "form": BAD_FORM}
_PAIRS: dict[str, Callable[[Request], Any]] = {
    "query": Request.query_pairs,
    "cookie": lambda request: request.cookies.items(),
    "header": lambda request: request.headers.pairs,
    "form": Request.form_pairs,
}


@attrs.frozen
class _Scope:
    """Where a signature is read.

    Attributes:
        names: The path parameters of the route, in order.
        elsewhere: Path parameters that other routes of the handler have.
        offers: What the app declares; ``None`` to find out at the request.
        inside: The functions that are being read, a dependency behind what depends on it.
    """

    names: tuple[str, ...]
    elsewhere: frozenset[str]
    offers: Offers | None
    inside: tuple[Any, ...] = ()


def parameters_of(
    function: Callable[..., object],
    names: tuple[str, ...],
    elsewhere: frozenset[str],
    offers: Offers | None,
    dependencies: Sequence[Depends] = (),
) -> Parameters:
    """Return what fills a call of a handler.

    Args:
        function: The handler.
        names: The path parameters of the route, in order.
        elsewhere: Path parameters that other routes of the handler have.
        offers: What the app declares; ``None`` to find out at the request.
        dependencies: What is called before it, and gives it nothing.

    Raises:
        TypeError: A parameter cannot be filled from a request or by the app.
    """
    return _parameters(function, _Scope(names, elsewhere, offers), dependencies)


def _parameters(
    function: Callable[..., object], scope: _Scope, dependencies: Sequence[Depends] = ()
) -> Parameters:
    role = "dependency" if scope.inside else "handler"
    where = f"{role} {name_of(function)}"
    if function in scope.inside:
        raise TypeError(f"{where} depends on itself")
    scope = attrs.evolve(scope, inside=(*scope.inside, function))
    hints = hints_of(function)
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as error:
        raise TypeError(f"{where}: {error}") from error
    arguments = []
    for dependency in dependencies:
        try:
            called = _dependency(dependency, scope)
        except TypeError as error:
            raise TypeError(f"{where}: dependencies of its route: {error}") from error
        called.passed = False
        arguments.append(called)
    groups: dict[str, dict[str, Field]] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{where}: {parameter} cannot be filled from a request")
        hint = hints.get(parameter.name, parameter.empty)
        has_default = parameter.default is not parameter.empty
        if has_default and parameter.name in scope.elsewhere and parameter.name not in scope.names:
            continue
        try:
            if scope.offers is not None:
                check_offered(hint, parameter.default, scope.offers)
                check_event(hint, scope.offers.event)
            depends = _depends(parameter, hint)
            if depends is not None:
                argument: Argument | None = _dependency(depends, scope)
            elif (source := _source_of(parameter, hint, scope.names)) is not None:
                if scope.offers is not None and scope.offers.event is not None:
                    raise TypeError(
                        f"{scope.offers.event.__name__} has no {source}; take the event itself, or "
                        f"its payload as Json[...]"
                    )
                _add_field(parameter, hint, source, groups)
                continue
            else:
                argument = _argument(parameter, hint, scope.names)
        except TypeError as error:
            raise TypeError(f"{where}: parameter {parameter.name!r}: {error}") from error
        if argument is None:
            _refuse(where, parameter, hint, scope.names)
        # Whatever follows a parameter that is left to its default goes by name.
        by_name = (scope.elsewhere or groups) and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        if by_name or parameter.kind is parameter.KEYWORD_ONLY:
            argument.keyword = parameter.name
        arguments.append(argument)
    if role == "handler":
        _check_path_is_taken(where, scope.names, hints, parameters, groups.get("query", {}))
    readers = [
        (_PAIRS[source], arguments_reader(fields, _FAILURES[source]), source == "form")
        for source, fields in groups.items()
    ]
    return Parameters(arguments, readers)


def sends_requests(function: Callable[..., object]) -> bool:
    """Tell whether a handler, or what it depends on, asks for ``Outbound``, and so its component
    for the network.
    """
    if Outbound in hints_of(function).values():
        return True
    hints = hints_of(function)
    found = [
        _depends(parameter, hints.get(parameter.name))
        for parameter in inspect.signature(function).parameters.values()
    ]
    calls = [depends.call for depends in found if depends is not None]
    return any(sends_requests(call) for call in calls if callable(call))


def _depends(parameter: inspect.Parameter, hint: Any) -> Depends | None:
    found = parameter.default if isinstance(parameter.default, Depends) else None
    if found is None and get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, Depends):
                found = extra
    if found is not None and found.call is None:
        return Depends(get_args(hint)[0] if get_origin(hint) is Annotated else hint)
    return found


def _dependency(depends: Depends, scope: _Scope) -> Argument:
    call = depends.call
    if not callable(call) or call is inspect.Parameter.empty:
        raise TypeError(f"Depends takes a function, got {call!r}")
    if scope.offers is not None:
        call = scope.offers.overrides.get(call, call)
    return Dependency(call, _parameters(call, scope), is_async(call)).argument


def _argument(parameter: inspect.Parameter, hint: Any, names: tuple[str, ...]) -> Argument | None:
    """Choose what fills a parameter; ``None`` when nothing does."""
    if parameter.name in names and marker_of(hint) is None:
        return path_value(parameter, hint, names.index(parameter.name))
    if hint is parameter.empty:
        return Argument(request_itself) if parameter.name == "request" else None
    hint, nullable = without_none(hint)
    absent = parameter.default
    if absent is parameter.empty:
        absent = None if nullable else MISSING
    if is_event(hint):
        return Argument(event_itself)
    if hint is Request:
        return Argument(request_itself)
    if hint is Headers:
        return Argument(headers)
    if hint is Outbound:
        return Argument(outbound)
    if hint is BackgroundTasks:
        return Argument(background)
    for kind, attribute, _ in STORE_KINDS:
        if kind_of(hint) == kind:
            return Argument(registry(attribute, absent))
    marker = marker_of(hint)
    return None if marker is None else marked(marker.source, get_args(hint)[0], absent)


def _source_of(parameter: inspect.Parameter, hint: Any, names: tuple[str, ...]) -> str | None:
    """Return where a parameter that is one field is read: ``query``, ``form``, ``header`` or
    ``cookie``; ``None`` for any other parameter.
    """
    if parameter.name in names or hint is parameter.empty:
        return None
    marker = marker_of(hint)
    if marker is not None and marker.source in ("header", "cookie"):
        return marker.source
    # What no query can hold and a form can is a file.
    for source in ("query", "form") if marker is None else (marker.source,):
        if source in ("query", "form") and _field(parameter, hint, source) is not None:
            return source
    return None


def _field(parameter: inspect.Parameter, hint: Any, source: str) -> Field | None:
    return field_of(parameter.name, hint, parameter.default, _FAILURES[source])


def _add_field(
    parameter: inspect.Parameter, hint: Any, source: str, groups: dict[str, dict[str, Field]]
) -> None:
    field = _field(parameter, hint, source)
    if field is None:
        raise TypeError(f"text of a {source} cannot become {spelled(get_args(hint)[0])}")
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
    markers = [marker.source for hint in hints.values() if (marker := marker_of(hint))]
    if not left or "path" in markers or Request in hints.values() or "request" in taken:
        return
    required = [field.argument for field in query.values() if field.required]
    if required:
        raise TypeError(
            f"{where}: no parameter takes {{{left[0]}}} of the path, and "
            f"{required[0]!r} would be read from the query; give both one name"
        )


def _refuse(
    where: str, parameter: inspect.Parameter, hint: Any, names: tuple[str, ...]
) -> NoReturn:
    name = parameter.name
    if hint is parameter.empty:
        problem = f"cannot inject `{name}`: it has no annotation"
    elif name in names:
        problem = f"cannot inject `{name}: {spelled(hint)}`: text of the path cannot become it"
    else:
        problem = f"cannot inject `{name}: {spelled(hint)}`"
        if is_model(hint):
            problem += f"; for the body write Json[{spelled(hint)}] or Form[{spelled(hint)}]"
    raise TypeError(
        f"{where}: {problem}. A parameter is named after one of the path "
        f"({', '.join(names) or 'this route has none'}), is a field of the query (str, int, float, "
        f"bool, a date, UUID, Decimal, enum, Literal, or a list of these), or is annotated with "
        f"Request, Headers, Json[...], Form[...], Query[...], PathParams[...], Header[...], "
        f"Cookie[...], Depends(...), AppConfig[...], State[...], Kv, Config, Secrets, "
        f"Sqlite, Redis, Postgres, MySql, Outbound, UploadFile or BackgroundTasks"
    )
