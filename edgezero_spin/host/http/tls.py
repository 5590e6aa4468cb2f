"""The certificate of a listener.

In: paths of a certificate chain and its private key, both in PEM. Out: a context, or one error
that names the file. A key that is encrypted is refused: nobody is asked for its password.

Source: contract spin-host.md, FLAG-2.
"""

import ssl
from pathlib import Path

from edgezero_spin.host.http.listening import ListenError

__all__ = ["server_context"]


def server_context(listen: str, certificate: str, key: str) -> ssl.SSLContext:
    """Return the context of a listener.

    Raises:
        ListenError: A file cannot be read, or they are not a certificate and its key.
    """
    for path in (certificate, key):
        try:
            Path(path).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ListenError(listen, f"cannot read {path}: {reason}") from error

    def refuse() -> str:
        raise ListenError(
            listen,
            f"the private key {key} is encrypted; serve with one that is not: "
            "openssl pkey -in KEY -out PLAIN_KEY",
        )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        if reason == "KEY_VALUES_MISMATCH":
            problem = f"the private key {key} does not belong to the certificate {certificate}"
        else:
            problem = (
                f"{certificate} and {key} are not a certificate and its key, both in PEM: {reason}"
            )
        raise ListenError(listen, problem) from error
    return context
