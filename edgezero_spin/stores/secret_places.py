"""Places of secrets in the tree of a configuration.

In: a tree of JSON or TOML values and the secret fields of its model. Out: each place that holds the
name of a secret, or a tree with something else in these places. What is absent has no place.

Source: contract edgezero.md, SAN-3, BLB-6.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from edgezero_spin.stores.config_model import EACH, SecretField

__all__ = ["SecretPlace", "secret_places", "with_secrets", "without_secrets"]


@attrs.frozen
class SecretPlace:
    """One place that names a secret.

    Attributes:
        place: Dotted, with indices: ``mirrors[1].token``.
        value: What is there: a text, unless the tree does not fit its model.
        store: The id of the store that is named beside it; ``None`` for the default store.
    """

    field: SecretField
    place: str
    value: Any
    store: Any = None


def secret_places(tree: Any, field: SecretField) -> Iterator[SecretPlace]:
    """Yield the places of one field."""
    yield from _places(tree, field, field.path, "", None)


def _places(
    node: Any, field: SecretField, path: tuple[str, ...], place: str, beside: Any
) -> Iterator[SecretPlace]:
    if not path:
        if node is not None or not field.optional:
            store = None if field.store is None else (beside or {}).get(field.store)
            yield SecretPlace(field, place, node, store)
        return
    step, rest = path[0], path[1:]
    if step == EACH:
        for key, item in _items(node):
            shown = f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}"
            yield from _places(item, field, rest, shown, beside)
    elif isinstance(node, Mapping) and step in node:
        shown = f"{place}.{step}" if place else step
        yield from _places(node[step], field, rest, shown, node)


def _items(node: Any) -> Iterable[tuple[int | str, Any]]:
    if isinstance(node, Mapping):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, list) else ()


def with_secrets(tree: Any, values: Mapping[str, str]) -> Any:
    """Return a tree in which some places have another value; the given one stays as it is.

    Args:
        values: The value by place.
    """
    if not values:
        return tree
    return _copy(tree, "", lambda place, value: values.get(place, value))


def without_secrets(tree: Any, fields: Iterable[SecretField]) -> Any:
    """Return a tree without its secret fields; the given one stays as it is."""
    for field in fields:
        tree = _without(tree, field.path)
    return tree


def _without(node: Any, path: tuple[str, ...]) -> Any:
    step, rest = path[0], path[1:]
    if step == EACH:
        if isinstance(node, Mapping):
            return {name: _without(item, rest) for name, item in node.items()}
        return [_without(item, rest) for item in node] if isinstance(node, list) else node
    if not isinstance(node, Mapping) or step not in node:
        return node
    if rest in ((), (EACH,)):
        return {name: item for name, item in node.items() if name != step}
    return {**node, step: _without(node[step], rest)}


def _copy(node: Any, place: str, replace: Callable[[str, Any], Any]) -> Any:
    if isinstance(node, Mapping):
        return {
            name: _copy(item, f"{place}.{name}" if place else name, replace)
            for name, item in node.items()
        }
    if isinstance(node, list):
        return [_copy(item, f"{place}[{index}]", replace) for index, item in enumerate(node)]
    return replace(place, node)
