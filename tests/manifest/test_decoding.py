"""TOML and JSON within limits: what a hostile file may not cost, what an ordinary one keeps."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.cli.cache_file import CacheFileError, read_cache_dir
from edgezero_spin.host.factors.variables.errors import VariableSetupError
from edgezero_spin.host.factors.variables.options import read_variable_options
from edgezero_spin.host.registry.package_config import load_package_config
from edgezero_spin.manifest.decoding import MAX_LEVELS, decode_json, decode_toml
from edgezero_spin.manifest.errors import InvalidManifestError
from edgezero_spin.manifest.runtime_config import load_runtime_config
from edgezero_spin.manifest.spin import FetchError, load_spin_manifest, parse_lock
from edgezero_spin.manifest.toml_file import load_toml
from edgezero_spin.project.toml_edit import TomlEditError, insert_text

# 30 s in the standard library's parser. No test here measures a time: one that is not refused
# before it is parsed runs into the time-out of the suite.
DOTS = 200_000
LONG_KEYS = [
    pytest.param("a." * DOTS + "a = 1", id="bare"),
    pytest.param("[" + "a ." * DOTS + "a]", id="header"),
    pytest.param("[[" + "a." * DOTS + "a]]", id="header of an array"),
    pytest.param("x = { " + "a." * DOTS + "a = 1 }", id="inline table"),
    pytest.param("x = { y = [" + "'a'.\"b\". " * DOTS + "c = 1", id="quoted"),
    pytest.param('x = """\n"""\n' + "a." * DOTS + "a = 1", id="below a long text"),
]


@pytest.mark.parametrize("text", LONG_KEYS)
def test_a_key_of_many_parts_is_refused_unread(text: str) -> None:
    """However a dotted key is written, its length is checked before it is parsed."""
    with pytest.raises(ValueError, match=f"more than {MAX_LEVELS} tables") as caught:
        decode_toml(text)
    assert f"line {text.count(chr(10)) + 1} " in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "x = '" + "a." * DOTS + "'",
        'x = "' + "a." * DOTS + '"',
        'x = """' + "a.\n" * 9 + "a." * DOTS + '"""',
        "x = '''" + "a." * DOTS + "'''",
        "x = 1 # " + "a." * DOTS,
        "x = [" + "1.5, " * DOTS + "]",
        ".".join("abcdefgh" * 15) + " = 1",
    ],
)
def test_dots_elsewhere_are_no_keys(text: str) -> None:
    """Texts, comments, floats and keys within the limit are read."""
    assert len(decode_toml(text)) == 1


@given(st.text(alphabet="ab.\"'\\#\n=[] ", max_size=40))
def test_what_is_no_long_key_is_left_to_the_parser(text: str) -> None:
    """Whatever the check passes over, the result is the parser's, its errors included."""
    text = "#" + "." * MAX_LEVELS + "\n" + text
    try:
        expected: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        expected = str(error)
    try:
        found: object = decode_toml(text)
    except tomllib.TOMLDecodeError as error:
        found = str(error)
    assert found == expected


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 129 + "]" * 129, '{"a":' * 200 + "1"])
def test_json_that_nests_deeply_is_refused(text: str) -> None:
    """Neither an overflowing stack nor a tree too deep to walk."""
    with pytest.raises(ValueError, match=r"more than|Expecting"):
        decode_json(text)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "", "{", "1" * 5000])
def test_json_is_what_the_standard_says(text: str) -> None:
    """Numbers that JSON does not have, and what Python adds to it, are refused."""
    with pytest.raises(ValueError, match=r"."):
        decode_json(text)


@pytest.mark.parametrize("text", ["a." * DOTS + "a = 1\n", "a = " + "[" * 5000])
def test_every_file_is_read_within_the_limits(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Manifests, run-time configurations, variables, caches, packages and edits alike."""
    path = tmp_path / "file.toml"
    path.write_text(text)
    for load in (load_toml, load_spin_manifest, load_runtime_config):
        with pytest.raises(InvalidManifestError, match=r"more than 128|not TOML"):
            load(path)
    with pytest.raises(VariableSetupError):
        read_variable_options([f"@{path}"])
    with pytest.raises(CacheFileError):
        read_cache_dir(path, None)
    with pytest.raises(FetchError):
        load_package_config(path)
    with pytest.raises(TomlEditError):
        insert_text(text, ("x",), "y", "z")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"spin_lock_version": NaN}', "{}" * 2])
def test_a_lock_is_read_within_the_limits(text: str) -> None:
    """A lock that Python cannot read, or reads although it is not JSON, is one clear error."""
    with pytest.raises(InvalidManifestError, match="this is not JSON"):
        parse_lock(text, Path("spin.lock"))


@pytest.mark.parametrize("text", ["a = 1\rb = 2\r", "a = 1\n# x\ry\n", 'a = """x\ry"""\n'])
def test_bare_carriage_returns_are_refused(text: str, tmp_path: Path) -> None:
    """TOML ends lines with LF or CRLF; Spin refuses others, and reading hides none."""
    path = tmp_path / "spin.toml"
    path.write_bytes(text.encode())
    with pytest.raises(InvalidManifestError, match="carriage return without a line feed"):
        load_toml(path)
    path.write_bytes(b"a = 1\r\n# b\r\n")
    assert load_toml(path) == {"a": 1}
