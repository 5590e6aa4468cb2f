"""Files of a component: what is mounted, and what can be done with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spin.applications import do, probe_manifest, told
from tests.spin.conftest import Both, Serve

FILES = {
    "static/index.html": "index",
    "static/deep/er/file": "deep",
    "static/skip/me": "skipped",
    "assets/one.txt": "one",
    "assets/two.md": "two",
    "single.txt": "single",
    "outside": "outside",
}
GRANTS = """
files = ["assets/*.txt", { source = "static", destination = "/www" },
         { source = "single.txt", destination = "/etc/name" }]
exclude_files = ["static/skip/*"]
environment = { A = "b", EMPTY = "", "ODD NAME" = "é" }
"""
PATHS = [
    "/", "/www", "/www/", "/www/index.html", "/www/deep", "/www/deep/er/file", "/www/skip",
    "/www/skip/me", "/assets", "/assets/one.txt", "/assets/two.md", "/etc/name", "/single.txt",
    "/outside", "/spin.toml", "/missing", "/missing/deeper", "/www/index.html/x", "",
    "../outside", "/../outside", "/www/../../outside", "/www/../etc/name", "www/index.html", ".",
    "..", "./www", "/www//index.html", "/www/.", "/www/deep/..", "/proc/self/environ", "/dev/null",
    "/www/inside", "/www/escaping", "/www/absolute", "/www/dangling", "/www/loop",
    "/www/directory/file",
]  # fmt: skip
CALLS = ["read", "list", "about", "resolve"]
CHANGES = ["write", "append", "remove", "mkdir", "rename", "link"]


def application(folder: Path, probe: Path, grants: str = GRANTS) -> Path:
    """Files of every kind, links among them."""
    probe_manifest(folder, probe, grants, files=FILES)
    links = {
        "inside": "deep/er/file",
        "escaping": "../outside",
        "absolute": str(folder / "outside"),
        "directory": "deep/er",
    }
    for name, target in links.items():
        (folder / "static" / name).symlink_to(target)
    return folder


@pytest.fixture(scope="module")
def both(serve: Serve, probe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A copy of the files, read-only."""
    with serve(application(tmp_path_factory.mktemp("files"), probe)) as programs:
        yield programs


@pytest.mark.parametrize("call", CALLS)
def test_reading(both: Both, call: str) -> None:
    """What is there, what is not, and what may not be seen."""  # ENV-12, ENV-14, MAN-66, MAN-68
    hold(both, call, PATHS)


@pytest.mark.parametrize("call", CHANGES)
def test_changing(both: Both, call: str) -> None:
    """Nothing can be changed."""  # ENV-12
    hold(both, call, ["/new", "/www/index.html", "/www/deep", "/www/new", "/../new", "/missing/x"])
    hold(both, "list", ["/", "/www"])


def hold(both: Both, call: str, paths: list[str]) -> None:
    """Compare the answers path by path."""
    asked = do("files", *([call, path] for path in paths))
    embedded, real = (told(answer.body) for answer in both.ask("/", asked))
    differing = [
        f"{call} {path}: {ours} here, {theirs} from Spin"
        for path, ours, theirs in zip(paths, embedded, real, strict=True)
        if ours != theirs
    ]
    assert not differing, "\n".join(differing)


@pytest.mark.parametrize("call", CHANGES)
def test_writable_copies(serve: Serve, probe: Path, tmp_path: Path, call: str) -> None:
    """With the flag a copy can be changed, and the next request sees it."""  # ENV-13
    with serve(application(tmp_path, probe), ["--allow-transient-write"]) as both:
        hold(both, call, ["/new", "/www/index.html", "/www/deep", "/www/new", "/../new"])
        hold(both, "list", ["/", "/www", "/.."])
        hold(both, "read", ["/new", "/www/index.html", "/www/new", "/new.link"])
    assert (tmp_path / "static" / "index.html").read_text() == "index"


def test_mounted_folders(serve: Serve, probe: Path, tmp_path: Path) -> None:
    """Folders in place: an edit is seen at once."""  # MAN-70
    grants = 'files = [{ source = "static", destination = "/www" }]'
    with serve(application(tmp_path, probe, grants), ["--direct-mounts"]) as both:
        for call in CALLS:
            hold(both, call, PATHS)
        (tmp_path / "static" / "index.html").write_text("edited")
        hold(both, "read", ["/www/index.html"])


def test_no_files(serve: Serve, probe: Path, tmp_path: Path) -> None:
    """A component without files has no folder at all, and its own environment only."""
    # ENV-1, ENV-2, ENV-14
    folder = probe_manifest(tmp_path, probe, 'environment = { A = "b", EMPTY = "" }')
    with serve(folder, ["--env", "foo=bar", "-e", "A=c=d"]) as both:
        for call in (*CALLS, *CHANGES):
            hold(both, call, ["/", "/x", ".", "..", ""])
        both.same("/", do("environment"))
