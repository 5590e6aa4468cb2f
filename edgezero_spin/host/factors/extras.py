"""Extras: packages that some factors need and an installation may lack."""

import importlib.util

__all__ = ["missing_extra"]


def missing_extra(what: str, extra: str, package: str) -> str | None:
    """Return how to install what something needs, or ``None`` where it is there.

    Args:
        what: The something, in the plural.
        extra: The extra that brings it.
        package: What is imported.
    """
    if _is_installed(package):
        return None
    return f"{what} need the extra `{extra}`: pip install 'edgezero-spin[{extra}]'"


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        # Of a dotted name, the part before the dot is missing.
        return False
