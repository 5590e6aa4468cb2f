"""The embedded host as an ASGI program, for servers that import one: ``benchmarks.served:app``.

``BENCH_MANIFEST`` names the ``spin.toml``.
"""

import os

from edgezero_spin.host import Host

app = Host.from_manifest(os.environ["BENCH_MANIFEST"]).asgi()
