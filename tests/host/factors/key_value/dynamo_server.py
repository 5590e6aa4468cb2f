"""A DynamoDB that is moto's: the real protocol over a real socket, without an account."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["running_dynamo"]


@contextlib.contextmanager
def running_dynamo() -> Iterator[str]:
    """Run a server in a process of its own; yield its URL."""
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    try:
        said = ""
        for line in server.stderr:
            said += line
            found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", line)
            if found is not None:
                break
        else:
            raise AssertionError(said)
        yield found[1]
    finally:
        server.kill()
        server.communicate()
