"""The certificate of a listener: what cannot be used is one error that names the file."""

import ssl
import subprocess
from pathlib import Path

import pytest

from edgezero_spin.host.http.listening import ListenError, server_context
from tests.certificates import make_certificate


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key."""
    made = make_certificate(tmp_path)
    return made.chain, made.key


def problem_with(certificate: Path, key: Path) -> str:
    """What is said about two files."""
    with pytest.raises(ListenError) as caught:
        server_context("127.0.0.1:0", str(certificate), str(key))
    return str(caught.value)


def test_a_certificate_and_its_key_serve(files: tuple[Path, Path]) -> None:
    """The context has them."""
    context = server_context("127.0.0.1:0", str(files[0]), str(files[1]))
    assert isinstance(context, ssl.SSLContext)


def test_an_encrypted_key_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Without a question for its password, and with the way out."""
    encrypted = tmp_path / "encrypted.pem"
    options = ["-aes256", "-passout", "pass:secret"]
    subprocess.run(
        ["openssl", "pkey", "-in", files[1], *options, "-out", encrypted], check=True, timeout=60
    )
    problem = problem_with(files[0], encrypted)
    assert problem.startswith(f"the private key {encrypted} is encrypted")
    assert "openssl pkey" in problem


def test_files_that_do_not_belong_together(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Both are named."""
    (tmp_path / "other").mkdir()
    other = make_certificate(tmp_path / "other").key
    assert problem_with(files[0], other) == (
        f"the private key {other} does not belong to the certificate {files[0]}"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing.pem", "No such file"), (".", "Is a directory"), ("x" * 3000, "File name too long")],
)
def test_files_that_cannot_be_read(
    files: tuple[Path, Path], tmp_path: Path, name: str, says: str
) -> None:
    """In the place of either."""
    for pair in ((tmp_path / name, files[1]), (files[0], tmp_path / name)):
        assert says in problem_with(*pair)


def test_files_that_are_something_else(files: tuple[Path, Path], tmp_path: Path) -> None:
    """No PEM, or the two the wrong way round."""
    text = tmp_path / "text.pem"
    text.write_text("hello")
    for pair in ((text, files[1]), (files[0], text), (files[1], files[0])):
        assert "not a certificate and its key" in problem_with(*pair)
