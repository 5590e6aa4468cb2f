"""``edgezero test``: the project's tests, natively and on the component."""

from pathlib import Path

import click

from edgezero_spin.cli.options import PassThrough, examples, manifest_option, rest_of, spin_options

__all__ = ["test"]


@click.command(
    cls=PassThrough,
    epilog=examples(
        "edgezero test", "edgezero test --mode native", "edgezero test --stats -- -k notes -x"
    ),
    short_help="Run the tests in both modes.",
)
@manifest_option
@click.option(
    "--mode",
    type=click.Choice(["both", "native", "component"]),
    default="both",
    help="How tests with `spin_app` run. Default: both, each twice.",
)
@click.option("--stats", is_flag=True, help="Show instructions, host calls and memory per test.")
@spin_options
@click.pass_context
def test(context: click.Context, manifest: str | None, mode: str, stats: bool) -> int:
    """Run pytest in the application's folder: each test natively, then on the component.

    The component is built when a source has changed. What follows -- goes to pytest. Ends
    with pytest's status.
    """
    from edgezero_spin.project.locate import find_spin_manifest
    from edgezero_spin.project.testing import run_tests

    folder = find_spin_manifest(manifest).parent
    return run_tests(Path(folder), mode, stats=stats, rest=rest_of(context))
