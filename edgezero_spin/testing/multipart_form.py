"""A form in parts, as browsers and httpx send it.

In: fields and files by name. Out: the body and its ``Content-Type``. The files are read whole.

Source: RFC 7578; the escapes of names are those of the HTML standard, "multipart/form-data". The
forms that a file may have are those of the argument ``files`` of httpx.
"""

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import IO, Any, TypeAlias

__all__ = ["File", "Files", "encode_multipart"]

File: TypeAlias = bytes | str | IO[bytes] | IO[str] | tuple[Any, ...]
Files: TypeAlias = Mapping[str, File] | Sequence[tuple[str, File]]

_BOUNDARY = b"----edgezero-form-9d0c1b7e54f3"
_ESCAPES = {"\r": "%0D", "\n": "%0A", '"': "%22"}


def encode_multipart(fields: Iterable[tuple[str, str]], files: Files) -> tuple[bytes, bytes]:
    """Return the body of a form and its ``Content-Type``.

    Raises:
        TypeError: A file is neither bytes, text, an open file nor a tuple of two or three parts.
    """
    parts = [(f'name="{_escaped(name)}"', b"", text.encode()) for name, text in fields]
    for name, file in files.items() if isinstance(files, Mapping) else files:
        filename, content, kind = _parts_of(name, file)
        said = f'name="{_escaped(name)}"'
        if filename is not None:
            said += f'; filename="{_escaped(filename)}"'
        parts.append((said, kind.encode(), content))
    boundary = _BOUNDARY
    while any(boundary in content for _, _, content in parts):
        boundary += b"-"
    body = b""
    for said, media_type, content in parts:
        body += b"--" + boundary + b"\r\nContent-Disposition: form-data; " + said.encode()
        if media_type:
            body += b"\r\nContent-Type: " + media_type
        body += b"\r\n\r\n" + content + b"\r\n"
    return body + b"--" + boundary + b"--\r\n", b"multipart/form-data; boundary=" + boundary


def _parts_of(name: str, file: File) -> tuple[str | None, bytes, str]:
    """Return name, content and media type of a file; one without a name is called ``upload``."""
    if not isinstance(file, tuple):
        path = getattr(file, "name", "upload")
        file = (PurePath(path).name if isinstance(path, str) else "upload", file)
    if len(file) not in (2, 3):
        raise TypeError(f"files[{name!r}]: a tuple has a file name, a content and perhaps a type")
    filename, content, *given = file
    if hasattr(content, "read"):
        content = content.read()
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, bytes | bytearray | memoryview):
        raise TypeError(
            f"files[{name!r}]: a file is bytes, text, an open file or "
            f"(filename, content, type), got a {type(content).__name__}"
        )
    guessed = filename and mimetypes.guess_type(filename)[0]
    kind = given[0] if given else guessed or "application/octet-stream"
    return filename, bytes(content), "" if filename is None and not given else kind


def _escaped(name: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in name)
