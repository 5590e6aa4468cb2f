"""Addresses of MySQL servers."""

import pytest

from edgezero_spin.host.factors.mysql.address import MysqlAddress, parse_mysql_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mysql://db", MysqlAddress("db", 3306, b"", b"")),
        ("mysql://u:p@db:7/base", MysqlAddress("db", 7, b"u", b"p", b"base")),
        ("MYSQL://u@[::1]", MysqlAddress("::1", 3306, b"u", b"")),
        (
            "mysql://u%40:p%2Fq%C3%9F@db/b%20c",
            MysqlAddress("db", 3306, b"u@", "p/qß".encode(), b"b c"),
        ),
        ("mysql://u:p@ss@db/x", MysqlAddress("db", 3306, b"u", b"p@ss", b"x")),
        ("mysql://u:p?#@db/x", MysqlAddress("db", 3306, b"u", b"p?#", b"x")),
        ("mysql://db?ssl-mode=DISABLED", MysqlAddress("db", 3306, b"", b"")),
        (
            "mysql://db/x?SslMode=VERIFY_CA&pool_max=10",
            MysqlAddress("db", 3306, b"", b"", b"x", True),
        ),
        ("mysql://db/?sslmode=required", MysqlAddress("db", 3306, b"", b"", None, True)),
        ("mysql://db/?require_ssl=true&prefer_socket=false", MysqlAddress("db", 3306, b"", b"")),
    ],
)  # MY-3 to MY-5, V-37
def test_what_it_says(text: str, expected: MysqlAddress) -> None:
    """User, password and database are decoded; TLS is asked for by one parameter."""
    assert parse_mysql_address(text) == expected
    assert "p@ss" not in repr(parse_mysql_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "localhost:10000",
        "postgres://db",
        "mysql://",
        "mysql://u:secret@/x",
        "mysql://u:secret/x@db/y",
        "mysql://db:secret/y",
        "mysql://db/?nope=secret",
        "mysql://db/?secret",
        "mysql://db/?pool_max=secret",
        "mysql://db/?secure_auth=secret",
        "mysql://db/?socket=/run/secret",
        "mysql://u%00:secret@db",
    ],
)  # MY-6, MY-7, V-30, V-37
def test_texts_that_are_no_address(text: str) -> None:
    """They are refused, and no password is repeated."""
    with pytest.raises(ValueError, match="MySQL") as raised:
        parse_mysql_address(text)
    assert "secret" not in str(raised.value)
