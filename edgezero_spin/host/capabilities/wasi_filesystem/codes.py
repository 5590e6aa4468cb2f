"""What the system says of a failed call, as the error codes of ``wasi:filesystem``."""

import errno
from functools import wraps
from typing import Any

from edgezero_spin.host.capabilities.wasi_io import IoError
from edgezero_spin.host.interface import HostFunction, WitError

__all__ = ["answers_codes", "code_of", "io_error"]

_CODES = {
    errno.EACCES: "access",
    errno.EAGAIN: "would-block",
    errno.EBADF: "bad-descriptor",
    errno.EBUSY: "busy",
    errno.EDEADLK: "deadlock",
    errno.EDQUOT: "quota",
    errno.EEXIST: "exist",
    errno.EFBIG: "file-too-large",
    errno.EILSEQ: "illegal-byte-sequence",
    errno.EINTR: "interrupted",
    errno.EINVAL: "invalid",
    errno.EISDIR: "is-directory",
    errno.ELOOP: "loop",
    errno.EMFILE: "quota",
    errno.ENFILE: "quota",
    errno.EMLINK: "too-many-links",
    errno.ENAMETOOLONG: "name-too-long",
    errno.ENODEV: "no-device",
    errno.ENOENT: "no-entry",
    errno.ENOMEM: "insufficient-memory",
    errno.ENOSPC: "insufficient-space",
    errno.ENOTDIR: "not-directory",
    errno.ENOTEMPTY: "not-empty",
    errno.ENOTSUP: "unsupported",
    errno.EOVERFLOW: "overflow",
    errno.EPERM: "not-permitted",
    errno.EPIPE: "pipe",
    errno.EROFS: "read-only",
    errno.ESPIPE: "invalid-seek",
    errno.ETXTBSY: "text-file-busy",
    errno.EXDEV: "cross-device",
}


def code_of(error: OSError) -> str:
    """The error code for what the system said."""
    return _CODES.get(error.errno or 0, "io")


def answers_codes(function: HostFunction) -> HostFunction:
    """Turn an ``OSError`` of a host function into its err case."""

    @wraps(function)
    def answer(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except OSError as error:
            raise WitError(code_of(error)) from error

    return answer


def io_error(error: OSError) -> IoError:
    """The error of a stream over a file."""
    return IoError(error.strerror or str(error), filesystem=code_of(error))
