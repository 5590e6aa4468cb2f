"""Versions in order, and which of them a requirement takes."""

import itertools

import pytest

from edgezero_spin.manifest.spin.versions import parse_requirement, parse_version


def test_versions_are_in_the_order_of_the_standard() -> None:
    """Numbers as numbers, pre-releases before their release (semver 11)."""
    texts = [
        "0.9.10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.9.0",
        "1.10.0",
    ]
    versions = [parse_version(text) for text in texts]
    for one, other in itertools.pairwise(versions):
        assert one < other
        assert one != other
    assert max(versions) == versions[-1]


def test_builds_of_one_version_are_equal() -> None:
    """What follows the plus has no say (semver 10)."""
    assert parse_version("1.0.0+a") == parse_version("1.0.0+b")
    assert hash(parse_version("1.0.0+a")) == hash(parse_version("1.0.0"))


@pytest.mark.parametrize("text", ["", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.x", "1.2.3 "])
def test_what_is_no_version(text: str) -> None:
    """Neither more nor less than three numbers."""
    with pytest.raises(ValueError, match="is not a semantic version"):
        parse_version(text)


# https://docs.rs/semver: VersionReq
@pytest.mark.parametrize(
    ("requirement", "fitting", "others"),
    [
        ("1.2.3", "1.2.3 1.2.4 1.9.0", "1.2.2 2.0.0 0.9.0 1.2.4-rc.1"),
        ("^1.2.3", "1.2.3 1.3.0", "1.2.2 2.0.0"),
        ("^1.2", "1.2.0 1.3.0", "1.1.9 2.0.0"),
        ("^1", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0 1.2.3"),
        ("0.0.3", "0.0.3", "0.0.2 0.0.4 0.1.3"),
        ("0.2", "0.2.0 0.2.9", "0.3.0 0.1.0"),
        ("0.0", "0.0.0 0.0.9", "0.1.0"),
        ("0", "0.0.0 0.9.9", "1.0.0"),
        ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("~1.2", "1.2.0 1.2.9", "1.3.0"),
        ("~1", "1.0.0 1.9.0", "2.0.0"),
        ("=1.2.3", "1.2.3", "1.2.4 1.2.2 1.2.3-rc.1"),
        ("=1.2", "1.2.0 1.2.9", "1.3.0"),
        (">=1.2.3, <2", "1.2.3 1.9.0", "1.2.2 2.0.0"),
        (">1.2.3", "1.2.4 2.0.0", "1.2.3"),
        (">1.2", "1.3.0", "1.2.9"),
        ("<1.2.3", "1.2.2 0.1.0", "1.2.3"),
        ("<1.2", "1.1.9", "1.2.0"),
        ("<=1.2.3", "1.2.3 1.0.0", "1.2.4"),
        ("<=1.2", "1.2.9", "1.3.0"),
        (" >= 1.0.0 ", "1.0.0", "0.9.9"),
        ("*", "0.0.1 9.0.0", "1.0.0-rc.1"),
        ("1.*", "1.0.0 1.9.9", "2.0.0"),
        ("1.2.*", "1.2.0 1.2.9", "1.3.0"),
        ("1.2.3-rc.1", "1.2.3-rc.1 1.2.3-rc.2 1.2.3 1.3.0", "1.2.3-beta 1.2.4-rc.1"),
        (">=1.0.0-rc.1", "1.0.0-rc.1 1.0.0 2.0.0", "2.0.0-rc.1 1.0.0-beta"),
        ("~1.2.3-rc.2", "1.2.3-rc.2 1.2.4", "1.2.3-rc.1 1.3.0"),
    ],
)
def test_which_versions_will_do(requirement: str, fitting: str, others: str) -> None:
    """As Cargo decides."""
    wanted = parse_requirement(requirement)
    assert [text for text in fitting.split() if not wanted.matches(parse_version(text))] == []
    assert [text for text in others.split() if wanted.matches(parse_version(text))] == []
    assert str(wanted) == requirement


@pytest.mark.parametrize("text", ["", "latest", "=>1", "1.2.3.4", "1,", "^", "1.02.0"])
def test_what_is_no_requirement(text: str) -> None:
    """It is refused, not guessed."""
    with pytest.raises(ValueError, match="is not a requirement"):
        parse_requirement(text)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("=1.2.3", "1.2.3"),
        ("= 1.2.3-rc.1", "1.2.3-rc.1"),
        ("=1.2", None),
        ("1.2.3", None),
        ("*", None),
    ],
)
def test_a_requirement_may_mean_one_version(text: str, exact: str | None) -> None:
    """Then nobody has to be asked which there are."""
    found = parse_requirement(text).exact
    assert (None if found is None else str(found)) == exact
