"""Marks of secret fields: what they say, and where they are refused."""

import json
from collections.abc import Callable
from typing import Annotated

import attrs
import pytest

from edgezero_spin.stores import (
    Alias,
    SecretField,
    config_model,
    refuses_unknown_fields,
    secret,
    secret_fields,
)
from edgezero_spin.stores.config_model import EACH
from edgezero_spin.stores.secret_places import secret_places, with_secrets, without_secrets


@attrs.frozen(kw_only=True)
class Inner:
    """A model inside another."""

    deep: bool = False


@config_model
@attrs.frozen(kw_only=True)
class Model:
    """Every sort of field."""

    vault: str = secret(store_ref=True)
    greeting: str = "hi"
    inner: Inner | None = None
    api_token: str = secret()


def test_marks_are_told_in_the_order_of_the_class() -> None:
    """Kind and name of each marked field, and of no other."""  # SAN-1, SAN-4
    assert secret_fields(Model) == (
        SecretField("store_ref", "vault"),
        SecretField("secret", "api_token"),
    )


def test_a_marked_field_is_an_ordinary_required_text() -> None:
    """The class works as attrs made it; the mark has no default to fall back on."""
    assert Model(vault="default", api_token="api_token").api_token == "api_token"
    with pytest.raises(TypeError, match="api_token"):
        Model(vault="default")


def test_only_the_decorated_class_refuses_unknown_fields() -> None:
    """Strictness is asked for."""  # APC-4
    assert refuses_unknown_fields(Model)
    assert not refuses_unknown_fields(Inner)


@attrs.frozen
class Mirror:
    """A model in a list."""

    url: str
    token: str | None = secret(default=None)


@attrs.frozen(kw_only=True)
class Deep:
    """Secrets at every depth."""

    vault: str = secret(store_ref=True)
    key: str = secret(store="vault")
    mirrors: list[Mirror] = attrs.Factory(list)
    by_name: Annotated[dict[str, Mirror], Alias("by-name")] = attrs.Factory(dict)
    tokens: tuple[str, ...] | None = secret(default=None)


def test_marks_are_found_at_every_depth() -> None:
    """In lists, tables and what may be missing, each with its path in the file."""  # SAN-3
    assert secret_fields(Deep) == (
        SecretField("store_ref", "vault"),
        SecretField("secret", "key", store="vault"),
        SecretField("secret", "mirrors[*].token", ("mirrors", EACH, "token"), optional=True),
        SecretField("secret", "by-name[*].token", ("by-name", EACH, "token"), optional=True),
        SecretField("secret", "tokens[*]", ("tokens", EACH), optional=True),
    )


TREE = {
    "vault": "prod",
    "key": "k",
    "mirrors": [{"url": "a", "token": "t"}, {"url": "b", "token": None}, {"url": "c"}],
    "by-name": {"x": {"url": "d", "token": "u"}},
    "tokens": ["v", 7],
}


def test_places_of_secrets_in_a_tree() -> None:
    """Every name, with its index and the store beside it; nothing where nothing is."""
    found = [place for field in secret_fields(Deep) for place in secret_places(TREE, field)]
    assert [(place.place, place.value, place.store) for place in found] == [
        ("vault", "prod", None),
        ("key", "k", "prod"),
        ("mirrors[0].token", "t", None),
        ("by-name.x.token", "u", None),
        ("tokens[0]", "v", None),
        ("tokens[1]", 7, None),
    ]


def test_a_tree_without_and_with_secrets() -> None:
    """Names are left out, or replaced, and the tree that was given stays as it is."""
    before = json.dumps(TREE)
    assert without_secrets(TREE, secret_fields(Deep)) == {
        "mirrors": [{"url": "a"}, {"url": "b"}, {"url": "c"}],
        "by-name": {"x": {"url": "d"}},
    }
    filled = with_secrets(TREE, {"mirrors[0].token": "T", "by-name.x.token": "U", "tokens[0]": "V"})
    assert filled["mirrors"][0] == {"url": "a", "token": "T"}
    assert (filled["by-name"]["x"]["token"], filled["tokens"]) == ("U", ["V", 7])
    assert json.dumps(TREE) == before


def test_a_list_of_secrets_has_a_default_of_its_own() -> None:
    """As a field of attrs has it with ``factory``."""

    @config_model
    @attrs.frozen
    class Keys:
        names: list[str] = secret(factory=list)

    assert secret_fields(Keys) == (SecretField("secret", "names[*]", ("names", EACH)),)
    assert Keys().names == []
    assert Keys().names is not Keys().names


def number() -> type:
    """A mark on a field that is not text."""

    @attrs.frozen
    class Wrong:
        token: int = secret()

    return Wrong


def several() -> type:
    """A mark on a list of lists."""

    @attrs.frozen
    class Wrong:
        token: list[list[str]] = secret()

    return Wrong


def renamed() -> type:
    """A mark on a field with another name in the file."""

    @attrs.frozen
    class Wrong:
        token: Annotated[str, Alias("Token")] = secret()

    return Wrong


def storeless() -> type:
    """A secret of a store that no field beside it names."""

    @attrs.frozen
    class Wrong:
        vault: str
        token: str = secret(store="vault")

    return Wrong


def skipped() -> type:
    """A mark on a field that no file sets."""

    @attrs.frozen
    class Wrong:
        token: str = attrs.field(init=False, metadata=secret().metadata)

    return Wrong


@attrs.frozen
class Section:
    """A model with a secret, for others to be inside of."""

    token: str = secret()


@attrs.frozen
class Node:
    """A model with a secret that is inside itself."""

    token: str = secret()
    children: "list[Node]" = attrs.Factory(list)


def ambiguous() -> type:
    """A mark in one of several models."""

    @attrs.frozen
    class Wrong:
        part: Section | Inner

    return Wrong


def unresolved() -> type:
    """An annotation that names nothing."""

    @attrs.frozen
    class Wrong:
        token: "Nowhere" = secret()  # type: ignore[name-defined]  # noqa: F821

    return Wrong


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(number, "annotated `str`, not <class 'int'>", id="number"),
        pytest.param(several, "annotated `str`", id="list of lists"),
        pytest.param(renamed, "same name in the file", id="renamed"),
        pytest.param(storeless, r"no field 'vault' beside it", id="no store"),
        pytest.param(skipped, "init=False", id="skipped"),
        pytest.param(ambiguous, r"Wrong\.part: secret fields cannot be told", id="ambiguous"),
        pytest.param(lambda: Node, r"children: .* cannot be inside itself", id="inside itself"),
        pytest.param(unresolved, "annotation of .*Wrong cannot be resolved", id="unresolved"),
        pytest.param(lambda: dict, "is not an attrs class", id="no model"),
    ],
)
def test_a_misplaced_mark_is_an_error_of_the_definition(
    make: Callable[[], type], message: str
) -> None:
    """The module of the app cannot even be imported with one."""  # SAN-2, SAN-3, GEN-8
    with pytest.raises(TypeError, match=message):
        config_model(make())


def test_other_arguments_are_an_error_of_the_definition() -> None:
    """There is nothing else to say about a secret field."""  # SAN-2
    with pytest.raises(TypeError):
        secret(kind="password")  # type: ignore[call-arg]


def test_a_model_may_contain_itself() -> None:
    """The look-out for marks ends."""
    assert secret_fields(Tree) == ()


@attrs.frozen
class Tree:
    """A model inside itself."""

    children: "list[Tree]" = attrs.field(factory=list)


@pytest.mark.parametrize("given", ["vault", "", 1, None])
def test_a_store_is_not_named_in_the_model(given: object) -> None:
    """``secret(store_ref="vault")`` is a mistake in the program, not a true value."""
    with pytest.raises(TypeError, match=r"store_ref is True or False, not "):
        secret(store_ref=given)  # type: ignore[arg-type]
