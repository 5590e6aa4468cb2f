"""Files of components: what is copied where, what is left out, what is refused."""

from pathlib import Path

import pytest

from edgezero_spin.manifest.spin import FileMount, FilePlacement, ManifestComponent
from edgezero_spin.manifest.spin.file_mounts import FileMountError, copy_files, direct_mounts

TREE = ["top.txt", "static/a.css", "static/.hidden", "static/deep/b.css", "static/deep/c.js", "x y"]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An application's folder, with a file outside of it."""
    folder = tmp_path / "app"
    for name in TREE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (tmp_path / "outside.txt").write_text("outside")
    (tmp_path / "shared" / "deep").mkdir(parents=True)
    (tmp_path / "shared" / "deep" / "d.txt").write_text("shared")
    return folder


def mounted(app: Path, *files: FileMount, exclude: tuple[str, ...] = ()) -> dict[str, str]:
    """What the guest sees: path to the path that was copied there."""
    destination = app.parent / "assets" / "c"
    copy_files(ManifestComponent(source="c", files=files, exclude_files=exclude), app, destination)
    return {
        path.relative_to(destination).as_posix(): path.read_text()
        for path in sorted(destination.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        # MAN-63
        ("top.txt", {"top.txt": "top.txt"}),
        ("x y", {"x y": "x y"}),
        (
            "static",
            {f"static/{name}": name for name in TREE if name.startswith("static/")},
        ),
        ("static/**/*", {name: name for name in TREE if name.startswith("static/")}),
        ("static/**", {}),
        ("static/*.css", {"static/a.css": "static/a.css"}),
        (
            "static/**/*.css",
            {"static/a.css": "static/a.css", "static/deep/b.css": "static/deep/b.css"},
        ),
        ("**/*", {name: name for name in TREE}),
        ("stat?c/[a-b].css", {"static/a.css": "static/a.css"}),
        ("none/*.css", {}),
        # MAN-66
        (
            FilePlacement("static/deep", "/assets"),
            {"assets/b.css": "static/deep/b.css", "assets/c.js": "static/deep/c.js"},
        ),
        (
            FilePlacement("static/deep", "/"),
            {"b.css": "static/deep/b.css", "c.js": "static/deep/c.js"},
        ),
        (FilePlacement("top.txt", "//deep/er.txt"), {"deep/er.txt": "top.txt"}),
        # Beside the application, as Spin reads it.
        (FilePlacement("../shared", "/"), {"deep/d.txt": "shared"}),
        (FilePlacement("static/../../shared", "/s"), {"s/deep/d.txt": "shared"}),
        (FilePlacement("../outside.txt", "x"), {"x": "outside"}),
    ],
)
def test_mounts(app: Path, mount: FileMount, expected: dict[str, str]) -> None:
    """Patterns keep the path, placements change it."""
    assert mounted(app, mount) == expected


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("static/deep/b.css", ["static/.hidden", "static/a.css", "static/deep/c.js"]),
        ("**/*.css", ["static/.hidden", "static/deep/c.js"]),
        ("static/*.css", ["static/.hidden", "static/deep/c.js"]),
        ("*.css", ["static/.hidden", "static/deep/c.js"]),
        ("static/deep/[!b].*", ["static/.hidden", "static/a.css", "static/deep/b.css"]),
        # A range that ends before it begins has no letters; all of these stand for themselves.
        ("static/deep/[z-ac].*", ["static/.hidden", "static/a.css", "static/deep/b.css"]),
        ("static/deep/[z-a].*", [name for name in sorted(TREE) if name.startswith("static/")]),
        ("static/deep/[!]c].*", ["static/.hidden", "static/a.css", "static/deep/c.js"]),
        ("static/deep/[^\\&&b].*", ["static/.hidden", "static/a.css", "static/deep/c.js"]),
    ],
)
def test_excluded_files_are_left_out(app: Path, pattern: str, left: list[str]) -> None:
    """An excluded file is not copied; a star also stands for slashes."""
    assert sorted(mounted(app, "static/**/*", exclude=(pattern,))) == left  # MAN-68


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("static/[", "invalid range pattern"),
        ("[]", "invalid range pattern"),
        ("x[!]", "invalid range pattern"),
        ("***", "wildcards are either regular `*` or recursive `**`"),
        ("static/a**", "recursive wildcards must form a single path component"),
    ],
)
def test_patterns_that_are_none_are_refused(app: Path, pattern: str, problem: str) -> None:
    """They would match nothing in Spin, or something else (MAN-63, MAN-68)."""
    for arguments in ({"exclude": (pattern,)}, {}):
        with pytest.raises(FileMountError) as caught:
            mounted(app, "static/*" if arguments else pattern, **arguments)
        assert str(caught.value).endswith(f'glob pattern "{pattern}": {problem}')


def test_links_to_folders_are_followed(app: Path) -> None:
    """What a linked folder holds is copied, too (MAN-63, MAN-66)."""
    (app / "static" / "link").symlink_to("deep")
    for mount in ("static/**/*", FilePlacement("static", "/static")):
        assert mounted(app, mount)["static/link/b.css"] == "static/deep/b.css"


def test_links_back_to_a_folder_above_are_not_followed(app: Path) -> None:
    """Two of them in one folder would be forty folders deep, each in either of two ways."""
    (app / "static" / "one").symlink_to("../static")
    (app / "static" / "deep" / "two").symlink_to("..")
    (app / "static" / "deep" / "itself").symlink_to("itself")
    for mount in ("static/**/*", "**/*.css", FilePlacement("static", "/static")):
        copied = mounted(app, mount)
        assert copied["static/deep/b.css"] == "static/deep/b.css"
        assert not any("one" in path or "two" in path for path in copied)


def test_excludes_do_not_apply_to_single_files(app: Path) -> None:
    """A file that is named itself is wanted."""
    assert mounted(app, "top.txt", exclude=("**/*",)) == {"top.txt": "top.txt"}  # MAN-68


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        # MAN-64
        ("gone.txt", '"gone.txt" does not exist and doesn\'t appear to be a glob pattern'),
        # MAN-65
        (".", "can't end in a current directory path (.)"),
        ("static/..", "can't end in a parent directory path (..)"),
        ("../*.txt", "outside the guest's files"),
        ("../outside.txt", "outside the guest's files"),
        ("..", "can't end in a parent directory path (..)"),
        # MAN-67
        (FilePlacement("gone", "/x"), 'File or directory "gone" does not exist'),
        (FilePlacement("top.txt", "/"), '"/" is not a valid destination file name'),
        (FilePlacement("top.txt", "a/"), '"a/" is not a valid destination file name'),
        (FilePlacement("top.txt", "."), '"." is not a valid destination file name'),
        (FilePlacement("top.txt", "../../x"), "outside the guest's files"),
        (FilePlacement("../shared", "../x"), "outside the guest's files"),
        (FilePlacement("/etc", "/"), "outside the application directory"),
        # Before the whole disk is read.
        (FilePlacement("/", "/"), "outside the application directory"),
        ("/", "outside the application directory"),
        ("/**/*", "outside the application directory"),
        (FilePlacement("/etc/hostname", "x"), "outside the application directory"),
    ],
)
def test_mounts_that_are_refused(app: Path, mount: FileMount, expected: str) -> None:
    """Nothing is taken from outside, nothing is put outside, and slips are named."""
    with pytest.raises(FileMountError) as caught:
        mounted(app, mount)
    assert expected in str(caught.value)
    assert not (app.parent / "assets" / "x").exists()


def test_an_empty_mount_is_a_folder(app: Path) -> None:
    """The folder is there even when no file was, so that it can be mounted."""
    assert mounted(app, "none/*") == {}
    assert (app.parent / "assets" / "c").is_dir()


def test_folders_can_be_mounted_in_place(app: Path) -> None:
    """Direct mounts are folders only, and without excludes."""
    component = ManifestComponent(source="c", files=(FilePlacement("static", "/s"), "static/deep"))
    assert direct_mounts(component, app) == (  # MAN-70
        (app / "static", "/s"),
        (app / "static/deep", "static/deep"),
    )
    with pytest.raises(FileMountError, match=r'"top\.txt" is not a directory'):
        direct_mounts(ManifestComponent(source="c", files=("top.txt",)), app)
    with pytest.raises(FileMountError, match="`exclude_files` using --direct-mounts"):
        direct_mounts(ManifestComponent(source="c", files=("static",), exclude_files=("x",)), app)
