"""The root of every error that this library raises, and one family head per room.

```
EdgeZeroError
├── EdgeError        core: becomes an HTTP answer with a status of its own
├── StoreError       stores: becomes an HTTP answer too, by the store's rules
├── ManifestError    manifest: spin.toml, edgezero.toml, runtime-config.toml
├── HostError        host: engine, instances, capabilities, server
└── ProjectError     project: new, componentize, build, provision, push, deploy
```

Catch ``EdgeZeroError`` for all of them. A caller's mistake in a Python call is a
``TypeError`` or ``ValueError`` and is not part of this tree.

This module imports nothing of ours and runs inside the component.
"""

__all__ = ["EdgeError", "EdgeZeroError", "HostError", "ManifestError", "ProjectError", "StoreError"]


class EdgeZeroError(Exception):
    """Any failure that a correct program may meet while it uses this library."""


class EdgeError(EdgeZeroError):
    """An application error that has an HTTP answer.

    Attributes:
        kind: The snake_case name in the JSON body (``not_found``).
        status: The HTTP status, 400 to 599.
        message: What went wrong, for the log and for the client.

    Source: contract edgezero.md, ERR-1 to ERR-10.
    """

    kind: str = "internal"
    status: int = 500

    def __init__(self, message: object = "") -> None:
        text = message if isinstance(message, str) else str(message)
        super().__init__(text)
        self.message = text

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return self.message


class StoreError(EdgeZeroError):
    """A key-value, config or secret store refused or failed.

    Attributes:
        kind: The snake_case name in the JSON body.
        status: The HTTP status that the error becomes when a handler lets it pass.
        answer: The message that a client may read; secret stores say less here
            than in ``str(error)``.

    Source: contract edgezero.md, KV-31 to KV-37, CFG-4, SEC-8 to SEC-12.
    """

    kind: str = "internal"
    status: int = 500

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return str(self)


class ManifestError(EdgeZeroError):
    """A manifest or configuration file cannot be used as it stands."""


class HostError(EdgeZeroError):
    """The embedded host cannot load, start or run an application."""


class ProjectError(EdgeZeroError):
    """A step on a project folder (build, serve, provision, push) cannot be done."""
