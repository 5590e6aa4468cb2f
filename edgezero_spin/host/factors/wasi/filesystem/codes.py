"""Error codes of ``wasi:filesystem`` for the failures of system calls."""

import errno
from functools import wraps
from typing import Any

from edgezero_spin.host.factors.wasi.io import IoError
from edgezero_spin.host.runtime.interface import HostFunction, WitError

__all__ = ["answers_codes", "code_of", "io_error", "utf8"]

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
    """Turn an ``OSError`` of a host function, or a number past what it takes, into its err case."""

    @wraps(function)
    def answer(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except OSError as error:
            raise WitError(code_of(error)) from error
        except OverflowError as error:
            raise WitError("overflow") from error

    return answer


def utf8(name: str) -> str:
    """A name as the system gave it, if a guest can be told."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise WitError("illegal-byte-sequence") from error
    return name


def io_error(error: OSError) -> IoError:
    """The error of a stream over a file."""
    return IoError(error.strerror or str(error), filesystem=code_of(error))
