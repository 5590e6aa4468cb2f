"""A handler of spin-sdk 4 or 5 that uses the typed stores without awaiting them."""

# spin-sdk is installed only where its component is built.
# mypy: disable-error-code="import-not-found, misc"

from spin_sdk import http
from spin_sdk.http import Request, Response

from edgezero_spin import open_stores, wait


class HttpHandler(http.Handler):
    """``/note`` counts in a store, ``/secret`` reads a secret, ``/visits`` asks every database."""

    async def handle_request(self, request: Request) -> Response:
        if request.uri == "/visits":
            return Response(200, {}, visits().encode())
        stores = open_stores(kv=["notes"], secrets=["passwords"], blocking=True)
        assert stores.kv is not None
        assert stores.secrets is not None
        if request.uri == "/secret":
            return Response(200, {}, wait(stores.secrets["passwords"].require_bytes("password")))
        count = wait(stores.kv["notes"].read_modify_write("1", 0, lambda n: n + 1))
        return Response(200, {}, f"typed {count}".encode())


def visits() -> str:
    """Ask each kind of database for a number."""
    stores = open_stores(
        sqlite=["default", "reports"],
        redis=["cache_url"],
        postgres=["postgres_url"],
        mysql=["mysql_url"],
        blocking=True,
    )
    found = [
        wait(database.one(int, "SELECT 1"))
        for database in (stores.sqlite, stores.postgres, stores.mysql)
        if database is not None
    ]
    assert stores.redis is not None
    return str(sum(found) + wait(stores.redis.incr("visits")) - 3)
