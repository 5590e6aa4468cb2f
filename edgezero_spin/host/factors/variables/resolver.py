"""Resolver of the values of a component's variables.

A component reads the names of its own ``variables`` table. Each is a template over the
variables of the application, and those come from the providers in order, or from their
defaults. Values are looked up at every call.

Source: contract spin-host.md, VAR-1 to VAR-11.
"""

from collections.abc import Mapping, Sequence

import attrs

from edgezero_spin.host.factors.variables.errors import (
    ProviderError,
    VariableError,
    VariableSetupError,
)
from edgezero_spin.host.factors.variables.providers import DEFAULT_PREFIX, VariableProvider
from edgezero_spin.manifest.spin.locked_app import LockedApp, LockedVariable
from edgezero_spin.manifest.spin.templates import TemplateError, VariableTemplate, parse_template

__all__ = ["DescribedVariable", "VariableResolver", "name_fault"]

_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


def name_fault(name: str) -> str | None:
    """Say why a text is not a name of a variable; ``None`` when it is one (VAR-10)."""
    if not name:
        return "must not be empty"
    for letter in name:
        if letter not in _NAME_LETTERS:
            return (
                f"invalid character '{letter}'. Variable names may contain only lower-case "
                "letters, numbers, and underscores."
            )
    if not name[0].isalpha():
        return "must start with a lowercase ASCII letter"
    if name.endswith("_"):
        return "must end with a lowercase ASCII letter or digit"
    if "__" in name:
        return "must not contain multiple consecutive underscores"
    return None


@attrs.frozen(repr=False)
class DescribedVariable:
    """A variable of a component, for people.

    Attributes:
        value: Its value now; ``None`` where it has none.
        secret: Whether a secret is part of it, so that the value should not be shown.
        problem: Why it has no value.
    """

    name: str
    value: str | None
    secret: bool
    problem: str | None


class VariableResolver:
    """The variables of one application. May be asked from any thread.

    Attributes:
        remote: Some of them come from another machine, which may take its time.
    """

    def __init__(
        self,
        variables: Mapping[str, LockedVariable],
        components: Mapping[str, Mapping[str, str]],
        providers: Sequence[VariableProvider] = (),
    ) -> None:
        """Parse every template.

        Args:
            variables: Of the application, by name.
            components: Component id to the templates of its variables.
            providers: Asked in this order.

        Raises:
            VariableSetupError: A name, a template or a variable in it is wrong; it names
                them all.
        """
        self._variables = dict(variables)
        self._providers = tuple(providers)
        self.remote = any(getattr(provider, "remote", False) for provider in self._providers)
        self._templates: dict[str, dict[str, VariableTemplate]] = {}
        problems = [
            f'invalid variable name: "{name}": {fault}'
            for name in variables
            if (fault := name_fault(name)) is not None
        ]
        for id, templates in components.items():
            self._templates[id] = {}
            for name, text in templates.items():
                try:
                    self._templates[id][name] = self._checked(name, text)
                except ValueError as err:
                    problems.append(f"component `{id}`, variable `{name}`: {err}")
        if problems:
            raise VariableSetupError(*problems)

    @classmethod
    def for_app(cls, app: LockedApp, providers: Sequence[VariableProvider]) -> "VariableResolver":
        """Return the resolver of a locked application.

        Raises:
            VariableSetupError: As for the constructor.
        """
        components = {component.id: component.config for component in app.components}
        return cls(app.variables, components, providers)

    def check_required(self) -> None:
        """Make sure that every variable can have a value.

        Raises:
            VariableSetupError: Variables without a default that no provider has.
        """
        missing: list[str] = []
        failures: list[str] = []
        for name, variable in self._variables.items():
            if variable.default is not None:
                continue
            try:
                if self._provided(name) is None:
                    missing.append(name)
            except ProviderError as err:
                missing.append(name)
                failures.append(str(err))
        if not missing:
            return
        first = missing[0]
        raise VariableSetupError(
            f"no provider resolved required variable(s): {', '.join(missing)}. "
            f"Set {DEFAULT_PREFIX}_{first.upper()} or pass --variable {first}=..., for each.",
            *dict.fromkeys(failures),
        )

    def get(self, component_id: str, name: str) -> str:
        """Return the value of a component's variable.

        Raises:
            VariableError: It has none; the case says why.
        """
        template = self._templates.get(component_id, {}).get(name)
        if template is None:
            fault = name_fault(name)
            if fault is not None:
                raise VariableError("invalid-name", f"{_quoted(name)}: {fault}")
            raise VariableError(
                "undefined", f"no variable for {_quoted(component_id)}.{_quoted(name)}"
            )
        return template.render(self._value_of)

    def get_all(self, component_id: str) -> dict[str, str]:
        """Return all variables of a component with their values.

        Raises:
            VariableError: One of them has none.
        """
        templates = self._templates.get(component_id, {})
        return {name: template.render(self._value_of) for name, template in templates.items()}

    def describe(self, component_id: str) -> list[DescribedVariable]:
        """Return what there is to show of a component's variables, in order."""
        described = []
        for name, template in self._templates.get(component_id, {}).items():
            secret = any(self._variables[used].secret for used in template.names)
            value = problem = None
            try:
                value = template.render(self._value_of)
            except VariableError as error:
                problem = error.message
            described.append(DescribedVariable(name, value, secret, problem))
        return described

    def render(self, text: str) -> str:
        """Fill in a template over the application's variables.

        Raises:
            VariableError: It is not a template, or a variable in it has no value.
        """
        try:
            template = parse_template(text)
        except TemplateError as err:
            raise VariableError("other", f"invalid variable template: {err}") from None
        return template.render(self._value_of)

    def _checked(self, name: str, text: str) -> VariableTemplate:
        fault = name_fault(name)
        if fault is not None:
            raise ValueError(f'invalid variable name: "{name}": {fault}')
        try:
            template = parse_template(text)
        except TemplateError as err:
            raise ValueError(f"invalid variable template: {err}") from None
        for used in template.names:
            if used not in self._variables:
                raise ValueError(f"invalid variable template: unknown variable {_quoted(used)}")
        return template

    def _value_of(self, name: str) -> str:
        variable = self._variables.get(name)
        if variable is None:
            raise VariableError(
                "other", f"invalid variable template: unknown variable {_quoted(name)}"
            )
        try:
            value = self._provided(name)
        except ProviderError as err:
            raise VariableError("provider", str(err)) from err
        if value is not None:
            return value
        if variable.default is None:
            raise VariableError(
                "provider", f"no provider resolved required variable {_quoted(name)}"
            )
        return variable.default

    def _provided(self, name: str) -> str | None:
        for provider in self._providers:
            value = provider.get(name)
            if value is not None:
                return value
        return None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'
