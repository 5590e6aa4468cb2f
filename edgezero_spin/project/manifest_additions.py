"""Put what a template adds into the text of a ``spin.toml``; every byte of it stays.

In: a ``spin.toml`` and rendered snippets. Out: its new text, checked: no component and no
route is taken over, and Spin still loads it.

Source: contract spin-host.md, TPL-4, TPL-13, ROUTE-10; edgezero.md, PRV-5.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.errors import ManifestError, ProjectError
from edgezero_spin.manifest.spin import parse_spin_manifest
from edgezero_spin.project.template_manifest import ProjectTemplate, SnippetKind
from edgezero_spin.project.toml_edit import editing, parse_document
from edgezero_spin.project.toml_merge import append_tables, merge_into_table

__all__ = ["SpinText", "read_spin_text"]


@attrs.frozen
class SpinText:
    """A ``spin.toml`` as text and as values.

    Attributes:
        path: The file.
        root: Its values; floats are not kept as such.
    """

    path: Path
    text: str
    root: Mapping[str, Any]

    @property
    def components(self) -> Mapping[str, Any]:
        """The tables of its components, by id."""
        declared = self.root.get("component")
        return declared if isinstance(declared, Mapping) else {}

    def check_version(self, template: ProjectTemplate) -> None:
        """Stop where manifest and template are not of version 2.

        Raises:
            ProjectError: One of them is of version 1.
        """
        if "spin_version" in self.root or self.root.get("spin_manifest_version") in (1, "1"):
            raise ProjectError(
                f"{self.path} is a manifest of version 1, to which no components can be added: "
                "bring it to spin_manifest_version = 2 first"
            )
        try:
            made = (template.folder / "content" / "spin.toml").read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            return
        # What the template makes is not TOML before it is rendered.
        if 'spin_manifest_version = "1"' in made and "spin_manifest_version = 2" not in made:
            raise ProjectError(f"template {template.id} is for manifests of version 1")

    def with_snippets(self, snippets: Mapping[SnippetKind, str]) -> "SpinText":
        """Return the manifest with a component.

        Raises:
            ProjectError: The text cannot be edited, something would be replaced, or what
                comes out is not a manifest for Spin.
        """
        text = self.text
        with editing(self.path):
            for kind, snippet in snippets.items():
                if kind == "variables":
                    text = merge_into_table(text, "variables", snippet)
                else:
                    text = append_tables(text, snippet)
            added = SpinText(self.path, text, parse_document(text))
        self._check_routes(added)
        if self._loads():
            try:
                parse_spin_manifest(added.text, self.path)
            except ManifestError as error:
                raise ProjectError(f"what the template adds cannot be used: {error}") from error
        return added

    def _check_routes(self, added: "SpinText") -> None:
        """Stop where a new component would be given the requests of another one."""
        before = self._routes()
        for route, component_id in added._routes()[len(before) :]:
            for taken, owner in before:
                if route == taken:
                    raise ProjectError(
                        f"{self.path}: route {route!r} is served by `{owner}`, and Spin would give "
                        f"its requests to `{component_id}`: choose another with --route"
                    )

    def _routes(self) -> list[tuple[object, object]]:
        triggers = self.root.get("trigger")
        http = triggers.get("http") if isinstance(triggers, Mapping) else None
        tables = http if isinstance(http, list) else []
        return [
            (table.get("route"), table.get("component"))
            for table in tables
            if isinstance(table, Mapping)
        ]

    def _loads(self) -> bool:
        try:
            parse_spin_manifest(self.text, self.path)
        except ManifestError:
            return False
        return True


def read_spin_text(path: Path) -> SpinText:
    """Read a ``spin.toml`` to add to it.

    Raises:
        ProjectError: It cannot be read, or is not TOML.
    """
    with editing(path):
        text = path.read_bytes().decode("utf-8")
        return SpinText(path, text, parse_document(text))
