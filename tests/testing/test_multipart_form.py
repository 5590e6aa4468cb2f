"""Forms in parts that a test sends, read by the app and by another reader."""

import io
from pathlib import Path
from typing import Any

import multipart
import pytest

from edgezero_spin import App, Form, UploadFile
from edgezero_spin.testing import TestClient
from edgezero_spin.testing.multipart_form import encode_multipart

app = App()


@app.post("/")
async def upload(file: UploadFile, title: Form[str | None], tags: Form[list[str]]) -> list[object]:
    """What came."""
    return [title, tags, file.filename, file.content_type, (await file.read()).decode()]


@pytest.mark.parametrize(
    ("file", "filename", "kind", "content"),
    [
        (b"a,b", "upload", "application/octet-stream", "a,b"),
        ("ä", "upload", "application/octet-stream", "ä"),
        (io.BytesIO(b"x"), "upload", "application/octet-stream", "x"),
        (("a.csv", b"a,b"), "a.csv", "text/csv", "a,b"),
        (("a.csv", io.StringIO("a"), "x/y"), "a.csv", "x/y", "a"),
        # Browsers escape a quote so, and no server takes it back.
        (('"ä".txt', "--\r\n----"), "%22ä%22.txt", "text/plain", "--\r\n----"),
    ],
)
def test_files_in_every_form(file: Any, filename: str, kind: str, content: str) -> None:
    """The forms of httpx, with a field that repeats and one that is not there."""
    client = TestClient(app)
    answer = client.post("/", data={"tags": ["a", "b"]}, files={"file": file})
    assert answer.json() == [None, ["a", "b"], filename, kind, content]


def test_an_open_file_is_called_what_it_is_called(tmp_path: Path) -> None:
    """Without its folder."""
    path = tmp_path / "links.csv"
    path.write_bytes(b"1\r\n2")
    with path.open("rb") as file:
        answer = TestClient(app).post("/", files=[("file", file)], data={"title": "t"})
    assert answer.json() == ["t", [], "links.csv", "text/csv", "1\r\n2"]


@pytest.mark.parametrize("file", [7, None, ("a",), ("a", 7), ("a", b"", "x", "y")])
def test_what_is_no_file(file: Any) -> None:
    """It is refused by name."""
    with pytest.raises(TypeError, match="files\\['file'\\]"):
        TestClient(app).post("/", files={"file": file})


def test_another_reader_finds_the_same() -> None:
    """Whatever the content holds, the boundary is not in it."""
    boundary = b"----edgezero-form-9d0c1b7e54f3"
    body, kind = encode_multipart([("a", "1")], {"f": ("x", boundary + b"\r\n--" + boundary)})
    said = kind.decode().partition("boundary=")[2]
    parts = list(multipart.MultipartParser(io.BytesIO(body), said))
    assert [(part.name, part.raw) for part in parts] == [
        ("a", b"1"),
        ("f", boundary + b"\r\n--" + boundary),
    ]
