"""The PostgreSQL factor: the connections of one application, and the roots that they trust.

Root certificates are files, which is how libpq takes them. In: a certificate that a guest adds, or
none. Out: a file with the platform's and Mozilla's roots and that one. Files are removed with the
folder that they are in.

Source: contract services.md, PG-20, PG-26, PG-27.
"""

import hashlib
import ssl
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from edgezero_spin.host.factors.database_servers.pools import ConnectionPools

if TYPE_CHECKING:
    from edgezero_spin.host.factors.postgres.client import PostgresConnection

__all__ = ["PostgresConnections", "RootFiles", "check_certificate"]

MAX_FILES = 32
"""Files that are kept: each has all roots, and a guest may add any number of certificates."""


def check_certificate(text: str) -> None:
    """Make sure that a text is a certificate in PEM.

    Raises:
        ValueError: It is not one.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error) or "it is not a certificate in PEM"
        raise ValueError(f"invalid root certificate: {reason}") from error


class RootFiles:
    """Files of root certificates. ``close`` it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: OrderedDict[str, Path] = OrderedDict()

    def file(self, certificate: str | None) -> Path:
        """Return a file with all roots.

        Args:
            certificate: One more, in PEM.
        """
        name = hashlib.sha256((certificate or "").encode()).hexdigest()
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="edgezero-roots-")
            found = self._files.get(name)
            if found is None:
                found = Path(self._folder.name, f"{name}.pem")
                added = () if certificate is None else (certificate.encode(),)
                found.write_bytes(b"\n".join((*_usual_roots(), *added, b"")))
                self._files[name] = found
                if len(self._files) > MAX_FILES:
                    self._files.popitem(last=False)[1].unlink(missing_ok=True)
            self._files.move_to_end(name)
            return found

    def close(self) -> None:
        """Remove the files. Twice is harmless."""
        with self._lock:
            folder, self._folder = self._folder, None
            self._files.clear()
        if folder is not None:
            folder.cleanup()


class PostgresConnections:
    """The connections of one application to PostgreSQL servers. ``close`` it."""

    def __init__(self) -> None:
        self.pools: ConnectionPools[PostgresConnection] = ConnectionPools()
        self.roots = RootFiles()

    def close(self) -> None:
        """Close every connection that no handle has. Twice is harmless."""
        self.pools.close()
        self.roots.close()


def _usual_roots() -> list[bytes]:
    # It takes time to load, which an application without PostgreSQL need not spend.
    import certifi

    paths = ssl.get_default_verify_paths()
    files = [Path(certifi.where())]
    if paths.cafile is not None:
        files.append(Path(paths.cafile))
    elif paths.capath is not None:
        files += sorted(Path(paths.capath).glob("*.0"))
    return [file.read_bytes() for file in files]
