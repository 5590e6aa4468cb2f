"""Grants of a ``spin.toml``, as far as a test can tell the difference.

In: a manifest. Out: per component its labels, variables, environment and the hosts it may
call. Native runs read it so that what Spin would refuse fails there too.

Source: contract spin-host.md, MAN-40 to MAN-60, KV-1, VAR-1 to VAR-11.
"""

from collections.abc import Mapping
from pathlib import Path

import attrs

from edgezero_spin.manifest.spin.allowed_hosts import is_blank_entry, parse_allowed_host
from edgezero_spin.manifest.spin.host_names import parse_host_name
from edgezero_spin.manifest.spin.schema import SpinManifest
from edgezero_spin.manifest.spin.templates import parse_template
from edgezero_spin.stores.backend import BackendError
from edgezero_spin.testing.errors import KitError, UnknownVariableError
from edgezero_spin.testing.outbound import DEFAULT_PORTS, is_self

__all__ = ["AppGrants", "ComponentGrants", "check_names", "grants_of"]


@attrs.frozen
class ComponentGrants:
    """What one component may use.

    Attributes:
        labels: Key-value labels that it may open.
        databases: Labels of SQLite databases that it may open.
        variables: Name to template.
        environment: Environment variables.
        outbound: Entries of ``allowed_outbound_hosts``; templates.
    """

    id: str
    labels: tuple[str, ...]
    databases: tuple[str, ...]
    variables: Mapping[str, str]
    environment: Mapping[str, str]
    outbound: tuple[str, ...]


@attrs.frozen
class AppGrants:
    """What one application has.

    Attributes:
        path: Of the manifest.
        components: By id.
        variables: Names of the application's variables to their defaults, ``None`` for
            one that has to be set.
    """

    path: Path
    components: Mapping[str, ComponentGrants]
    variables: Mapping[str, str | None]

    def one(self, component: str | None) -> ComponentGrants:
        """Return a component's grants; the id may be left out where there is one only.

        Raises:
            KitError: There is no such component, or there are several.
        """
        known = ", ".join(self.components)
        if component is None:
            if len(self.components) != 1:
                raise KitError(
                    f"{self.path} has several components ({known}): say which one the app is, "
                    f"with component=..."
                )
            return next(iter(self.components.values()))
        if component not in self.components:
            raise KitError(f"{self.path} has no component {component!r} (it has: {known})")
        return self.components[component]

    def check_set(
        self, variables: Mapping[str, str], secrets: Mapping[str, str], component: str | None = None
    ) -> None:
        """Make sure that names exist and that required variables are set.

        Args:
            variables: Of the application, as the test sets them.
            secrets: Of its components, likewise.
            component: The component that runs, so that its variables are needed; ``None`` for
                all.

        Raises:
            UnknownVariableError: A name is none.
            KitError: A required variable has no value.
        """
        running = [
            part for id, part in self.components.items() if component is None or id == component
        ]
        check_names(
            variables, self.variables, f"declare it in the table [variables] of {self.path}"
        )
        names = list(
            dict.fromkeys(name for part in self.components.values() for name in part.variables)
        )
        check_names(secrets, names, f"declare it in [component.ID.variables] of {self.path}")
        used = {
            name
            for part in running
            for variable, text in part.variables.items()
            if variable not in secrets
            for name in parse_template(text).names
        }
        missing = [
            name
            for name, default in self.variables.items()
            if default is None and name not in variables and name in used
        ]
        if missing:
            raise KitError(
                f"{self.path}: the variable {missing[0]!r} is required and has no value; give "
                f"variables={{{missing[0]!r}: ...}} to the client, to "
                "@pytest.mark.spin or by the fixture spin_preload"
            )

    def render(self, text: str, variables: Mapping[str, str]) -> str:
        """Fill in a template.

        Raises:
            BackendError: A variable in it has no value.
        """

        def value_of(name: str) -> str:
            value = variables.get(name, self.variables.get(name))
            if value is None:
                raise BackendError(f'no provider resolved required variable "{name}"')
            return value

        return parse_template(text).render(value_of)

    def allows(
        self, component: ComponentGrants, scheme: str, authority: str, variables: Mapping[str, str]
    ) -> bool:
        """Tell whether a component may send a request to a host (NET-1 to NET-12, CHAIN-2)."""
        name, colon, port = authority.rpartition(":")
        if not colon or authority.endswith("]"):
            name, port = authority, ""
        try:
            host = parse_host_name(name)
            number = int(port) if port else None
            filled = [self.render(text, variables) for text in component.outbound]
            entries = [
                entry
                for text in filled
                if not is_blank_entry(text)
                for entry in parse_allowed_host(text).expanded(tuple(self.components))
            ]
        except (BackendError, ValueError):
            return False
        if is_self(authority):
            return any(entry.allows_self(DEFAULT_PORTS) for entry in entries)
        return any(entry.allows(scheme, host, number) for entry in entries)


def check_names(
    given: Mapping[str, str], known: "Mapping[str, object] | list[str]", remedy: str
) -> None:
    """Raise ``UnknownVariableError`` for a name that nothing knows."""
    for name in given:
        if name not in known:
            raise UnknownVariableError(name, list(known), remedy)


def grants_of(manifest: SpinManifest) -> AppGrants:
    """Return what a manifest grants."""
    return AppGrants(
        manifest.path,
        {
            id: ComponentGrants(
                id,
                tuple(component.key_value_stores),
                tuple(component.sqlite_databases),
                dict(component.variables),
                dict(component.environment),
                tuple(component.allowed_outbound_hosts),
            )
            for id, component in manifest.components.items()
        },
        {name: variable.default for name, variable in manifest.variables.items()},
    )
