"""Errors of opening, without the address of a server."""

import pytest

from edgezero_spin.stores.databases.opening import hide_address


@pytest.mark.parametrize(
    "address",
    [
        "mysql://u:hidden@h/db",
        "redis://:hidden@h",
        "host=h user=u password=hidden dbname=d",
        "host=h password='hidden'",
        "postgres://h/db?user=u&password=hidden",
    ],
)
def test_a_password_is_found_wherever_an_address_has_it(address: str) -> None:
    """In URLs and in PostgreSQL's pairs."""  # PG-10, MY-3
    assert "hidden" not in hide_address(f"{address} / hidden / it", address)
