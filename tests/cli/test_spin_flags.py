"""The commands and flags of Spin 4.1, each of which works here or says why not."""

import click
import pytest

from edgezero_spin.cli.root import ALIASES
from edgezero_spin.cli.root import edgezero as group
from tests.cli.running import edgezero

TRIGGER = (
    "-L --log-dir --truncate-logs --disable-cache --cache --disable-pooling --debug-info --follow "
    "-q --quiet --sh --shush --runtime-config-file --state-dir --allow-transient-write "
    "--experimental-wasi-otel --key-value --sqlite --max-instance-memory --variable --listen "
    "--tls-cert --tls-key --http1-max-buf-size --find-free-port --format "
    "--max-instance-reuse-count --max-instance-concurrent-reuse-count --request-timeout "
    "--idle-instance-timeout"
)
UP = (
    "-f --from --from-file --file --from-registry --profile -k --insecure -e --env --temp --tmp "
    f"--cache-dir --direct-mounts --build -c --component-id {TRIGGER}"
)
TEMPLATE = (
    "-t --template --tag -o --output --init -v --value --values-file -a --accept-defaults "
    "--no-vcs --allow-overwrite --allow-overwrites"
)

FLAGS = {  # CLI-10 to CLI-24
    "up": UP,
    "build": "-f --from --file --profile -c --component-id --skip-target-checks "
    "--skip-target-check --skip-generate-wits --skip-generate-wit -u --up",
    "watch": "-f --from --file --profile -c --clear -d --debounce --skip-build "
    f"-k --insecure -e --env --temp --tmp --cache-dir --direct-mounts --build --component-id "
    f"--from-registry {TRIGGER}",
    "new": f"{TEMPLATE} -E --target-environment",
    "add component": f"{TEMPLATE} -f --file",
    "templates install": "--git --repo --branch --dir --tar --upgrade --update",
    "templates upgrade": "--repo --branch --all",
    "templates uninstall": "",
    "templates list": "--tag --verbose",
    "registry push": "-f --from --file --profile -k --insecure --compose --build --cache-dir "
    "--annotation",
    "registry pull": "-k --insecure --cache-dir",
    "registry login": "-u --username -p --password --password-stdin",
    "doctor": "-f --from --file",
    "plugins list": "--installed --all --summary --filter --format",
}


@pytest.mark.parametrize("line", FLAGS)
def test_every_flag_of_spin_is_known(line: str) -> None:
    """In its long and its short form, hidden where it is only refused."""
    command: click.Command = group
    for word in line.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    ours = {flag for parameter in command.params for flag in parameter.opts}
    assert set(FLAGS[line].split()) - ours == set()


def test_what_follows_two_dashes_is_for_up() -> None:
    """Behind them `-c` is a component, before them it clears the screen."""  # CLI-16
    watch = group.get_command(click.Context(group), "watch")
    assert watch is not None
    words = ["--skip-build", "--", "-c", "one", "-ctwo", "--quiet"]
    parsed = watch.make_context("watch", words).params
    assert (parsed["component_ids"], parsed["clear"], parsed["quiet"]) == (
        ("one", "two"),
        False,
        True,
    )
    parsed = watch.make_context("watch", ["-c", "--", "-q"]).params
    assert (parsed["component_ids"], parsed["clear"]) == ((), True)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["watch", "-k"], "-k/--insecure: watch asks no registry"),
        (["watch", "--build", "--skip-build"], "--build and --skip-build contradict each other"),
        (["plugins", "list", "--all"], "other plugins are in a catalogue on the network"),
        (["templates", "install", "--tar", "x"], "archives are not downloaded"),
    ],
)
def test_what_cannot_be_had_says_why(typed: list[str], says: str) -> None:
    """In one sentence, as wrong usage."""
    done = edgezero(*typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())


def test_the_short_names_of_commands() -> None:
    """Those of Spin, each of which shows the usage of the command."""  # CLI-1 to CLI-3
    assert ALIASES.keys() == set("abdnuw") | {"oci", "plugin", "template"}
    done = edgezero("oci", "push", "--help")
    assert done.stdout.startswith("Usage: edgezero registry push ")
