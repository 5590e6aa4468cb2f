"""Variables as a guest asks for them: values, their order, and the exact errors."""

from collections.abc import Mapping

import pytest

from edgezero_spin.host.factors.variables.errors import (
    ProviderError,
    VariableError,
    VariableSetupError,
)
from edgezero_spin.host.factors.variables.providers import StaticProvider, VariableProvider
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.manifest.spin import LockedVariable


class Broken:
    """A provider that cannot be reached."""

    def get(self, name: str) -> str | None:
        """Fail."""
        raise ProviderError("out of order")


def resolver(
    templates: Mapping[str, str],
    *providers: VariableProvider,
    **defaults: str | None,
) -> VariableResolver:
    """A resolver for one component ``c`` over variables with these defaults."""
    variables = {name: LockedVariable(default=value) for name, value in defaults.items()}
    return VariableResolver(variables, {"c": templates}, providers)


def error_of(found: VariableResolver, name: str, component: str = "c") -> tuple[str, str]:
    """Case and message of the error that a name gives."""
    with pytest.raises(VariableError) as caught:
        found.get(component, name)
    return caught.value.case, caught.value.message


def test_templates_are_rendered() -> None:
    """A component's variable is text over the application's variables."""
    found = resolver({"url": "http://{{ host }}:{{ port }}/", "fix": "x"}, host="h", port="80")
    assert found.get("c", "url") == "http://h:80/"  # VAR-1
    assert found.get("c", "fix") == "x"  # CONF-19
    assert found.get_all("c") == {"url": "http://h:80/", "fix": "x"}  # VAR-13
    assert found.get_all("other") == {}


def test_the_first_provider_with_a_value_wins() -> None:
    """Providers are asked in order, the default comes last."""
    first, second = StaticProvider({"a": "1"}), StaticProvider({"a": "2", "b": "2"})
    found = resolver(
        {"a": "{{ a }}", "b": "{{ b }}", "c": "{{ c }}"}, first, second, a="d", b="d", c="d"
    )
    assert [found.get("c", name) for name in "abc"] == ["1", "2", "d"]  # VAR-4


def test_values_are_looked_up_at_every_call() -> None:
    """A provider may change its mind."""
    values = iter(["1", "2"])

    class Counting:
        def get(self, name: str) -> str | None:
            return next(values)

    found = resolver({"v": "{{ v }}"}, Counting(), v="d")
    assert [found.get("c", "v"), found.get("c", "v")] == ["1", "2"]  # VAR-6


def test_a_failing_provider_stops_the_chain() -> None:
    """Neither later providers nor the default hide a failure."""
    found = resolver({"v": "{{ v }}"}, Broken(), StaticProvider({"v": "x"}), v="d")
    assert error_of(found, "v") == ("provider", "out of order")  # VAR-8


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "must not be empty"),
        (
            "invalid-name",
            "invalid character '-'. Variable names may contain only lower-case letters, "
            "numbers, and underscores.",
        ),
        (
            "Upper",
            "invalid character 'U'. Variable names may contain only lower-case letters, "
            "numbers, and underscores.",
        ),
        ("4invalidname", "must start with a lowercase ASCII letter"),
        ("_x", "must start with a lowercase ASCII letter"),
        ("x_", "must end with a lowercase ASCII letter or digit"),
        ("a__b", "must not contain multiple consecutive underscores"),
    ],
)
def test_invalid_names(name: str, reason: str) -> None:
    """A name that can never exist says which rule it breaks."""
    assert error_of(resolver({}), name) == ("invalid-name", f'"{name}": {reason}')  # VAR-10


@pytest.mark.parametrize("component", ["c", "without"])
def test_undefined_names(component: str) -> None:
    """Only the component's own names exist, the application's are not among them."""
    found = resolver({"v": "x"}, app="y")
    expected = ("undefined", f'no variable for "{component}"."app"')  # VAR-1, VAR-11, VAR-15
    assert error_of(found, "app", component) == expected


def test_a_required_variable_without_a_value() -> None:
    """Nothing to give is a failure of the providers, told before the first request too."""
    found = resolver({"v": "{{ needed }}"}, StaticProvider({}), needed=None, also=None, fine="d")
    assert error_of(found, "v") == (
        "provider",
        'no provider resolved required variable "needed"',
    )
    with pytest.raises(VariableSetupError) as caught:
        found.check_required()  # VAR-7
    assert str(caught.value) == (
        "no provider resolved required variable(s): needed, also. "
        "Set SPIN_VARIABLE_NEEDED or pass --variable needed=..., for each."
    )


def test_required_variables_that_have_values() -> None:
    """The check passes when some provider has each of them."""
    resolver({}, StaticProvider({"a": ""}), a=None, b="d").check_required()


def test_the_check_tells_why_a_provider_failed() -> None:
    """A variable that a broken provider might have is reported with its failure."""
    with pytest.raises(VariableSetupError, match=r"required variable\(s\): a(.|\n)*out of order"):
        resolver({}, Broken(), a=None).check_required()


def test_templates_are_checked_at_the_start() -> None:
    """Unknown variables, open braces and bad names are reported together."""
    with pytest.raises(VariableSetupError) as caught:
        resolver({"a": "{{ gone }}", "b": "{{ open", "c__d": "x"}, known="")
    assert caught.value.problems == (  # VAR-2, VAR-3
        'component `c`, variable `a`: invalid variable template: unknown variable "gone"',
        "component `c`, variable `b`: invalid variable template: unmatched '{{' in template",
        'component `c`, variable `c__d`: invalid variable name: "c__d": must not contain '
        "multiple consecutive underscores",
    )


def test_other_texts_can_be_filled_in() -> None:
    """Templates outside of variables use the same values and errors."""
    found = resolver({}, StaticProvider({"h": "x"}), h="d", needed=None)
    assert found.render("redis://{{ h }}:1") == "redis://x:1"
    for text, case in [("{{ h", "other"), ("{{ gone }}", "other"), ("{{ needed }}", "provider")]:
        with pytest.raises(VariableError) as caught:
            found.render(text)
        assert caught.value.case == case
