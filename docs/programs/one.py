"""One application on one address, in twenty lines."""

import sys

from edgezero_spin.host import Host
from edgezero_spin.host.http.server import Listening, serve


def announce(where: Listening) -> None:
    print(f"Serving {where.url}", flush=True)


def main(path: str, address: str) -> None:
    with Host.from_manifest(path) as host:
        serve(host, address, on_listening=announce)


if __name__ == "__main__":
    main(*sys.argv[1:])
