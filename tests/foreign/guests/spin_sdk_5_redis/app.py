"""A Redis handler of spin-sdk 4 or 5, with this package's stores."""

# spin-sdk is installed only where its component is built.
# mypy: disable-error-code="import-not-found, misc"

from spin_sdk.wit import exports

from edgezero_spin import open_stores


class RedisHandler(exports.RedisHandler):
    """Keeps what comes."""

    async def handle_message(self, message: bytes) -> None:
        print("took", message)
        kv = open_stores(kv=["default"]).kv
        assert kv is not None
        await kv.default.put_bytes("message", message)
        if message == b"bad":
            raise LookupError("no such order")
