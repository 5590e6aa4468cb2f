"""Forms in parts: against another reader, in any pieces, as browsers send them, and in bounds."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import attrs
import multipart
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.core import (
    App,
    BadRequest,
    Form,
    Part,
    PayloadTooLarge,
    Request,
    Response,
    UploadFile,
)
from edgezero_spin.core.multipart import MultipartParser, PartHead, boundary_of
from edgezero_spin.errors import EdgeError
from edgezero_spin.stores import Alias, MaxLen
from tests.core.asking import ask, error_of, finish, json_of

BOUNDARY = "----WebKitFormBoundaryAbC"
TYPE = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(*parts: tuple[str, str | None, bytes], boundary: str = BOUNDARY) -> bytes:
    """A body as a browser writes it: names with what HTML has them escaped to."""
    body = b""
    for name, filename, content in parts:
        head = f'Content-Disposition: form-data; name="{_escaped(name)}"'
        if filename is not None:
            head += f'; filename="{_escaped(filename)}"\r\nContent-Type: application/octet-stream'
        body += f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def _escaped(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def read(body: bytes, sizes: list[int] | None = None, **limits: Any) -> list[tuple[Any, ...]]:
    """Name, file name and content of each part, the body given in pieces."""
    parser = MultipartParser(BOUNDARY.encode(), **limits)
    events = []
    for size in sizes or []:
        events += parser.feed(body[:size])
        body = body[size:]
    events += parser.feed(body)
    parser.finish()
    parts: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, PartHead):
            parts.append((event.name, event.filename, bytearray()))
        elif event is not None:
            parts[-1][2].extend(event)
    return [(name, filename, bytes(content)) for name, filename, content in parts]


NAMES = st.text(
    st.characters(exclude_characters='"\\\r\n\0', exclude_categories=["Cs"]), min_size=1
)
CONTENT = st.one_of(
    st.binary(max_size=200),
    # Pieces of delimiters, whole ones excepted.
    st.lists(st.sampled_from([b"\r", b"\n", b"--", b"-", BOUNDARY[:-1].encode(), b"x"])).map(
        b"".join
    ),
).filter(lambda content: b"\r\n--" + BOUNDARY.encode() not in b"\r\n" + content)
PARTS = st.lists(st.tuples(NAMES, st.none() | NAMES, CONTENT), min_size=1, max_size=6)


@given(PARTS, st.lists(st.integers(min_value=1, max_value=40)))
def test_any_pieces_give_the_same_parts(
    parts: list[tuple[str, str | None, bytes]], sizes: list[int]
) -> None:
    """What was sent comes back, wherever the body is cut."""
    assert read(form(*parts), sizes) == parts


@given(PARTS)
def test_another_reader_finds_the_same(parts: list[tuple[str, str | None, bytes]]) -> None:
    """``multipart`` from PyPI agrees on names and contents."""
    body = form(*parts)
    parser = multipart.PushMultipartParser(BOUNDARY)
    found: list[tuple[Any, ...]] = []
    with parser:
        for event in (*parser.parse(body), *parser.parse(b"")):
            if isinstance(event, multipart.MultipartSegment):
                found.append((event.name, event.filename is not None, bytearray()))
            elif event is not None:
                found[-1][2].extend(event)
    ours = [(name, filename is not None, content) for name, filename, content in read(body)]
    assert ours == [(name, is_file, bytes(content)) for name, is_file, content in found]


@given(st.binary(max_size=300), st.booleans())
def test_what_is_no_form_is_refused(noise: bytes, framed: bool) -> None:
    """Any bytes give parts or one of two errors, and never another."""
    body = b"--" + BOUNDARY.encode() + noise if framed else noise
    try:
        read(body)
    except (BadRequest, PayloadTooLarge) as error:
        assert isinstance(error, EdgeError)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "breaks off"),
        (form(("a", None, b"1"))[:-6], "breaks off"),
        (form(("a", None, b"1")).replace(b"--\r\n", b"X--\r\n"), "followed by other text"),
        (form(("a", None, b"1")).replace(b"form-data", b"attachment"), "has no name"),
        (form(("a", None, b"1")).replace(b"name=", b"nome="), "has no name"),
        (form(("a", None, b"1")).replace(b"Content-", b"Content", 1), "has no name"),
        (form(("a", None, b"1")).replace(b"Content-Disposition:", b"x"), "cannot be read"),
        (
            form(("a", "f", b"1")).replace(
                b"Content-Type: application", b"Folded\r\n x: application"
            ),
            "cannot be read",
        ),
        (
            form(("a", "f", b"1")).replace(b"Content-Type", b"Content-Transfer-Encoding"),
            "content-transfer-encoding",
        ),
    ],
)
def test_broken_bodies(body: bytes, message: str) -> None:
    """Each is an error that says what is wrong."""
    with pytest.raises(BadRequest, match=message):
        read(body)


@pytest.mark.parametrize(
    ("body", "limits", "message"),
    [
        (form(*[("a", None, b"")] * 4), {"max_parts": 3}, "more than 3 parts"),
        (form(("a" * 200, None, b"")), {"max_header_bytes": 100}, "more than 100 bytes"),
        (
            form(("a", None, b"")).replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 9000, 1),
            {},
            "more than 8192 bytes",
        ),
    ],
)
def test_limits(body: bytes, limits: dict[str, Any], message: str) -> None:
    """What grows with the client's will is 413 at its limit."""
    with pytest.raises(PayloadTooLarge, match=message):
        read(body, **limits)


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        (r'form-data; name="a\"b"; filename="c\\d"', ('a"b', r"c\d")),
        (r'form-data; name="a"; filename="C:\dir\file.txt"', ("a", r"C:\dir\file.txt")),
        ("form-data; name=a; filename=b.txt", ("a", "b.txt")),
        ('FORM-DATA ; Name="a" ; FILENAME="b;c=d"', ("a", "b;c=d")),
        ('form-data; name="a"; filename=""', ("a", "")),
        ("form-data; name=\"a\"; filename*=utf-8''%C3%BC.txt", ("a", "ü.txt")),
        ('form-data; name=""', ("", None)),
    ],
)
def test_names_as_clients_write_them(disposition: str, expected: tuple[str, str | None]) -> None:
    """Browsers, curl and libraries each have their way with quotes."""
    body = form(("x", None, b"1")).replace(b'form-data; name="x"', disposition.encode())
    assert read(body) == [(*expected, b"1")]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b:c"', b"a b:c"),
        ("application/x-www-form-urlencoded", None),
        (None, None),
    ],
)
def test_boundaries(content_type: str | None, boundary: bytes | None) -> None:
    """The content type says whether there are parts, and what is between them."""
    assert boundary_of(content_type) == boundary
    for bad in ("", "; boundary=", f"; boundary={'x' * 71}", '; boundary="a\u00e9"'):
        with pytest.raises(BadRequest, match="has no boundary"):
            boundary_of(f"multipart/form-data{bad}")


@attrs.frozen
class Profile:
    """A form with files."""

    name: Annotated[str, MaxLen(5)]
    photo: UploadFile
    age: int | None = None
    news: bool = False
    extra: Annotated[list[UploadFile], Alias("more")] = attrs.field(factory=list)


def posted(handler: Any, body: bytes, content_type: str | None = TYPE["content-type"]) -> Response:
    """The response of a handler to a form."""
    app = App(body_limit=1000)
    app.post("/")(handler)
    headers = {} if content_type is None else {"content-type": content_type}
    return ask(
        app, "POST", "/", headers=headers, body=[body[at : at + 7] for at in range(0, len(body), 7)]
    )


async def profile(form: Form[Profile]) -> list[Any]:
    """Everything that was read of it."""
    files = [form.photo, *form.extra]
    return [
        [form.name, form.age, form.news],
        [[f.filename, f.content_type, f.size, (await f.read()).decode()] for f in files],
    ]


def test_models_with_files() -> None:
    """Text, an empty number, a ticked box, and files, one name several times."""
    body = form(
        ("name", None, "Zoë".encode()),
        ("age", None, b""),
        ("news", None, b"on"),
        ("photo", "a.png", b"12"),
        ("more", "b", b""),
        ("more", "c", b"3"),
        ("more", "", b""),
    )
    octets = "application/octet-stream"
    assert json_of(posted(profile, body)) == [
        ["Zoë", None, True],
        [["a.png", octets, 2, "12"], ["b", octets, 0, ""], ["c", octets, 1, "3"]],
    ]


@pytest.mark.parametrize(
    ("parts", "status", "message"),
    [
        ([("name", None, b"a"), ("photo", "", b"")], 400, "invalid form payload: photo: missing"),
        (
            [("name", "a.txt", b"a"), ("photo", None, b"x")],
            400,
            "invalid form payload: name: a file, not text; photo: not a file; the form needs "
            "enctype='multipart/form-data'",
        ),
        (
            [("name", None, b"a" * 6), ("photo", "a", b"")],
            422,
            "name: must have a length",
        ),
        ([("name", None, b"a"), ("photo", "a", b"x" * 1000)], 413, "the limit is 1000 bytes"),
    ],
)
def test_forms_that_do_not_fit(parts: list[Any], status: int, message: str) -> None:
    """Each wrong field is named; a form over the body limit is 413."""
    found = error_of(posted(profile, form(*parts)))
    assert found[0] == status
    assert message in found[1]


async def single(
    title: Form[str], photo: UploadFile, pages: list[UploadFile], cover: UploadFile | None = None
) -> list[Any]:
    """Fields of a form as parameters."""
    return [title, photo.file.read().decode(), len(pages), cover is None]


def test_fields_as_parameters() -> None:
    """A file by its name, and a text with ``Form``; browsers that send no files are told."""
    body = form(
        ("title", None, b"t"), ("photo", "p", b"1"), ("pages", "q", b""), ("cover", "", b"")
    )
    assert json_of(posted(single, body)) == ["t", "1", 1, True]
    urlencoded = posted(single, b"title=t&photo=p.png", None)
    assert error_of(urlencoded)[1].startswith("invalid form payload: photo: not a file;")


def test_a_dictionary_has_the_texts() -> None:
    """Files are none of them."""

    async def handler(form: Form[dict[str, str]], request: Request) -> list[Any]:
        return [form, await request.form(), len(await request.form_pairs())]

    body = form(("a", None, b"1"), ("b", "f", b"2"))
    assert json_of(posted(handler, body)) == [{"a": "1"}, {"a": "1"}, 2]


def test_parts_while_they_arrive() -> None:
    """A part is read as it comes, left unread, or refused at its limit; bodies have no limit."""
    seen: list[Any] = []

    async def handler(request: Request) -> None:
        async for part in request.multipart(max_parts=4):
            assert isinstance(part, Part)
            if part.name == "big":
                seen.append(sum([len(chunk) async for chunk in part]))
            elif part.filename is None:
                seen.append((part.name, await part.text(limit=3)))
        assert await part.bytes() == b""

    body = form(("a", None, b"abc"), ("skipped", "s", b"x" * 500), ("big", "b", b"y" * 9000))
    assert posted(handler, body).status == 204
    assert seen == [("a", "abc"), 9000]
    too_long = posted(handler, form(("a", None, b"abcd")))
    assert error_of(too_long) == (413, "the part 'a' has more than 3 bytes")
    not_a_form = posted(handler, b"a=1", None)
    assert error_of(not_a_form) == (400, "invalid form payload: not sent as multipart/form-data")


def test_memory_does_not_grow_with_the_body() -> None:
    """What the parser keeps is a delimiter's length, whatever it was fed."""
    parser = MultipartParser(BOUNDARY.encode())
    parser.feed(form(("a", "f", b""))[: -len(BOUNDARY) - 10])
    for _ in range(100):
        parser.feed(b"\r\n--" * 1000)
        assert len(parser._buffer) < len(BOUNDARY) + 4


def test_a_body_that_breaks_off() -> None:
    """The handler that reads a part is told, not left with half of it."""

    async def chunks() -> AsyncIterator[bytes]:
        yield form(("a", "f", b"half"))[:-20]

    async def handler() -> bytes:
        request = Request.of("POST", "/", TYPE, chunks())
        async for part in request.multipart():
            return await part.bytes()
        return b""

    with pytest.raises(BadRequest, match="breaks off"):
        finish(handler())


def test_uploads_are_files() -> None:
    """They can be read in pieces, again, and by whatever reads files."""

    async def handler() -> Iterator[bytes]:
        upload = UploadFile(b"abc", "a", "text/plain")
        first = await upload.read(2)
        await upload.seek(0)
        return iter([first, await upload.read()])

    assert list(finish(handler())) == [b"ab", b"abc"]
