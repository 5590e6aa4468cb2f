"""What a person types for an image."""

import pytest

from edgezero_spin.manifest.image_reference import (
    ImageReference,
    is_probable_reference,
    parse_image_reference,
    without_credentials,
)

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ghcr.io/acme/shop:1.0", ImageReference("ghcr.io", "acme/shop", "1.0")),
        ("ghcr.io/acme/shop", ImageReference("ghcr.io", "acme/shop", "latest")),
        ("localhost/shop:V_1-x", ImageReference("localhost", "shop", "V_1-x")),
        ("localhost:5000/shop", ImageReference("localhost:5000", "shop", "latest")),
        ("Registry.Example:5000/a/b/c:1", ImageReference("Registry.Example:5000", "a/b/c", "1")),
        ("[::1]:5000/shop:1", ImageReference("[::1]:5000", "shop", "1")),
        (f"ghcr.io/acme/shop@{DIGEST}", ImageReference("ghcr.io", "acme/shop", None, DIGEST)),
        (f"ghcr.io/a:1@{DIGEST}", ImageReference("ghcr.io", "a", "1", DIGEST)),
        ("ghcr.io/a__b/c-d.e_f--g", ImageReference("ghcr.io", "a__b/c-d.e_f--g", "latest")),
        # Short names are Docker's (OCI-28).
        ("shop", ImageReference("docker.io", "library/shop", "latest")),
        ("acme/shop:2", ImageReference("docker.io", "acme/shop", "2")),
        ("index.docker.io/shop", ImageReference("docker.io", "library/shop", "latest")),
    ],
)
def test_references(text: str, expected: ImageReference) -> None:
    """Host, path, tag and digest; what is left out is filled in (OCI-28)."""
    found = parse_image_reference(text)
    assert found == expected
    assert parse_image_reference(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "ghcr.io/",
        "ghcr.io/Acme/shop",
        "ghcr.io//shop",
        "ghcr.io/../shop",
        "ghcr.io/.shop",
        "ghcr.io/shop-",
        "ghcr.io/shop:",
        "ghcr.io/shop:-1",
        "ghcr.io/shop:a b",
        "ghcr.io/shop:1/x",
        "ghcr.io/shop\n",
        f"ghcr.io/shop:{'1' * 129}",
        f"ghcr.io/{'a' * 250}",
        "https://ghcr.io/acme/shop",
        "me:secret@ghcr.io/acme/shop",
        "./shop",
        "C:\\shop",
        "ghcr.io/shop@sha256:00",
        f"ghcr.io/shop@sha512:{'0' * 128}",
        f"ghcr.io/shop@{DIGEST.upper()}",
        "-x.example/shop",
    ],
)
def test_what_is_no_reference(text: str) -> None:
    """It is refused, and what was typed is not repeated: a password may be in it."""
    with pytest.raises(ValueError, match=r"not a reference such as|is not a digest") as caught:
        parse_image_reference(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ghcr.io/acme/shop", True),
        ("localhost/shop", True),
        ("localhost:5000/shop", True),
        ("acme/shop:1", True),
        ("shop:latest", True),
        (f"shop@{DIGEST}", True),
        ("docker.io/acme/shop", True),
        ("shop", False),
        ("spin.toml", False),
        ("apps/spin.toml", False),
        ("../apps/spin.toml", False),
        ("/apps/spin.toml", False),
        ("My App", False),
        ("https://ghcr.io/acme/shop", False),
    ],
)
def test_what_looks_like_an_image(text: str, expected: bool) -> None:
    """A mistyped path asks no registry (OCI-27)."""
    assert is_probable_reference(text) is expected


def test_an_image_by_its_digest() -> None:
    """What no push can move; the registry is asked for the digest, not for the tag (OCI-28)."""
    reference = parse_image_reference("shop:1")
    assert (reference.version, reference.api_host) == ("1", "index.docker.io")
    assert str(reference.at(DIGEST)) == f"docker.io/library/shop@{DIGEST}"
    assert parse_image_reference(f"ghcr.io/shop:1@{DIGEST}").version == DIGEST
    assert parse_image_reference("ghcr.io/shop").api_host == "ghcr.io"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ghcr.io/acme/shop:1", "ghcr.io/acme/shop:1"),
        (f"ghcr.io/shop@{DIGEST}", f"ghcr.io/shop@{DIGEST}"),
        ("ghcr.io/shop@sha256:00", "ghcr.io/shop@sha256:00"),
        ("https://me:s3cret@ghcr.io/shop", "https://***@ghcr.io/shop"),
        ("me:s3/cr@et@ghcr.io/shop", "***@ghcr.io/shop"),
        (f"me:s3cret@ghcr.io/shop@{DIGEST}", f"***@ghcr.io/shop@{DIGEST}"),
        ("me:s3\ncret@ghcr.io", "***@ghcr.io"),
    ],
)
def test_no_password_is_shown(text: str, shown: str) -> None:
    """Some people put user and password in front of the host."""
    assert without_credentials(text) == shown
