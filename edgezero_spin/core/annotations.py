"""Annotations by which a handler's parameters are filled.

``note: Json[Note]`` is a ``Note`` to a type checker and to the handler; the marker beside it
tells the binder where the note comes from. ``Kv``, ``Config`` and ``Secrets`` are the
registries of the request, ``Sqlite``, ``Redis``, ``Postgres`` and ``MySql`` its databases.

Source: contract edgezero.md, EXT-1 to EXT-12; design.md, "The public API to aim for".
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias, TypeVar, get_args, get_origin

import attrs

from edgezero_spin.stores.config import ConfigStore
from edgezero_spin.stores.key_value import KeyValueStore
from edgezero_spin.stores.registry import Registry
from edgezero_spin.stores.secrets import SecretStore

__all__ = [
    "AppConfig",
    "Config",
    "Cookie",
    "Depends",
    "Form",
    "ForwardedHost",
    "Header",
    "Json",
    "Kv",
    "Marked",
    "Marker",
    "PathParams",
    "Query",
    "RequestHost",
    "Secrets",
    "State",
    "marker_of",
]

_T = TypeVar("_T")


@attrs.frozen
class Depends:
    """Gives a parameter what a function returns: ``user: Annotated[User, Depends(current_user)]``.

    The function has parameters of its own, filled like those of a handler. It is called once per
    request, however many ask for it. A generator function yields the value, and cleans up behind
    the ``yield`` when the handler has returned or raised.

    Attributes:
        call: The function, ``async`` or not, a generator function or a class; ``None`` for the
            class that the parameter is annotated with: ``page: Annotated[Page, Depends()]``.
    """

    call: Callable[..., Any] | None = None


class Marker:
    """Says where a parameter's value comes from.

    Attributes:
        source: ``json``, ``query``, ``form``, ``path``, ``header``, ``cookie``, ``state``,
            ``app_config``, ``host`` or ``forwarded_host``.
    """

    __slots__ = ("source",)

    def __init__(self, source: str) -> None:
        self.source = source

    def __repr__(self) -> str:
        return f"Marker({self.source!r})"


class Marked:
    """An annotation that takes a type: ``Json[Note]`` is ``Annotated[Note, Marker("json")]``."""

    __slots__ = ("_marker", "_name")

    def __init__(self, name: str, source: str) -> None:
        self._name = name
        self._marker = Marker(source)

    def __getitem__(self, kind: Any) -> Any:
        return Annotated[kind, self._marker]

    def __or__(self, other: Any) -> Any:
        return self[Any] | other

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(self.remedy)

    def __repr__(self) -> str:
        return self._name

    @property
    def remedy(self) -> str:
        """What to write instead of a call, as in other frameworks."""
        return (
            f"{self._name} takes a type in square brackets and the default stands behind it: "
            f"`name: {self._name}[int] = 1`; bounds and another name are put around it: "
            f"Annotated[{self._name}[int], Ge(1), Alias('other')]"
        )


if TYPE_CHECKING:
    Json: TypeAlias = Annotated[_T, Marker("json")]
    Query: TypeAlias = Annotated[_T, Marker("query")]
    Form: TypeAlias = Annotated[_T, Marker("form")]
    Header: TypeAlias = Annotated[_T, Marker("header")]
    Cookie: TypeAlias = Annotated[_T, Marker("cookie")]
    PathParams: TypeAlias = Annotated[_T, Marker("path")]
    State: TypeAlias = Annotated[_T, Marker("state")]
    AppConfig: TypeAlias = Annotated[_T, Marker("app_config")]
else:
    Json = Marked("Json", "json")
    """The body as JSON, checked and built: 400 when it does not fit, 422 when it breaks a rule."""

    Query = Marked("Query", "query")
    """The query string as a model of scalars, optional scalars and lists of scalars. A single
    field binds by its name, without a marker: ``page: int = 1``, ``tags: list[str]``."""

    Form = Marked("Form", "form")
    """The urlencoded body as such a model."""

    Header = Marked("Header", "header")
    """One header field as a scalar or a list of them: ``user_agent: Header[str]``."""

    Cookie = Marked("Cookie", "cookie")
    """One cookie as a scalar: ``session: Cookie[str | None]``."""

    PathParams = Marked("PathParams", "path")
    """All path parameters as such a model. A single one binds by its name."""

    State = Marked("State", "state")
    """The object of that type which the app was given with ``state=`` or ``with_state``."""

    AppConfig = Marked("AppConfig", "app_config")
    """The configuration that ``edgezero config push`` wrote: an attrs class, secrets filled in."""

RequestHost: TypeAlias = Annotated[str, Marker("host")]
"""The ``host`` header; ``localhost`` when it is missing or unreadable."""

ForwardedHost: TypeAlias = Annotated[str, Marker("forwarded_host")]
"""``x-forwarded-host``, else ``host``, else ``localhost``."""

Kv: TypeAlias = Registry[KeyValueStore]
"""The app's key-value stores: ``kv["notes"]``, ``kv.default``."""

Config: TypeAlias = Registry[ConfigStore]
"""The app's config stores."""

Secrets: TypeAlias = Registry[SecretStore]
"""The app's secret stores."""


def marker_of(hint: Any) -> Marker | None:
    """Return the marker of an annotation; ``None`` for one without.

    Raises:
        TypeError: The annotation is ``Annotated[int, Query]``, a marker without its type.
    """
    if get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, Marker):
                return extra
            if isinstance(extra, Marked):
                raise TypeError(extra.remedy)
    return None
