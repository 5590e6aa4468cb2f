"""Static files: what a folder answers, and that nothing else can be had."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin import static_files
from edgezero_spin.core import App, Response
from tests.core.asking import ask, body_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder beside a secret, with a link that leads there."""
    base = tmp_path_factory.mktemp("site")
    (base / "secret.txt").write_text("secret")
    (base / "static-other").mkdir()
    (base / "static-other" / "a.css").write_text("secret")
    folder = base / "static"
    for name in ("index.html", "a.css", "sub/index.html", "sub/b c.js", "404.html", ".env"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(f"this is {name}")
    (folder / ".well-known").mkdir()
    (folder / ".well-known" / "x.txt").write_text("well known")
    (folder / "empty").mkdir()
    (folder / "out.txt").symlink_to(base / "secret.txt")
    (folder / "in.css").symlink_to(folder / "a.css")
    return folder


def get(folder: Path, path: str, method: str = "GET", **options: object) -> Response:
    """The answer of an app with the folder at ``/static``."""
    app = App()
    app.mount("/static", static_files(folder, **options))  # type: ignore[arg-type]
    return ask(app, method, path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/a.css", "text/css; charset=utf-8"),
        ("/static/sub/b%20c.js", "text/javascript; charset=utf-8"),
        ("/static/in.css", "text/css; charset=utf-8"),
        ("/static/.well-known/x.txt", "text/plain; charset=utf-8"),
    ],
)
def test_files(folder: Path, path: str, kind: str) -> None:
    """Each is sent under its name, with its type and how long it keeps."""
    response = get(folder, path, max_age_s=60)
    assert (response.status, response.headers["content-type"]) == (200, kind)
    assert response.headers["cache-control"] == "public, max-age=60"
    assert body_of(response).startswith((b"this is", b"well known"))
    head = get(folder, path, "HEAD", max_age_s=60)
    assert (head.headers, head.body) == (response.headers, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/static",
        "/static/",
        "/static/sub",
        "/static/empty/",
        "/static/a.css/",
        "/static//a.css",
        "/static/sub//b%20c.js",
        "/static/missing",
        "/static/.env",
        "/static/%2eenv",
        "/static/out.txt",
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2fsecret.txt",
        "/static/sub/../../secret.txt",
        "/static/../static-other/a.css",
        "/static/..%5csecret.txt",
        "/static/a.css%00",
        "/static/%ff",
        "/static/x" + "y" * 5000,
    ],
)
def test_what_is_not_there(folder: Path, path: str) -> None:
    """Folders, hidden files and everything outside of the folder are 404."""
    assert get(folder, path).status == 404


@given(
    st.lists(st.sampled_from(["..", ".", "%2e", "%2F", "/", "\\", "secret.txt", "a.css", "%5c"]))
)
def test_no_path_escapes(folder: Path, parts: list[str]) -> None:
    """Whatever it is made of, it never reaches the file beside the folder."""
    response = get(folder, "/static/" + "".join(parts))
    assert response.status in (200, 404)
    assert b"secret" not in body_of(response) or b"no route matched" in body_of(response)


def test_links_that_lead_out(folder: Path) -> None:
    """They are followed where the app says so."""
    assert body_of(get(folder, "/static/out.txt", follow_symlink=True)) == b"secret"


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/static/", 200, "this is index.html"),
        ("/static/sub/", 200, "this is sub/index.html"),
        ("/static", 307, "/static/"),
        ("/static/sub?a=b", 307, "/static/sub/?a=b"),
        ("/static/missing", 404, "this is 404.html"),
        ("/static/empty/", 404, "this is 404.html"),
        ("/static/a.css/", 404, "this is 404.html"),
    ],
)
def test_pages(folder: Path, path: str, status: int, told: str) -> None:
    """A folder is its index, behind a slash, and a missing page is that of the site."""
    response = get(folder, path, html=True)
    assert response.status == status
    assert told in (response.headers.get("location", ""), body_of(response).decode())


def test_other_methods(folder: Path) -> None:
    """They are 405, with those that there are."""
    response = get(folder, "/static/a.css", "POST")
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")


def test_a_folder_beside_the_module() -> None:
    """A relative path is that of the module which names it, wherever the process runs."""
    app = App()
    app.mount("/core", static_files("."))
    assert b"A folder beside the module" not in body_of(ask(app, "GET", "/core/asking.py"))
    assert ask(app, "GET", "/core/test_static_files.py").status == 200


def test_a_site_at_the_root(folder: Path) -> None:
    """A redirection never leaves the host, whatever slashes the client sends."""
    app = App()
    app.mount("/a", static_files(folder, html=True))
    assert ask(app, "GET", "//a/sub").status == 404
    assert ask(app, "GET", "/a/sub").headers["location"] == "/a/sub/"


def test_ages() -> None:
    """A negative one is an error when the app is composed."""
    with pytest.raises(ValueError, match="at least 0"):
        static_files(".", max_age_s=-1)
