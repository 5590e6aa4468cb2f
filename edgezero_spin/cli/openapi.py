"""``edgezero openapi``: one app in, its OpenAPI document out."""

import json
from pathlib import Path

import click

from edgezero_spin.cli.options import examples, spin_options

__all__ = ["openapi"]


@click.command(
    epilog=examples("edgezero openapi app:app -o openapi.json"),
    short_help="Print the OpenAPI document of an app.",
)
@click.argument("app", metavar="MODULE[:ATTRIBUTE]")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the document goes. Default: standard output.",
)
@spin_options
def openapi(app: str, output: Path | None) -> None:
    """Describe what the app MODULE:ATTRIBUTE answers, as OpenAPI 3.1.

    MODULE is looked up from the current folder and imported in a process of its own. What
    app.openapi(...) says of the app is there; without such a call, its name is the title.
    """
    from edgezero_spin.project.app_look import describe_app
    from edgezero_spin.project.componentize import split_target

    module, attribute = split_target(app)
    document = describe_app(module, attribute, Path.cwd())
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        from edgezero_spin.project.files import replace_file

        replace_file(output, text.encode())
        click.echo(f"{output}  {len(document['paths'])} paths")
