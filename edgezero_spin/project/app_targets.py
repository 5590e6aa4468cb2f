"""The app that a component is compiled from, as its build command names it.

In: a component of a ``spin.toml``. Out: ``module:attribute``; nothing is imported.
"""

import shlex

from edgezero_spin.manifest.spin.schema import ManifestComponent

__all__ = ["app_target"]


def app_target(component: ManifestComponent) -> str | None:
    """Return the ``module:attribute`` that a component is compiled from, if it says so."""
    if component.build is None:
        return None
    for command in component.build.command:
        try:
            words = shlex.split(command)
        except ValueError:
            continue
        if "componentize" in words:
            after = words[words.index("componentize") + 1 :]
            found = [word for word in after if all(p.isidentifier() for p in _names(word))]
            if found:
                return found[0]
    return None


def _names(target: str) -> list[str]:
    module, _, attribute = target.partition(":")
    return [*module.split("."), *([attribute] if attribute else [])]
