"""Links, their visits, and the two stores that keep them."""

import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlsplit

import attrs

from edgezero_spin import BadRequest, HttpError, Kv, NotFound, Outbound, OutboundError

CHECKER = "https://checker.example.com"
RESERVED = {"api", "docs", "export", "import", "openapi", "session"}


class Taken(HttpError):
    """Another link has the code."""

    def __init__(self, code: str) -> None:
        super().__init__(409, f"the code {code} is taken")


def is_web_address(_: object, __: "attrs.Attribute[str]", value: str) -> None:
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a link leads to an http:// or https:// address")


def is_code(_: object, __: "attrs.Attribute[str | None]", value: str | None) -> None:
    if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{3,32}", value):
        raise ValueError("a code has 3 to 32 letters, digits, hyphens and underscores")
    if value in RESERVED:
        raise ValueError(f"the code {value} is a path of the service")


@attrs.frozen
class NewLink:
    url: str = attrs.field(validator=is_web_address)
    code: str | None = attrs.field(default=None, validator=is_code)
    permanent: bool = False


@attrs.frozen
class Link:
    code: str
    url: str
    permanent: bool
    created: datetime


@attrs.frozen
class Verdict:
    """What the checker answers."""

    safe: bool


def code_of(url: str) -> str:
    """Return eight characters that stand for an address."""
    return urlsafe_b64encode(sha256(url.encode()).digest()[:6]).decode()


async def create(new: NewLink, kv: Kv) -> Link:
    """Keep a new link. One without a code gets that of its address, and is made once."""
    code = new.code or code_of(new.url)
    there = await kv["links"].get(code, Link)
    if there is not None and new.code is None and there.url == new.url:
        return there
    if there is not None:
        raise Taken(code)
    link = Link(code, new.url, new.permanent, datetime.now(UTC))
    await kv["links"].put(code, link)
    return link


async def find(code: str, kv: Kv) -> Link:
    link = await kv["links"].get(code, Link)
    if link is None:
        raise NotFound(f"link {code}")
    return link


async def visits(code: str, kv: Kv) -> int:
    return await kv["visits"].get_or(code, 0, int)


async def count_visit(code: str, kv: Kv) -> None:
    await kv["visits"].read_modify_write(code, 0, lambda count: count + 1, int)


async def check(url: str, outbound: Outbound) -> None:
    """Ask another service whether an address is safe; refuse it unless the answer is yes."""
    try:
        answer = await outbound.send("POST", f"{CHECKER}/check", body={"url": url}, timeout_s=5)
        answer.raise_for_status()
        verdict = await answer.json(Verdict)
    except OutboundError as error:
        raise HttpError(502, "the address cannot be checked at the moment") from error
    if not verdict.safe:
        raise BadRequest("the address is known to be harmful")
