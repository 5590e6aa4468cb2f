"""Errors of compiling an app to a component."""

import attrs

from edgezero_spin.errors import ProjectError

__all__ = ["AppImportError", "ToolMissingError", "WorldUnknownError"]


@attrs.frozen(kw_only=True)
class AppImportError(ProjectError):
    """An app cannot be imported, natively or inside the component.

    Attributes:
        target: What was asked for, as ``module`` or ``module:attribute``.
        reason: What is wrong with it.
        traceback: The app's own traceback, or an empty text when there is none.
        action: What is not done therefore.
    """

    target: str
    reason: str
    traceback: str = ""
    action: str = "build"

    def __str__(self) -> str:
        head = f"cannot {self.action} {self.target}: {self.reason}"
        return f"{head}\n{self.traceback}" if self.traceback else head


@attrs.frozen(kw_only=True)
class WorldUnknownError(ProjectError):
    """A world was named that this package does not carry.

    Attributes:
        world: The name as it was given.
        known: The names of the worlds that it carries, the smallest first.
    """

    world: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        offer = ", ".join(self.known)
        return f"no world {self.world!r} (known: {offer}; or name one as ns:package/world@version)"


@attrs.frozen(kw_only=True)
class ToolMissingError(ProjectError):
    """A tool that this step needs is not installed.

    Attributes:
        tool: The tool, by its own name.
        extra: The extra of this package that installs it.
    """

    tool: str
    extra: str

    def __str__(self) -> str:
        return (
            f"{self.tool} is not installed; it comes with the extra {self.extra!r}: "
            f'pip install "edgezero-spin[{self.extra}]"'
        )
