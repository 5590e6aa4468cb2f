"""The status of a response that was received, in the words of httpx."""

__all__ = ["ResponseStatus"]


class ResponseStatus:
    """What a status says.

    Attributes:
        status: 200 to 599; ``status_code`` is the same.
    """

    status: int

    @property
    def status_code(self) -> int:
        """The status, by its name in httpx."""
        return self.status

    @property
    def is_success(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status <= 299

    @property
    def is_redirect(self) -> bool:
        """Whether the status is 300 to 399; redirects are not followed."""
        return 300 <= self.status <= 399

    @property
    def is_client_error(self) -> bool:
        """Whether the status is 400 to 499."""
        return 400 <= self.status <= 499

    @property
    def is_server_error(self) -> bool:
        """Whether the status is 500 to 599."""
        return 500 <= self.status <= 599

    @property
    def is_error(self) -> bool:
        """Whether the status is 400 to 599."""
        return 400 <= self.status <= 599
