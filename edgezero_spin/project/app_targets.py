"""The app that a component is compiled from, as its build command names it.

In: a component of a ``spin.toml``. Out: ``module:attribute`` and the flag ``--wasi``; nothing is
imported.
"""

import shlex
from collections.abc import Iterator
from pathlib import PurePath

from edgezero_spin.manifest.spin.schema import ManifestComponent

__all__ = ["app_target", "builds_by_edgezero", "compiles_app", "wasi_flag"]


def app_target(component: ManifestComponent) -> str | None:
    """Return the ``module:attribute`` that a component is compiled from, if it says so."""
    for _, after in _compilations(component):
        found = [word for word in after if all(p.isidentifier() for p in _names(word))]
        if found:
            return found[0]
    return None


def compiles_app(component: ManifestComponent) -> bool:
    """Whether a build command of a component compiles an app."""
    return any(_compilations(component))


def builds_by_edgezero(component: ManifestComponent) -> bool:
    """Whether ``edgezero componentize`` makes a component, and not componentize-py by itself."""
    return any(
        not any(PurePath(word).name.startswith("componentize-py") for word in before)
        for before, _ in _compilations(component)
    )


def wasi_flag(component: ManifestComponent) -> str | None:
    """Return what a build command says after ``--wasi``, if it has that flag."""
    for _, after in _compilations(component):
        for word, value in zip(after, [*after[1:], ""], strict=True):
            if word == "--wasi":
                return value
            if word.startswith("--wasi="):
                return word.removeprefix("--wasi=")
    return None


def _compilations(component: ManifestComponent) -> Iterator[tuple[list[str], list[str]]]:
    """The words before and after ``componentize``, of each build command that has it."""
    for command in () if component.build is None else component.build.command:
        try:
            words = shlex.split(command)
        except ValueError:
            continue
        if "componentize" in words[1:]:
            place = words.index("componentize", 1)
            yield words[:place], words[place + 1 :]


def _names(target: str) -> list[str]:
    module, _, attribute = target.partition(":")
    return [*module.split("."), *([attribute] if attribute else [])]
