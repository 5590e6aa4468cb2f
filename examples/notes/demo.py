"""Build this example, serve it, and say what to try; with ONCE=1 play the tour and stop.

PORT is the port to serve on (3000), ADMIN_TOKEN the secret of the app (let-me-in).
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from threading import Thread

import tour

HERE = Path(__file__).parent
EDGEZERO = [sys.executable, "-m", "edgezero_spin.cli"]

TRY = """
Try:
  curl {url}/
  curl -X PUT {url}/notes/bread -d '{{"title": "Bake bread", "tags": ["kitchen"]}}'
  curl {url}/notes/bread
  curl '{url}/notes?limit=10'
  curl -N {url}/export
  curl -X DELETE {url}/notes/bread -H 'x-admin-token: {token}'
Ctrl-C stops it.
"""


def step(*arguments: str) -> list[str]:
    """Print an ``edgezero`` command as a person would type it; return it as it is run."""
    print(f"$ edgezero {' '.join(arguments)}", flush=True)
    return [*EDGEZERO, *arguments]


def copy(lines: Iterable[str]) -> None:
    """Print what the server says."""
    for line in lines:
        print(line, end="", flush=True)


def wait_for_url(lines: Iterable[str]) -> str | None:
    """Print what the server says up to its address; return that, or None if it ended."""
    for line in lines:
        copy([line])
        if line.startswith("Serving "):
            return line.split()[1]
    return None


def main() -> int:
    """Return the exit status: 0 when all went as it should."""
    port = int(os.environ.get("PORT") or 3000)
    token = os.environ.get("ADMIN_TOKEN") or "let-me-in"
    once = bool(os.environ.get("ONCE"))

    for preparation in (["build"], ["config", "push", "--local"]):
        done = subprocess.run(step(*preparation), cwd=HERE, check=False)
        if done.returncode:
            return done.returncode
    serve = ["serve", "--engine", "embedded", "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen(
        step(*serve, "--variable", f"admin_token={token}"),
        cwd=HERE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        url = wait_for_url(server.stdout)
        if url is None:
            return server.wait() or 1
        Thread(target=copy, args=[server.stdout], daemon=True).start()
        if once:
            return 1 if tour.play(url, token) else 0
        print(TRY.format(url=url, token=token), flush=True)
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
