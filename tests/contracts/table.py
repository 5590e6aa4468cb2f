"""Every case by name."""

from collections.abc import Mapping
from typing import Final

from tests.contracts import (
    config_cases,
    key_value_cases,
    listing_cases,
    registry_cases,
    secret_cases,
)
from tests.contracts.case import Case

__all__ = ["CASES"]

CASES: Final[Mapping[str, Case]] = (
    key_value_cases.CASES
    | listing_cases.CASES
    | config_cases.CASES
    | secret_cases.CASES
    | registry_cases.CASES
)
