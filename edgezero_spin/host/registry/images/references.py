"""References of images: opened as repositories, every failure of the registry one error.

Source: contract spin-host.md, OCI-23 to OCI-28.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from edgezero_spin.errors import HostError
from edgezero_spin.host.registry.credentials import find_credentials
from edgezero_spin.host.registry.repository import OciRepository
from edgezero_spin.host.registry.session import RegistryEndpoint
from edgezero_spin.manifest.image_reference import (
    ImageReference,
    parse_image_reference,
    without_credentials,
)
from edgezero_spin.manifest.spin import FetchError

__all__ = ["ImageError", "open_repository"]


class ImageError(HostError):
    """An application cannot be had from a registry, or not be put there.

    Attributes:
        reference: What was asked for, without credentials.
        doing: What was to be done, ``load`` or ``push``.
    """

    def __init__(self, reference: str, problem: str, doing: str = "load") -> None:
        super().__init__(reference, problem, doing)
        self.reference = reference
        self.problem = problem
        self.doing = doing

    def __str__(self) -> str:
        return f"cannot {self.doing} {self.reference}: {self.problem}"


@contextmanager
def open_repository(
    reference: str, insecure: bool, *, doing: str = "load", writing: bool = False
) -> Iterator[tuple[ImageReference, OciRepository]]:
    """Yield the repository of an image; what goes wrong in the ``with`` names the image.

    Args:
        reference: As it was typed.
        insecure: Ask the registry without TLS.
        doing: What is to be done, for errors.
        writing: Ask for the right to write, too.

    Raises:
        ImageError: It is not a reference, or a ``FetchError`` came out of the ``with``.
    """
    shown = without_credentials(reference)
    try:
        parsed = parse_image_reference(reference)
    except ValueError as error:
        raise ImageError(shown, str(error), doing) from error
    host = parsed.api_host
    endpoint = RegistryEndpoint(host=host, plain=insecure, credentials=find_credentials(host))
    try:
        with OciRepository(endpoint, parsed.repository, writing=writing) as repository:
            yield parsed, repository
    except FetchError as error:
        raise ImageError(shown, str(error), doing) from error
