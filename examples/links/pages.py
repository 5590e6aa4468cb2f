"""The service for people: a page with a form, a session in a cookie, and the links themselves."""

from pathlib import Path

import links
from jinja2 import Environment, FileSystemLoader
from links import NewLink
from settings import SESSION, Settings, SignedIn, same, session_token

from edgezero_spin import (
    AppConfig,
    BackgroundTasks,
    Cookie,
    Form,
    HttpError,
    Kv,
    Outbound,
    Request,
    Response,
    Router,
)

pages = Router()
templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True
)
# Read and compiled once, while the component is built, and not at every request.
home_page = templates.get_template("home.html")


@pages.get("/")
async def home(
    request: Request,
    settings: AppConfig[Settings],
    is_signed_in: SignedIn,
    kv: Kv,
    newest: Cookie[str | None],
) -> Response:
    page = await kv["links"].list_keys_page(limit=settings.page_size)
    return Response.html(
        home_page.render(
            title=settings.title,
            signed_in=is_signed_in,
            newest=newest and request.url_for("follow", code=newest),
            links=[await links.find(code, kv) for code in page.keys] if is_signed_in else [],
        )
    )


@pages.post("/session")
async def sign_in(api_key: Form[str], request: Request, settings: AppConfig[Settings]) -> Response:
    if not same(api_key, settings.api_key):
        raise HttpError(403, "this is not the API key")
    response = Response.redirect(request.url_for("home"), 303)
    response.set_cookie(SESSION, session_token(settings), max_age=3600)
    return response


@pages.post("/")
async def submit(
    new: Form[NewLink],
    request: Request,
    settings: AppConfig[Settings],
    is_signed_in: SignedIn,
    kv: Kv,
    outbound: Outbound,
) -> Response:
    if not is_signed_in:
        raise HttpError(401, "sign in first")
    if settings.flags.check_targets:
        await links.check(new.url, outbound)
    link = await links.create(new, kv)
    response = Response.redirect(request.url_for("home"), 303)
    response.set_cookie("newest", link.code)
    return response


@pages.get("/{code}")
async def follow(
    code: str, settings: AppConfig[Settings], kv: Kv, tasks: BackgroundTasks
) -> Response:
    link = await links.find(code, kv)
    if settings.flags.count_visits:
        tasks.add_task(links.count_visit, code, kv)
    return Response.redirect(link.url, 308 if link.permanent else 307)
