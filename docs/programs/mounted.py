"""An ASGI application of your own that hands one path to components."""

from edgezero_spin.host import Host
from edgezero_spin.host.http.asgi import Receive, Scope, Send


class Site:
    """Answers by itself, and ``/components/...`` through a host."""

    def __init__(self, host: Host) -> None:
        self.components = host.asgi()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/components/"):
            await self.components({**scope, "root_path": "/components"}, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"the site itself\n"})
