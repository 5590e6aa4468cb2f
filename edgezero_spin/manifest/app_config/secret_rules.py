"""Rules for the fields of a configuration that name secrets.

Spin has one secret store: its variables, whose names are lower case. So a key has to be the
name of a variable once it is lower-cased, and no two keys may become the same name.

Source: contract edgezero.md, SAN-5 to SAN-13.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from edgezero_spin.environment import ascii_lower
from edgezero_spin.manifest.app_config.secret_words import quoted_reference
from edgezero_spin.manifest.errors import Problem
from edgezero_spin.manifest.keys import join_key
from edgezero_spin.manifest.spin.identifiers import snake_fault
from edgezero_spin.stores import SecretField, StoreIds
from edgezero_spin.stores.secret_places import SecretPlace, secret_places

__all__ = ["check_secrets"]

_GIVE_A_NAME: Final = "Give the name of a secret, as text."


def check_secrets(
    tree: Mapping[str, Any], fields: Iterable[SecretField], stores: StoreIds | None
) -> list[Problem]:
    """Return what is wrong with the secrets that a configuration names.

    Args:
        tree: The root table, with the overrides of the environment.
        fields: The marked fields of its model.
        stores: ``[stores.secrets]`` of the app; ``None`` when there is none.
    """
    problems: list[Problem] = []
    names: dict[str, SecretPlace] = {}
    for field in fields:
        if len(field.path) == 1 and not field.optional and field.name not in tree:
            problems.append(_not_a_name(field, field.name))
        for place in secret_places(tree, field):
            if not isinstance(place.value, str):
                problems.append(_not_a_name(field, place.place))
            elif not place.value:
                reason = f"secret field `{place.place}` must be non-empty"
                problems.append(Problem(place.place, reason, "Give the name of a secret."))
            elif field.kind == "store_ref":
                problems.extend(_check_store(place.place, place.value, stores))
            else:
                problems.extend(_check_key(place, stores, names))
    return problems


def _not_a_name(field: SecretField, place: str) -> Problem:
    level = " at the top level" if len(field.path) == 1 else ""
    reason = f"secret field `{place}` is missing or not a string{level}"
    return Problem(join_key("", place) if level else place, reason, _GIVE_A_NAME)


def _check_store(place: str, value: str, stores: StoreIds | None) -> Iterable[Problem]:
    if stores is None:
        yield _undeclared(place)
    elif value not in stores.ids:
        known = ", ".join(stores.ids)
        reason = f"secret store {quoted_reference(value)} is not in [stores.secrets].ids ({known})"
        yield Problem(place, reason, "Name a declared store, or declare this one.")


def _check_key(
    found: SecretPlace, stores: StoreIds | None, names: dict[str, SecretPlace]
) -> Iterable[Problem]:
    place, value = found.place, found.value
    if stores is None:
        yield _undeclared(place)
    name = ascii_lower(value)
    fault = snake_fault(name, lower=True)
    if fault is not None:
        shown = quoted_reference(value)
        reason = f"secret field `{place}`: {shown} cannot be a Spin variable: {fault}"
        yield Problem(place, reason, "Name the secret as its variable is named in spin.toml.")
        return
    twin = names.setdefault(name, found)
    # Items of one list may well share a secret.
    if twin is not found and (twin.field, twin.value) != (found.field, value):
        reason = (
            f"secret field `{place}` collides with `{twin.place}`: both are the variable {name!r}"
        )
        yield Problem(place, reason, "Give each secret a variable of its own.")


def _undeclared(place: str) -> Problem:
    reason = f"secret field `{place}` requires [stores.secrets] in edgezero.toml"
    return Problem(place, reason, 'Declare it: [stores.secrets] with ids = ["default"].')
