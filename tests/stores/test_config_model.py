"""Marks of secret fields: what they say, and where they are refused."""

from collections.abc import Callable

import attrs
import pytest

from edgezero_spin.stores import (
    SecretField,
    config_model,
    refuses_unknown_fields,
    secret,
    secret_fields,
)


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


def number() -> type:
    """A mark on a field that is no text."""

    @attrs.frozen
    class Wrong:
        token: int = secret()

    return Wrong


def optional() -> type:
    """A mark on a text that may be missing."""

    @attrs.frozen
    class Wrong:
        token: str | None = secret()

    return Wrong


def skipped() -> type:
    """A mark on a field that no file sets."""

    @attrs.frozen
    class Wrong:
        token: str = attrs.field(init=False, metadata=secret().metadata)

    return Wrong


def nested() -> type:
    """A mark inside a model that stands in a list of another."""

    @attrs.frozen
    class Section:
        token: str = secret()

    @attrs.frozen
    class Wrong:
        sections: list[Section] | None = None

    # Annotations of a local class are found through the class itself.
    Wrong.__annotations__["sections"] = list[Section] | None
    return Wrong


def unresolved() -> type:
    """An annotation that names nothing."""

    @attrs.frozen
    class Wrong:
        token: "Nowhere" = secret()  # type: ignore[name-defined]  # noqa: F821, RUF009

    return Wrong


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(number, "annotated `str`, not <class 'int'>", id="number"),
        pytest.param(optional, "annotated `str`", id="optional"),
        pytest.param(skipped, "init=False", id="skipped"),
        pytest.param(nested, r"Wrong\.sections\.token: .* top level", id="nested"),
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
