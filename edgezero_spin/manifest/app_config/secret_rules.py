"""Check the fields of a configuration that name secrets.

Spin has one secret store: its variables, whose names are lower case. So a key has to be the
name of a variable once it is lower-cased, and no two keys may become the same name.

Source: contract edgezero.md, SAN-5 to SAN-13.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from edgezero_spin.environment import ascii_lower
from edgezero_spin.manifest.app_config.secret_words import quoted_reference
from edgezero_spin.manifest.errors import Problem
from edgezero_spin.manifest.keys import join_key
from edgezero_spin.manifest.spin.identifiers import snake_fault
from edgezero_spin.stores import SecretField, StoreIds

__all__ = ["check_secrets"]


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
    names: dict[str, str] = {}
    for field in fields:
        place = join_key("", field.name)
        value = tree.get(field.name)
        if not isinstance(value, str):
            reason = f"secret field `{field.name}` is missing or not a string at the top level"
            problems.append(Problem(place, reason, "Give the name of a secret, as text."))
        elif not value:
            reason = f"secret field `{field.name}` must be non-empty"
            problems.append(Problem(place, reason, "Give the name of a secret."))
        elif field.kind == "store_ref":
            problems.extend(_check_store(field.name, place, value, stores))
        else:
            problems.extend(_check_key(field.name, place, value, stores, names))
    return problems


def _check_store(field: str, place: str, value: str, stores: StoreIds | None) -> Iterable[Problem]:
    if stores is None:
        yield _undeclared(field, place)
    elif value not in stores.ids:
        known = ", ".join(stores.ids)
        reason = f"secret store {quoted_reference(value)} is not in [stores.secrets].ids ({known})"
        yield Problem(place, reason, "Name a declared store, or declare this one.")


def _check_key(
    field: str, place: str, value: str, stores: StoreIds | None, names: dict[str, str]
) -> Iterable[Problem]:
    if stores is None:
        yield _undeclared(field, place)
    name = ascii_lower(value)
    fault = snake_fault(name, lower=True)
    if fault is not None:
        shown = quoted_reference(value)
        reason = f"secret field `{field}`: {shown} cannot be a Spin variable: {fault}"
        yield Problem(place, reason, "Name the secret as its variable is named in spin.toml.")
        return
    twin = names.setdefault(name, field)
    if twin != field:
        reason = f"secret field `{field}` collides with `{twin}`: both are the variable {name!r}"
        yield Problem(place, reason, "Give each secret a variable of its own.")


def _undeclared(field: str, place: str) -> Problem:
    reason = f"secret field `{field}` requires [stores.secrets] in edgezero.toml"
    return Problem(place, reason, 'Declare it: [stores.secrets] with ids = ["default"].')
