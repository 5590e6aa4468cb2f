"""Names of imports, exports, fields and cases.

Source: WebAssembly/component-model, ``design/mvp/Explainer.md``, "Import and Export
Definitions" and "Name Uniqueness".
"""

import re
from collections.abc import Iterable

import attrs

__all__ = [
    "ExternName",
    "canonical_name",
    "compatible_name",
    "is_label",
    "parse_extern_name",
    "version_track",
]

_LABEL = r"(?:[a-z][0-9a-z]*|[A-Z][0-9A-Z]*)(?:-(?:[0-9a-z]+|[0-9A-Z]+))*"
_WORDS = r"[a-z][0-9a-z]*(?:-[0-9a-z]+)*"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = (
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_CANONICAL_VERSION = r"[1-9][0-9]*|0\.[1-9][0-9]*|0\.0\.[1-9][0-9]*|0\.0\.0"
_VERSION = rf"@(?:{_SEMVER}|{_CANONICAL_VERSION})"
_INTERFACE = re.compile(rf"{_WORDS}:{_WORDS}/{_LABEL}(?:{_VERSION})?")
_PLAIN = re.compile(
    rf"(?:\[constructor\](?P<constructor>{_LABEL})"
    rf"|\[(?P<kind>method|static)\](?P<resource>{_LABEL})\.(?P<field>{_LABEL})|{_LABEL})"
)
# Names of earlier drafts that tools still write.
_DRAFT = re.compile(
    rf"(?:(?:unlocked|locked)-dep=<{_WORDS}:{_WORDS}(?:@[^<>]*)?>(?:,integrity=<[^<>]+>)?"
    r"|url=<[^<>]*>(?:,integrity=<[^<>]+>)?|integrity=<[^<>]+>)"
)
_LABELS = re.compile(_LABEL)
# Compatible are releases of one major version or, below 1.0, of one minor version above 0.
_RELEASE = re.compile(r"(?P<track>@(?:[1-9]\d*|0\.[1-9]\d*))(?P<rest>(?:\.\d+){1,2})(?:\+.*)?\Z")


@attrs.frozen
class ExternName:
    """A name of an import or export, taken apart.

    Attributes:
        is_interface: It is the name of an interface, ``wasi:http/types@0.2.0``.
        annotation: ``constructor``, ``method``, ``static`` or ``None``.
        resource: The label that an annotation names.
    """

    text: str
    is_interface: bool = False
    annotation: str | None = None
    resource: str | None = None


def is_label(text: str) -> bool:
    """Return whether a text is a label in kebab case."""
    return _LABELS.fullmatch(text) is not None


def parse_extern_name(text: str) -> ExternName | None:
    """Take a name apart; ``None`` if it is not valid."""
    plain = _PLAIN.fullmatch(text)
    if plain is None:
        if _INTERFACE.fullmatch(text) is None and _DRAFT.fullmatch(text) is None:
            return None
        return ExternName(text, is_interface=_DRAFT.fullmatch(text) is None)
    if plain["constructor"]:
        return ExternName(text, annotation="constructor", resource=plain["constructor"])
    return ExternName(text, annotation=plain["kind"], resource=plain["resource"])


def canonical_name(text: str) -> str:
    """Return what two names may not have in common within one scope."""
    name = text.lower()
    if name.startswith(("[method]", "[static]")):
        name = name.partition("]")[2]
        resource, _, field = name.partition(".")
        return resource if resource == field else name
    return name


def version_track(name: str) -> str:
    """Return the name of an interface, its version as far as it decides on compatibility.

    ``wasi:http/types@0.2.6`` becomes ``wasi:http/types@0.2``; a pre-release, and a version that is
    compatible with no other, stay what they are.
    """
    return _RELEASE.sub(r"\g<track>", name)


def compatible_name(name: str, offered: Iterable[str]) -> str | None:
    """Return the name that one means: itself, else the latest that is compatible."""
    given = list(offered)
    if name in given:
        return name
    track = version_track(name)
    fitting = [each for each in given if version_track(each) == track and each != track]
    return max(fitting, key=_release_number, default=None)


def _release_number(name: str) -> tuple[int, ...]:
    version = name.partition("@")[2].partition("+")[0]
    return tuple(int(part) for part in version.split("."))
