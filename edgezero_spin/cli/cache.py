"""``edgezero cache``: the compiled components that the embedded host keeps."""

import json
from datetime import datetime
from typing import Literal

import click

from edgezero_spin.cli.options import examples, format_option, spin_options

__all__ = ["cache", "clear", "show"]


@click.group(
    invoke_without_command=True,
    epilog=examples("edgezero cache show", "edgezero cache clear"),
    short_help="Show or clear compiled components.",
)
@spin_options
@click.pass_context
def cache(context: click.Context) -> None:
    """Compiled components that the embedded host keeps, so that a start compiles nothing.

    Past 2 GiB the least recently used are removed; EDGEZERO_CACHE_MAX_BYTES sets another
    bound. Without a command, shows them.
    """
    if context.invoked_subcommand is None:
        context.invoke(show)


@cache.command(
    epilog=examples("edgezero cache show --format json"),
    short_help="Show where they are and what they take.",
)
@format_option("text", "json", help="How it is written.")
@spin_options
def show(form: Literal["text", "json"] = "text") -> None:
    """Show where compiled components are, how many there are and what they take."""
    from edgezero_spin.host.runtime.compiled_cache import cache_entries, max_cache_bytes
    from edgezero_spin.host.settings import default_compiled_dir

    folder = default_compiled_dir()
    entries = cache_entries(folder)
    size = sum(entry.size_bytes for entry in entries)
    if form == "json":
        report = {
            "folder": str(folder),
            "entries": len(entries),
            "bytes": size,
            "max_bytes": max_cache_bytes(),
        }
        click.echo(json.dumps(report, indent=2))
        return
    bound = max_cache_bytes() / 1024**2
    click.echo(f"{folder}: {len(entries)} compiled, {size / 1024**2:.1f} of {bound:.0f} MiB")
    for entry in reversed(entries):
        used = datetime.fromtimestamp(entry.used_at).isoformat(" ", "minutes")
        click.echo(f"  {entry.size_bytes / 1024**2:8.1f} MiB  used {used}  {entry.path.name}")


@cache.command(epilog=examples("edgezero cache clear"), short_help="Remove all of them.")
@spin_options
def clear() -> None:
    """Remove every compiled component; the next start compiles again."""
    from edgezero_spin.host.runtime.compiled_cache import clear_cache
    from edgezero_spin.host.settings import default_compiled_dir

    gone = clear_cache(default_compiled_dir())
    size = sum(entry.size_bytes for entry in gone)
    click.echo(f"removed {len(gone)} compiled, {size / 1024**2:.1f} MiB")
