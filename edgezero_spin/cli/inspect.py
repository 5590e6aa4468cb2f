"""``edgezero inspect``: what a component asks for, offers and weighs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.options import examples, spin_options

if TYPE_CHECKING:
    from edgezero_spin.project.inspection import Inspection

__all__ = ["inspect"]

SMALLEST_SHARE = 0.005


@click.command(
    epilog=examples("edgezero inspect app.wasm", "edgezero inspect app.wasm --json"),
    short_help="Show imports, exports and sizes of a component.",
)
@click.argument("component", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@spin_options
def inspect(component: Path, as_json: bool) -> None:
    """Show what a component imports and exports, its world, its size by part, and its makers.

    Works on components of any language; nothing runs.
    """
    from edgezero_spin.project.inspection import inspect_component

    found = inspect_component(component)
    if as_json:
        click.echo(json.dumps(found.to_value(), indent=2, ensure_ascii=False))
        return
    for line in _lines(found):
        click.echo(line)


def _lines(found: "Inspection") -> list[str]:
    lines = [f"{found.path}  {_mib(found.size_bytes)}"]
    if found.world is not None:
        lines.append(f"World: {found.world}")
    if found.spin is not None:
        lines.append(f"Needs: Spin {found.spin} or later")
    for title, names in (("Imports", found.imports), ("Exports", found.exports)):
        lines += ["", f"{title} ({len(names)}):", *(f"  {name}" for name in names)]
    lines += ["", "Size:"]
    shown = [part for part in found.parts if part.size_bytes >= found.size_bytes * SMALLEST_SHARE]
    for part in shown:
        inside = ""
        if part.code_bytes or part.data_bytes:
            inside = f"  (code {_mib(part.code_bytes)}, data {_mib(part.data_bytes)})"
        lines.append(f"  {_mib(part.size_bytes):>10}  {part.name}{inside}")
    rest = found.size_bytes - sum(part.size_bytes for part in shown)
    lines.append(f"  {_mib(rest):>10}  {len(found.parts) - len(shown)} smaller parts")
    if found.producers:
        lines += ["", "Made with:"]
        for kind, versions in found.producers.items():
            made = ", ".join(f"{name} {text}".strip() for name, text in versions.items())
            lines.append(f"  {kind}: {made}")
    return lines


def _mib(size: int) -> str:
    return f"{size / 1_048_576:.2f} MiB"
