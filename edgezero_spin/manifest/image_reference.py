"""Names of images in OCI registries: ``ghcr.io/acme/shop:1.0``, ``...@sha256:<hex>``.

In: what a person types. Out: an ``ImageReference``, with what Docker fills in where something is
left out. ``is_probable_reference`` tells such a name from a path that does not exist.

Source: contract spin-host.md, OCI-27 and OCI-28; the grammar of
https://github.com/distribution/reference.
"""

import re

import attrs

__all__ = [
    "DEFAULT_TAG",
    "ImageReference",
    "is_probable_reference",
    "parse_image_reference",
    "without_credentials",
]

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
_MOST_CHARACTERS = 255

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[^@]+))?",
    re.ASCII,
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CREDENTIALS = re.compile(r"^(.*://)?.*@(?!sha256:)", re.DOTALL)


@attrs.frozen
class ImageReference:
    """Which image is meant.

    Attributes:
        registry: The host, with a port where it has one.
        repository: The path there.
        tag: A name that may move; ``None`` where only a digest was given.
        digest: Of the manifest, ``sha256:`` and 64 hexadecimal digits; it counts, not the tag.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def api_host(self) -> str:
        """Where the registry answers: Docker's has another name than its images."""
        return "index.docker.io" if self.registry == DEFAULT_REGISTRY else self.registry

    @property
    def version(self) -> str:
        """What the registry is asked for: the digest, else the tag."""
        return self.digest or self.tag or DEFAULT_TAG

    def at(self, digest: str) -> "ImageReference":
        """Return the same image by its digest, which no push can move."""
        return ImageReference(self.registry, self.repository, None, digest)

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.registry}/{self.repository}{tag}{digest}"


def parse_image_reference(text: str) -> ImageReference:
    """Read a reference; what is left out is Docker's registry and the tag ``latest``.

    Raises:
        ValueError: It is not one. The message does not repeat it: there may be a password in it.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None or len(found["name"]) > _MOST_CHARACTERS:
        raise ValueError(
            "this is not a reference such as ghcr.io/acme/shop:1.0: host, path in small letters, "
            "then :tag or @sha256:digest; no scheme, no user"
        )
    digest = found["digest"]
    if digest is not None and _DIGEST.fullmatch(digest) is None:
        raise ValueError(f"{digest!r} is not a digest; it is 'sha256:' and 64 hex digits")
    registry, slash, repository = found["name"].partition("/")
    if not slash or not ("." in registry or ":" in registry or registry == "localhost"):
        registry, repository = DEFAULT_REGISTRY, found["name"]
    if registry == "index.docker.io":
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = f"library/{repository}"
    tag = found["tag"] or (DEFAULT_TAG if digest is None else None)
    return ImageReference(registry, repository, tag, digest)


def is_probable_reference(text: str) -> bool:
    """Whether a text that is not a path here looks like an image.

    ``foo/spin.toml`` could be one at Docker's registry, but is most likely a mistyped path. So
    without a tag or a digest, a name has to say its registry.
    """
    try:
        reference = parse_image_reference(text)
    except ValueError:
        return False
    if reference.tag != DEFAULT_TAG or text.endswith(f":{DEFAULT_TAG}"):
        return True
    return reference.registry != DEFAULT_REGISTRY or "docker" in text


def without_credentials(text: str) -> str:
    """Return what a person typed for a reference or a URL, without user and password."""
    return _CREDENTIALS.sub(r"\1***@", text)
