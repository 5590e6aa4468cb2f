"""Settings of the operator: the configuration of the service, its flags and its API key."""

import hmac
from typing import Annotated

import attrs

from edgezero_spin import (
    AppConfig,
    Cookie,
    Depends,
    Ge,
    Header,
    HttpError,
    Le,
    config_model,
    secret,
)
from edgezero_spin.core.openapi import operation

SESSION = "session"


@attrs.frozen(kw_only=True)
class Flags:
    """What can be turned on and off without a new component."""

    check_targets: bool = False
    count_visits: bool = True


@config_model
@attrs.frozen(kw_only=True)
class Settings:
    title: str
    page_size: Annotated[int, Ge(1), Le(100)] = 20
    api_key: str = secret()
    flags: Flags = Flags()


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that says nothing about them."""
    return hmac.compare_digest(one.encode(), other.encode())


def session_token(settings: Settings) -> str:
    """What the cookie of a browser holds whose user knew the API key."""
    return hmac.new(settings.api_key.encode(), b"session", "sha256").hexdigest()


@operation(security=["key"], responses={401: "No API key, or a wrong one."})
def with_api_key(settings: AppConfig[Settings], x_api_key: Header[str] = "") -> Settings:
    """Let programs through that send the API key; give them the configuration."""
    if not same(x_api_key, settings.api_key):
        raise HttpError(401, "the x-api-key header is missing or wrong")
    return settings


def signed_in(settings: AppConfig[Settings], session: Cookie[str] = "") -> bool:
    """Whether the browser has the cookie of somebody who knew the API key."""
    return same(session, session_token(settings))


ApiSettings = Annotated[Settings, Depends(with_api_key)]
SignedIn = Annotated[bool, Depends(signed_in)]
