"""Providers and options: where values come from, and what a bad source says."""

from pathlib import Path

import pytest

from edgezero_spin.host.factors.variables.dotenv import DotenvError, parse_dotenv
from edgezero_spin.host.factors.variables.errors import ProviderError, VariableSetupError
from edgezero_spin.host.factors.variables.options import read_variable_options
from edgezero_spin.host.factors.variables.providers import EnvironmentProvider
from tests.rights import public_folder, without_rights


def test_environment_variables_have_the_prefix() -> None:
    """The name is in upper case behind the prefix, read at every call."""
    environ = {"SPIN_VARIABLE_SOME_NAME": "1", "SOME_NAME": "2", "X_SOME_NAME": "3"}
    provider = EnvironmentProvider(environ=environ)
    assert provider.get("some_name") == "1"  # VAR-21
    assert EnvironmentProvider("X", environ=environ).get("some_name") == "3"
    assert provider.get("other") is None
    environ["SPIN_VARIABLE_OTHER"] = ""
    assert provider.get("other") == ""


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    """The file is asked for what the environment does not have, and read once."""
    path = tmp_path / ".env"
    path.write_text("SPIN_VARIABLE_A=file\nSPIN_VARIABLE_B=file\n")
    provider = EnvironmentProvider(environ={"SPIN_VARIABLE_A": "env"}, dotenv_path=path)
    assert [provider.get("a"), provider.get("b")] == ["env", "file"]
    path.write_text("SPIN_VARIABLE_B=changed\n")
    assert provider.get("b") == "file"  # VAR-6


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    """No ``.env`` is the usual case."""
    provider = EnvironmentProvider(environ={}, dotenv_path=tmp_path / ".env")
    assert provider.get("a") is None  # VAR-22


def test_a_file_that_may_not_be_read_is_an_error() -> None:
    """It may have the value, so that the default is not used in its place."""
    with public_folder() as folder:
        path = folder / ".env"
        path.write_text("SPIN_VARIABLE_A=x\n")
        path.chmod(0)
        provider = EnvironmentProvider(environ={}, dotenv_path=path)
        with without_rights(), pytest.raises(ProviderError, match="cannot be read: permission"):
            provider.get("a")


def test_bad_sources_are_provider_errors(tmp_path: Path) -> None:
    """A malformed file and a value that is not text name themselves."""
    path = tmp_path / ".env"
    path.write_text("A=1\nnonsense\n")
    provider = EnvironmentProvider(environ={}, dotenv_path=path)
    with pytest.raises(ProviderError, match=r"\.env: line 2 is not of the form NAME=value"):
        provider.get("a")
    path.write_bytes(b"A=\xff")
    with pytest.raises(ProviderError, match="not UTF-8"):
        EnvironmentProvider(environ={}, dotenv_path=path).get("a")
    raw = EnvironmentProvider(environ={"SPIN_VARIABLE_A": "\udcff"})
    with pytest.raises(ProviderError, match="failed to resolve env var SPIN_VARIABLE_A"):
        raw.get("a")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=x", "x"),
        ("  export A = x  # comment", "x"),
        ("A=", ""),
        ("A= # comment", ""),
        ("A=#comment", ""),
        ("A=a#b", "a#b"),
        ("A='$B # \\n'", "$B # \\n"),
        ('A="a b\\n\\"c\\" # $B"', 'a b\n"c" # env'),
        ("A=$B${B}x", "envenvx"),
        ("A=$B_x", "env_x"),
        ("A=${B_C}$B c", "underlinedenv c"),
        ("A=$B # comment", "env"),
        ("A=a\\ b\\n", "a b\n"),
        ("A='a'b\"c\"", "abc"),
        ("A=\\$B", "$B"),
        ("A=$NOT_THERE.${NOR_THIS}", "_THERE."),
        ("A=5$", "5"),
        ("A=x\\", "x"),
        ("A=a\u2028b\x85c\x0cd\u00a0e", "a\u2028b\x85c\x0cd\u00a0e"),
        ('A="first\n\nthird # $B" # comment', "first\n\nthird # env"),
        ("A='-----BEGIN KEY-----\r\nx'\r\n", "-----BEGIN KEY-----\r\nx"),
        ("\ufeffA=1\r\n", "1"),
    ],
)
def test_entries_of_dotenv_files(line: str, expected: str) -> None:
    """Each means what it means to Spin, over as many lines as its quotes are open (VAR-22)."""
    environ = {"B": "env", "B_C": "underlined"}
    assert parse_dotenv(line, environ) == {"A": expected}


def test_later_entries_see_earlier_ones() -> None:
    """The environment comes first in a reference too, as it does for a variable (VAR-21)."""
    text = "# comment\n\nB=file\nC='of\nfile'\nA=$B.$C.$D\nD=later\nB=again\n"
    assert parse_dotenv(text, {"B": "env"}) == {
        "B": "again",
        "C": "of\nfile",
        "A": "env.of\nfile.",
        "D": "later",
    }


@pytest.mark.parametrize(
    "line", ["A", "=x", "1A=x", "A=a b", "A='x", 'A="x\n\n', "A=${x", 'A="x\\', "A\n=x", "A='x' y"]
)
def test_lines_that_are_no_assignment(line: str) -> None:
    """A malformed entry is named by the number of its first line."""
    with pytest.raises(DotenvError, match="line 3"):
        parse_dotenv(f"OK='1\n2'\n{line}\n", {})


def test_options_and_their_files(tmp_path: Path) -> None:
    """Values come from the option, from a file, or from a table; the last one counts."""
    (tmp_path / "value.txt").write_text("from file\n")
    (tmp_path / "many.json").write_text('{"j": "json", "a": "json"}')
    (tmp_path / "many.toml").write_text('t = "toml"')
    options = [
        "a=1",
        "b=x=y",
        f"f=@{tmp_path}/value.txt",
        f"@{tmp_path}/many.json",
        f"@{tmp_path}/many.toml",
        "b=2",
    ]
    assert read_variable_options(options) == {  # VAR-20
        "a": "json",
        "b": "2",
        "f": "from file\n",
        "j": "json",
        "t": "toml",
    }


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("nope", "variables must be in the form 'key=value' or '@file', got 'nope'"),
        ("@file.yaml", "variable files must end in .json or .toml"),
        ("a=@gone.txt", 'Failed to read "gone.txt"'),
        ("@gone.json", 'Failed to read "gone.json"'),
        ("@bad.json", 'Failed to parse JSON from "bad.json"'),
        ("@bad.toml", 'Failed to parse TOML from "bad.toml"'),
        ("@list.json", "it is not a table"),
        ("@number.json", "the value of n is not a string"),
    ],
)
def test_options_that_are_refused(
    option: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad option names itself or its file."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "bad.json": "{",
        "bad.toml": "=",
        "list.json": "[]",
        "number.json": '{"n": 1}',
    }.items():
        Path(name).write_text(text)
    with pytest.raises(VariableSetupError) as caught:
        read_variable_options([option])
    assert expected in str(caught.value)
