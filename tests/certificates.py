"""Certificates for servers on this machine, signed by an authority that nobody knows yet."""

from pathlib import Path

import attrs
import trustme

__all__ = ["Certificate", "make_certificate"]


@attrs.frozen
class Certificate:
    """Files in PEM.

    Attributes:
        chain: What a server shows.
        key: Its private key.
        roots: Whom a client has to trust.
    """

    chain: Path
    key: Path
    roots: Path


def make_certificate(folder: Path) -> Certificate:
    """Write a certificate for ``localhost`` and 127.0.0.1 to a folder."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    made = Certificate(folder / "chain.pem", folder / "key.pem", folder / "roots.pem")
    issued.cert_chain_pems[0].write_to_path(str(made.chain))
    issued.private_key_pem.write_to_path(str(made.key))
    authority.cert_pem.write_to_path(str(made.roots))
    return made
