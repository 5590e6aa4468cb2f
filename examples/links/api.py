"""The service for programs: JSON and CSV behind an API key."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import attrs
import links
from links import Link, NewLink, Taken
from settings import ApiSettings

from edgezero_spin import (
    BadRequest,
    Ge,
    Json,
    Kv,
    Le,
    Outbound,
    Request,
    Response,
    Router,
    UploadFile,
)
from edgezero_spin.core.openapi import operation

api = Router(prefix="/api", tags=["api"])


@attrs.frozen
class Page:
    links: list[Link]
    cursor: str | None


@attrs.frozen
class Counted:
    link: Link
    visits: int


@attrs.frozen
class Imported:
    created: int
    refused: dict[str, str]


@api.post("/links")
@operation(responses={409: Taken})
async def create(
    new: Json[NewLink], settings: ApiSettings, request: Request, kv: Kv, outbound: Outbound
) -> tuple[Literal[201], Link, dict[str, str]]:
    """Make a link."""
    if settings.flags.check_targets:
        await links.check(new.url, outbound)
    link = await links.create(new, kv)
    return 201, link, {"location": request.url_for("follow", code=link.code)}


@api.get("/links")
async def listing(
    settings: ApiSettings,
    kv: Kv,
    prefix: str = "",
    limit: Annotated[int, Ge(1), Le(100)] | None = None,
    cursor: str | None = None,
) -> Page:
    """List the links by their codes, a page at a time."""
    page = await kv["links"].list_keys_page(prefix, cursor, limit or settings.page_size)
    return Page([await links.find(code, kv) for code in page.keys], page.cursor)


@api.get("/links/{code}")
async def show(code: str, settings: ApiSettings, kv: Kv) -> Counted:
    """Show a link, and how often it was followed."""
    return Counted(await links.find(code, kv), await links.visits(code, kv))


@api.delete("/links/{code}")
async def remove(code: str, settings: ApiSettings, kv: Kv) -> None:
    """Remove a link and its counter."""
    await links.find(code, kv)
    await kv["links"].delete(code)
    await kv["visits"].delete(code)


@api.get("/export")
async def export(settings: ApiSettings, kv: Kv) -> Response:
    """Send all links as CSV, a line at a time."""

    async def lines() -> AsyncIterator[bytes]:
        yield csv_line("code", "url", "permanent", "visits")
        async for code in kv["links"].iter_keys():
            link = await kv["links"].get(code, Link)
            if link is not None:
                visits = await links.visits(code, kv)
                yield csv_line(code, link.url, str(link.permanent).lower(), str(visits))

    response = Response(lines(), content_type="text/csv; charset=utf-8")
    response.headers["content-disposition"] = 'attachment; filename="links.csv"'
    return response


@api.post("/import")
async def import_file(file: UploadFile, settings: ApiSettings, kv: Kv) -> Imported:
    """Make a link of every row of a CSV file with the columns code, url and permanent.

    What is refused is under its code, or under its line where it has none.
    """
    created, refused = 0, {}
    for line, row in rows_of(await file.read()):
        code = row.get("code") or ""
        try:
            new = NewLink(row.get("url") or "", code or None, row.get("permanent") == "true")
            await links.create(new, kv)
            created += 1
        except (ValueError, Taken) as error:
            refused[code or f"line {line}"] = str(error)
    return Imported(created, refused)


def rows_of(content: bytes) -> list[tuple[int, dict[str, str | None]]]:
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        if "url" not in (rows.fieldnames or ()):
            raise BadRequest("the first line of the file has to name the column url")
        return [(rows.line_num, row) for row in rows]
    except UnicodeDecodeError as error:
        raise BadRequest("the file is not UTF-8 text") from error
    except csv.Error as error:
        raise BadRequest(f"the file is not CSV: {error}") from error


def csv_line(*fields: str) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(fields)
    return text.getvalue().encode()
