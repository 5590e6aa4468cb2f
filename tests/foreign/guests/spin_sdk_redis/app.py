"""A Redis handler of spin-sdk 3, with this package's stores."""

# spin-sdk is installed only where its component is built.
# mypy: disable-error-code="import-not-found, misc"

from spin_sdk.wit.exports import InboundRedis as Base

from edgezero_spin import open_stores, wait


class InboundRedis(Base):
    """Keeps what comes."""

    def handle_message(self, message: bytes) -> None:
        print("took", message)
        kv = open_stores(kv=["default"]).kv
        assert kv is not None
        wait(kv.default.put_bytes("message", message))
        if message == b"bad":
            raise LookupError("no such order")
