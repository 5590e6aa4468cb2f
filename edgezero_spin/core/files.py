"""Files as response bodies: validators, conditional requests and ranges.

In: a path, and the request that is answered. Out: a ``FileBody`` that reads the file while it is
sent; the head says its length, ``ETag`` and ``Last-Modified``, and becomes 304, 206 or 416 where
the request asks for that.

A component finds the file where the standard library does: below a mount of ``spin.toml``, or among
the files that travel in its snapshot.

Source: RFC 9110, 8.8 (validators), 13 (conditional requests), 14 (ranges). Of several ranges none
is sent: the whole file is, as 14.2 allows.
"""

import binascii
import os
import re
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgezero_spin.core.errors import HttpError
from edgezero_spin.core.http_dates import http_date, parse_http_date
from edgezero_spin.core.percent import encode_value
from edgezero_spin.core.streaming import BodyStream

if TYPE_CHECKING:
    from edgezero_spin.core.request import Request
    from edgezero_spin.core.response import Response

__all__ = ["FileBody", "apply_conditions", "attachment"]

_CHUNK_BYTES = 64 * 1024
_RANGE = re.compile(r"bytes=[ \t]*(\d*)-(\d*)[ \t]*", re.ASCII)
_LONGEST_NUMBER = 18
_TAG = re.compile(r'(?:W/)?("[^"]*")')
# What a 304 keeps of the fields that describe a body (RFC 9110, 15.4.5).
_OF_A_BODY = ("accept-ranges", "content-disposition", "content-length", "content-type")

_A_DAY_S = 86_400
_EPOCH_OF_ARCHIVES = 315_532_800
"""1980-01-01, the time of files that were packed so that the package is reproducible."""

_tags: dict[tuple[str, int, int], str] = {}


class FileBody(BodyStream):
    """The bytes of a file, or a range of them.

    Attributes:
        path: The file.
        size: Its bytes.
        modified: When it was changed, whole seconds since 1970; 0 when that is not known.
        start, end: The range that is sent; changes count until the first byte is asked for.
    """

    __slots__ = ("_mtime_ns", "end", "modified", "path", "settled", "size", "start")

    def __init__(self, path: "str | os.PathLike[str]") -> None:
        """Look at the file; it is opened when its first byte is asked for.

        Raises:
            OSError: There is none.
            IsADirectoryError: It is a folder.
        """
        self.path = os.fspath(path)
        found = os.stat(self.path)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(f"a folder cannot be sent as a file: {self.path!r}")
        self.size = found.st_size
        # Files of the snapshot have no nanoseconds.
        self._mtime_ns = found.st_mtime_ns or 0
        # Archives, reproducible builds: a time that does not change with the file.
        known = found.st_mtime > _EPOCH_OF_ARCHIVES + _A_DAY_S
        self.modified = int(found.st_mtime) if known else 0
        self.start = 0
        self.end = self.size
        self.settled = False
        super().__init__(self._chunks())

    def etag(self) -> str:
        """Return its entity tag: from time and size, or from the bytes where no time is known."""
        if self.modified:
            return f'"{self._mtime_ns:x}-{self.size:x}"'
        key = self.path, self.size, self._mtime_ns
        tag = _tags.get(key)
        if tag is None:
            checksum = 0
            with open(self.path, "rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    checksum = binascii.crc32(chunk, checksum)
            tag = _tags[key] = f'"{checksum:08x}-{self.size:x}"'
        return tag

    def head(self) -> list[tuple[str, str]]:
        """Return the header fields of the whole file, its type left out."""
        fields = [
            ("content-length", str(self.size)),
            ("accept-ranges", "bytes"),
            ("etag", self.etag()),
        ]
        if self.modified:
            fields.append(("last-modified", http_date(self.modified)))
        return fields

    def _chunks(self) -> Iterator[bytes]:
        left = self.end - self.start
        with open(self.path, "rb") as file:
            file.seek(self.start)
            while left > 0:
                chunk = file.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    raise OSError(f"{self.path!r} has become shorter while it was sent")
                left -= len(chunk)
                yield chunk


def attachment(name: str) -> str:
    """Return the ``content-disposition`` that has a browser save the body under a name.

    Source: RFC 6266, 4.3; RFC 8187 for names beyond ASCII.
    """
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    text = f'attachment; filename="{plain}"'
    if plain != name:
        text += f"; filename*=UTF-8''{encode_value(name).decode('ascii')}"
    return text


async def apply_conditions(request: "Request", response: "Response", body: FileBody) -> None:
    """Make of a response with a whole file what the request asks for. Twice changes nothing.

    Raises:
        HttpError: 416, the range lies behind the end of the file.
    """
    if body.settled or response.status != 200 or request.method not in ("GET", "HEAD"):
        return
    body.settled = True
    headers = request.headers
    tag = response.headers.get("etag", "")
    if _is_fresh(headers.get_all("if-none-match"), headers.get("if-modified-since"), tag, body):
        response.status = 304
        await response.drop_body()
        for name in _OF_A_BODY:
            response.headers.discard(name)
        return
    asked = headers.get("range")
    if asked is None or request.method == "HEAD":
        return
    if not _may_resume(headers.get("if-range"), tag, body):
        return
    found = _range(asked, body.size)
    if found is None:
        return
    body.start, body.end = found
    if body.start >= body.end:
        raise HttpError(
            416,
            f"the body has {body.size} bytes",
            kind="range_not_satisfiable",
            headers={"content-range": f"bytes */{body.size}", "accept-ranges": "bytes"},
        )
    response.status = 206
    response.headers["content-length"] = str(body.end - body.start)
    response.headers["content-range"] = f"bytes {body.start}-{body.end - 1}/{body.size}"


def _is_fresh(fields: list[str], since: str | None, tag: str, body: FileBody) -> bool:
    if fields:
        # The weak comparison: RFC 9110, 13.1.2.
        tags = ",".join(fields)
        opaque = tag.removeprefix("W/")
        return tags.strip() == "*" or opaque in _TAG.findall(tags)
    moment = parse_http_date(since) if since is not None else None
    return moment is not None and 0 < body.modified <= moment


def _may_resume(condition: str | None, tag: str, body: FileBody) -> bool:
    if condition is None:
        return True
    if '"' in condition:
        return condition.strip() == tag and not tag.startswith("W/")
    return bool(body.modified) and parse_http_date(condition) == body.modified


def _range(text: str, size: int) -> tuple[int, int] | None:
    """Return start and end of one range, empty when it lies behind; ``None`` for no range."""
    found = _RANGE.fullmatch(text.strip())
    if found is None or max(map(len, found.groups())) > _LONGEST_NUMBER:
        return None
    first, last = found.groups()
    if not first:
        if not last:
            return None
        return max(size - int(last), 0), size
    start = int(first)
    end = int(last) + 1 if last else size
    if last and end <= start:
        return None
    return start, min(end, size)
