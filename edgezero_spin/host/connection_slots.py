"""How many connections of one kind an application may hold at once.

Source: contract spin-host.md, NET-42 and NET-43.
"""

import threading

from edgezero_spin.host.runtime_config import RuntimeConfigError
from edgezero_spin.manifest.runtime_config import RuntimeConfig

__all__ = ["ConnectionSlots", "connection_limit"]


class ConnectionSlots:
    """The connections of one kind; used from any thread.

    Attributes:
        most: Connections at once; ``None`` for any number.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._held = 0

    def claim(self) -> bool:
        """Take a slot; return ``False`` when there is none left."""
        with self._lock:
            if self.most is not None and self._held >= self.most:
                return False
            self._held += 1
            return True

    def release(self) -> None:
        """Give a slot back."""
        with self._lock:
            self._held -= 1


def connection_limit(config: RuntimeConfig | None, table: str) -> int | None:
    """Return ``max_connections`` of a table such as ``[outbound_redis]``; ``None`` if unset.

    Raises:
        RuntimeConfigError: It is no number of connections.
    """
    settings = None if config is None else config.others.get(table)
    if config is None or settings is None:
        return None
    limit = settings.get("max_connections") if isinstance(settings, dict) else settings
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        problem = f"{table}.max_connections: must be a number of connections, got {limit!r}"
        raise RuntimeConfigError(config.path, [problem])
    return limit
