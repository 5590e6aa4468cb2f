"""Root certificates as files, which is how libpq takes them.

In: a certificate that a guest adds, or none. Out: a file with the platform's and Mozilla's roots
and that one. Files are written once and removed with the folder that they are in.

Source: contract services.md, PG-26, PG-27.
"""

import hashlib
import ssl
import tempfile
import threading
from pathlib import Path

import certifi

__all__ = ["RootFiles", "check_certificate"]


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
        self._files: dict[str, Path] = {}

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
                texts = [*_platform_roots(), Path(certifi.where()).read_bytes()]
                if certificate is not None:
                    texts.append(certificate.encode())
                found.write_bytes(b"\n".join(texts) + b"\n")
                self._files[name] = found
            return found

    def close(self) -> None:
        """Remove the files. Twice is harmless."""
        with self._lock:
            folder, self._folder = self._folder, None
            self._files.clear()
        if folder is not None:
            folder.cleanup()


def _platform_roots() -> list[bytes]:
    paths = ssl.get_default_verify_paths()
    if paths.cafile is not None:
        return [Path(paths.cafile).read_bytes()]
    if paths.capath is None:
        return []
    return [file.read_bytes() for file in sorted(Path(paths.capath).glob("*.0"))]
