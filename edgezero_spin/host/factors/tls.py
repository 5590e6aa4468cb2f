"""TLS of outbound connections: trusted certificates, and those of the client.

Source: contract spin-host.md, OUTH-18, NET-44.
"""

import ssl
from pathlib import Path

import attrs
import certifi

__all__ = ["ClientTls", "TlsFiles", "default_tls", "load_tls", "trust_usual_roots", "usual_tls"]

ClientTls = dict[tuple[str, str], ssl.SSLContext]
"""By component and host, for those that ``[[client_tls]]`` names."""


@attrs.frozen(kw_only=True)
class TlsFiles:
    """One entry of ``[[client_tls]]``.

    Attributes:
        platform_roots: Trust what the system trusts.
        webpki_roots: Trust Mozilla's roots.
        roots: Trust the certificates in this file.
        certificate: Who we are, a chain in PEM; ``key`` comes with it.
        key: Its private key.
    """

    platform_roots: bool
    webpki_roots: bool
    roots: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def load_tls(files: TlsFiles) -> ssl.SSLContext:
    """Read the files.

    Raises:
        ValueError: One cannot be used; the message names it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if files.platform_roots:
        context.load_default_certs()
    if files.webpki_roots:
        context.load_verify_locations(certifi.where())
    if files.roots is not None:
        try:
            context.load_verify_locations(files.roots)
        except (OSError, ValueError) as error:
            raise _unusable("certificate(s)", files.roots, error) from error
    if files.certificate is not None and files.key is not None:
        for path in (files.certificate, files.key):
            try:
                path.read_bytes()
            except OSError as error:
                raise _unusable("the client certificate", path, error) from error
        try:
            # Without the callback a key that is encrypted would ask on the terminal.
            context.load_cert_chain(files.certificate, files.key, password=lambda: "")
        except (OSError, ValueError) as error:
            raise _unusable("the client certificate", files.certificate, error) from error
    return context


def _unusable(what: str, path: Path, error: Exception) -> ValueError:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return ValueError(f"failed to load {what} from '{path}': {reason}")


def default_tls() -> ssl.SSLContext:
    """Trust what the system trusts, and Mozilla's roots (OUTH-18)."""
    return load_tls(TlsFiles(platform_roots=True, webpki_roots=True))


def trust_usual_roots(context: ssl.SSLContext) -> None:
    """Trust what the system trusts, and Mozilla's roots: a small image has none of its own."""
    context.load_default_certs()
    context.load_verify_locations(certifi.where())


def usual_tls() -> ssl.SSLContext:
    """Trust the usual roots, in a protocol of any kind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust_usual_roots(context)
    return context
