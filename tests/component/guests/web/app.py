"""What a web application does, one route each: groups, forms, files, events, work after."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import attrs

from edgezero_spin import (
    App,
    BackgroundTasks,
    Event,
    Form,
    HttpError,
    Kv,
    Next,
    Outbound,
    Request,
    Response,
    Router,
    UploadFile,
    access_log,
    compress,
    request_ids,
    run_app,
    security_headers,
    static_files,
)

app = App("web", kv=["notes"], body_limit=1024 * 1024)
app.middleware(request_ids())
app.middleware(access_log())
app.middleware(security_headers())
app.middleware(compress())
app.mount("/static", static_files("static", html=True), name="static")
app.mount("/mounted", static_files("/assets"))


@app.get("/")
def page(request: Request) -> Response:
    return Response.html(f"<a href='{request.url_for('show', id='a/b')}'>" + "x" * 600)


@app.get("/old")
def old() -> Response:
    return Response.redirect("/", 308)


@app.post("/session")
def sign_in() -> Response:
    response = Response.redirect("/", 303)
    response.set_cookie("session", 'a "b"; c')
    return response


@app.get("/session")
def session(request: Request) -> dict[str, str]:
    return request.cookies


async def members_only(request: Request, call_next: Next) -> Response:
    if request.headers.get("authorization") != "let-me-in":
        raise HttpError(401)
    return await call_next(request)


members = Router(prefix="/members", middleware=[members_only])


@members.get("/{id}")
def show(id: str) -> str:
    return id


app.include(members)


@attrs.frozen
class Profile:
    name: str
    photo: UploadFile
    news: bool = False


@app.post("/profiles")
async def profile(form: Form[Profile]) -> dict[str, object]:
    return {"name": form.name, "news": form.news, "size": form.photo.size}


@app.post("/import")
async def import_parts(request: Request) -> dict[str, int]:
    sizes = {}
    async for part in request.multipart():
        sizes[part.name] = sum([len(chunk) async for chunk in part])
    return sizes


@app.get("/lines")
def lines() -> Iterator[bytes]:
    for number in range(200):
        yield b"line %d\n" % number


@app.get("/ticks")
def ticks() -> Response:
    async def source() -> AsyncIterator[Event]:
        for number in range(3):
            await asyncio.sleep(0.05)
            yield Event({"n": number}, event="tick", id=str(number), retry=100)

    return Response.events(source(), keep_alive_s=0.01)


async def tell(outbound: Outbound, url: str, kv: Kv) -> None:
    reply = await outbound.send("GET", url)
    await kv["notes"].put("told", await reply.text())


def fail() -> None:
    raise KeyError("in the background")


@app.post("/later")
async def later(request: Request, tasks: BackgroundTasks, outbound: Outbound, kv: Kv) -> str:
    tasks.add_task(fail)
    tasks.add_task(tell, outbound, await request.text(), kv)
    return "sent"


@app.get("/broken")
async def broken(tasks: BackgroundTasks) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ValueError("in the middle")

    tasks.add_task(fail)
    return Response(chunks())


@app.get("/told")
async def told(kv: Kv) -> object:
    return await kv["notes"].get("told")


IncomingHandler = run_app(app)
