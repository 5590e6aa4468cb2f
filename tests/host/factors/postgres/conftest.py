"""A PostgreSQL server with TLS, and an instance that may connect to it."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.postgres.factor import PostgresConnections
from edgezero_spin.host.factors.postgres.interface import PostgresConnectionResource as Connection
from tests.certificates import Certificate, make_certificate
from tests.host.debian_servers import own, running_postgres, server_folder
from tests.host.support import call, instance_state

V4 = "spin:postgres/postgres@4.2.0"


@attrs.frozen
class Server:
    """A server whose user ``postgres`` has the password ``postgres``.

    Attributes:
        port: Its port.
        certificate: What it shows where TLS is used.
    """

    port: int
    certificate: Certificate

    def address(self, sslmode: str = "disable", password: str = "postgres") -> str:
        """A URL of its database ``postgres``."""
        place = f"localhost:{self.port}/postgres"
        return f"postgres://postgres:{password}@{place}?sslmode={sslmode}"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server; tests that need one are skipped where it is not installed."""
    with server_folder() as folder:
        certificate = make_certificate(folder)
        for file in (certificate.chain, certificate.key):
            own(file)
        certificate.key.chmod(0o600)
        tls = ["ssl=on", f"ssl_cert_file={certificate.chain}", f"ssl_key_file={certificate.key}"]
        with running_postgres(*tls) as port:
            yield Server(port, certificate)


MakeState = Callable[..., InstanceState]


@pytest.fixture
def make_state() -> Iterator[MakeState]:
    """Makes instances of one application, which may connect to anything on this machine."""
    postgres = PostgresConnections()

    def make(*entries: str, **grants: Any) -> InstanceState:
        allowed = entries or ("postgres://localhost:*", "postgres://127.0.0.1:*")
        return instance_state(outbound=OutboundHosts(allowed), postgres=postgres, **grants)

    yield make
    postgres.close()


@pytest.fixture
def state(make_state: MakeState) -> InstanceState:
    """An instance that may connect to the server."""
    return make_state()


@pytest.fixture
def connection(state: InstanceState, server: Server) -> Iterator[Connection]:
    """An open connection."""
    opened: Connection = call(state, f"{V4} [static]connection.open", server.address())
    yield opened
    opened.drop(state)
