"""Semantic versions, and requirements on them as Cargo and Spin write these.

``1.2.3`` as a requirement means ``^1.2.3``: that or any later compatible version.

Source: https://semver.org/, sections 9 to 11; https://docs.rs/semver, ``VersionReq``; contract
spin-host.md, MAN-32 and MAN-72.
"""

import re
from typing import Any

import attrs

__all__ = ["Requirement", "Version", "parse_requirement", "parse_version"]

_PRE = r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+(?P<build>[0-9A-Za-z.-]+))?"
_NUMBER = r"(?:0|[1-9]\d*)"
_VERSION = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER}){_PRE}", re.ASCII)
_COMPARATOR = re.compile(
    rf"(?P<operator>\^|~|=|>=|<=|>|<)?\s*(?P<major>{_NUMBER})"
    rf"(?:\.(?P<minor>{_NUMBER}|[*xX])(?:\.(?P<patch>{_NUMBER}|[*xX]){_PRE})?)?",
    re.ASCII,
)
_ANY = ("*", "x", "X")


def _pre_rank(pre: tuple[str, ...]) -> tuple[Any, ...]:
    """A release comes after all of its pre-releases; numbers come before words."""
    if not pre:
        return (1,)
    return (0, *((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre))


@attrs.frozen(order=True)
class Version:
    """A version. Builds of one version are equal.

    Attributes:
        numbers: Major, minor and patch.
        pre: What follows the hyphen, at its dots; empty for a release.
        text: As it was written.
    """

    numbers: tuple[int, int, int]
    pre: tuple[str, ...] = attrs.field(eq=_pre_rank, order=_pre_rank)
    text: str = attrs.field(eq=False)

    def __str__(self) -> str:
        return self.text


@attrs.frozen
class _Comparator:
    operator: str
    major: int
    minor: int | None
    patch: int | None
    pre: tuple[str, ...]

    def matches(self, version: Version) -> bool:
        match self.operator:
            case "=":
                return self._is(version)
            case ">":
                return self._is_below(version)
            case ">=":
                return self._is(version) or self._is_below(version)
            case "<":
                return not self._is(version) and not self._is_below(version)
            case "<=":
                return not self._is_below(version)
            case "~":
                return self._is_tilde(version)
        return self._is_caret(version)

    def _given(self) -> tuple[int, ...]:
        return tuple(part for part in (self.major, self.minor, self.patch) if part is not None)

    def _is(self, version: Version) -> bool:
        given = self._given()
        if version.numbers[: len(given)] != given:
            return False
        return self.patch is None or version.pre == self.pre

    def _is_below(self, version: Version) -> bool:
        given = self._given()
        start = version.numbers[: len(given)]
        if start != given:
            return start > given
        return self.patch is not None and _pre_rank(version.pre) > _pre_rank(self.pre)

    def _is_tilde(self, version: Version) -> bool:
        given = self._given()[:2]
        if version.numbers[: len(given)] != given:
            return False
        return self.patch is None or self._is_at_least(version)

    def _is_caret(self, version: Version) -> bool:
        given = self._given()
        if version.numbers[0] != self.major:
            return False
        if self.patch is None:
            if self.minor is None:
                return True
            minor = version.numbers[1]
            return minor >= self.minor if self.major else minor == self.minor
        # What is left of the first number that is not 0 may not change.
        fixed = next((index for index, part in enumerate(given) if part), 2)
        return version.numbers[: fixed + 1] == given[: fixed + 1] and self._is_at_least(version)

    def _is_at_least(self, version: Version) -> bool:
        given = (self.major, self.minor, self.patch)
        if version.numbers != given:
            return version.numbers > self._given()
        return _pre_rank(version.pre) >= _pre_rank(self.pre)


@attrs.frozen
class Requirement:
    """Which versions will do.

    Attributes:
        text: As it was written.
    """

    text: str
    _comparators: tuple[_Comparator, ...]

    def matches(self, version: Version) -> bool:
        """Whether a version will do. A pre-release only does where one of its version is named."""
        if not all(part.matches(version) for part in self._comparators):
            return False
        return not version.pre or any(
            part.pre and version.numbers == (part.major, part.minor, part.patch)
            for part in self._comparators
        )

    @property
    def exact(self) -> Version | None:
        """The one version that will do, where that can be told."""
        if len(self._comparators) != 1:
            return None
        [part] = self._comparators
        if part.operator != "=" or part.minor is None or part.patch is None:
            return None
        return parse_version(self.text.strip().removeprefix("=").strip())

    def __str__(self) -> str:
        return self.text


def parse_version(text: str) -> Version:
    """Read a version.

    Raises:
        ValueError: It is not one.
    """
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a semantic version")
    numbers = (int(found[1]), int(found[2]), int(found[3]))
    return Version(numbers, _pre_of(found), text)


def parse_requirement(text: str) -> Requirement:
    """Read a requirement: comparators, separated by commas.

    Raises:
        ValueError: It is not one.
    """
    if text.strip() in _ANY:
        return Requirement(text, ())
    parts = []
    for part in text.split(","):
        found = _COMPARATOR.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"{text!r} is not a requirement on a semantic version")
        parts.append(_comparator(found))
    return Requirement(text, tuple(parts))


def _comparator(found: re.Match[str]) -> _Comparator:
    minor, patch = found["minor"], found["patch"]
    wild = minor in _ANY or patch in _ANY
    return _Comparator(
        "=" if wild and found["operator"] is None else found["operator"] or "^",
        int(found["major"]),
        None if minor is None or minor in _ANY else int(minor),
        None if patch is None or patch in _ANY or minor in _ANY else int(patch),
        _pre_of(found),
    )


def _pre_of(found: re.Match[str]) -> tuple[str, ...]:
    pre = found["pre"]
    return () if pre is None else tuple(pre.split("."))
