"""``AppConfig[T]``: one typed object per request, with its secrets, from one read."""

from collections.abc import Mapping
from typing import Annotated, Any

import attrs
import pytest

from edgezero_spin import App, AppConfig, Depends, MinLen, Request, config_model, secret
from edgezero_spin.stores import envelope_text
from edgezero_spin.testing import TestClient


@attrs.frozen(kw_only=True)
class Mirror:
    """A table in a list."""

    url: str
    token: str | None = secret(default=None)


@attrs.frozen(kw_only=True)
class Service:
    """A table with a rule."""

    timeout_ms: int = attrs.field(default=1500, validator=attrs.validators.ge(100))


@config_model
@attrs.frozen(kw_only=True)
class Settings:
    """A configuration with all sorts of secrets."""

    greeting: str
    api_token: Annotated[str, MinLen(8)] = secret()
    vault: str = secret(store_ref=True)
    key: str = secret(store="vault", validator=attrs.validators.min_len(3))
    tokens: list[str] = secret(default=attrs.Factory(list))
    mirrors: list[Mirror] = attrs.Factory(list)
    service: Service = Service()


DATA: dict[str, Any] = {
    "greeting": "hi",
    "api_token": "API_TOKEN",
    "vault": "default",
    "key": "key",
    "tokens": ["one", "two"],
    "mirrors": [{"url": "a", "token": "one"}, {"url": "b", "token": None}],
    "service": {"timeout_ms": 2000},
}
SECRETS = {"api_token": "s3cret-value", "key": "k-3-y", "one": "1", "two": "2"}

app = App(config=["app_config", "other"], secrets=["default"])


def greeting(config: AppConfig[Settings]) -> str:
    """Depends on the configuration, too."""
    return config.greeting


@app.get("/")
async def show(
    request: Request, config: AppConfig[Settings], hello: Annotated[str, Depends(greeting)]
) -> Settings:
    """Ask for the configuration in every way."""
    assert await request.app_config(Settings) is config
    assert hello == config.greeting
    return config


@app.get("/optional")
def optional(config: AppConfig[Settings] | None) -> bool:
    """Whether there is one."""
    return config is not None


@app.get("/named")
async def named(request: Request) -> str:
    """Another store and entry."""
    return (await request.app_config(Settings, store="other", key="v2")).greeting


def client(
    data: Mapping[str, Any] = DATA,
    secrets: Mapping[str, str] = SECRETS,
    key: str = "app_config",
    **more: Any,
) -> TestClient:
    """A client whose config store has one entry."""
    entry = envelope_text(data, "2026-11-30T08:00:00Z")
    return TestClient(app, config={"app_config": {key: entry}}, secrets=dict(secrets), **more)


def test_the_configuration_comes_with_its_secrets_from_one_read() -> None:
    """Nested, listed, optional ones; one object for handler, dependency and middleware."""
    with client() as asked:  # BLB-6, EXT-13
        assert asked.get("/").json() == {
            "greeting": "hi",
            "api_token": "s3cret-value",
            "vault": "default",
            "key": "k-3-y",
            "tokens": ["1", "2"],
            "mirrors": [{"url": "a", "token": "1"}, {"url": "b", "token": None}],
            "service": {"timeout_ms": 2000},
        }
        assert [text for text in asked.calls.texts if "get" in text] == [
            "get app_config app_config"
        ]


def test_the_entry_is_chosen_by_variable_store_and_key() -> None:
    """As a push chooses it."""  # BLB-1, ENV-16
    env = {"EDGEZERO__STORES__CONFIG__APP_CONFIG__KEY": "v7"}
    with client(key="v7", env=env) as asked:
        assert asked.get("/").status == 200
    entry = envelope_text({**DATA, "greeting": "other"}, "2026-11-30T08:00:00Z")
    with TestClient(app, config={"other": {"v2": entry}}, secrets=SECRETS) as asked:
        assert asked.get("/named").text == "other"


def test_a_test_gives_the_model_itself() -> None:
    """It is written as a push writes it, in both forms and without a secret."""
    settings = Settings(greeting="hi", api_token="api_token", vault="default", key="key")
    with TestClient(app, config={"app_config": settings}, secrets=SECRETS) as asked:
        assert asked.get("/").json()["api_token"] == "s3cret-value"
        assert asked.config["app_config"]["service.timeout_ms"] == b"1500"
        assert "api_token" not in asked.config["app_config"]


@pytest.mark.parametrize(
    ("changes", "secrets", "message", "place"),
    [
        pytest.param({"greeting": 1}, {}, "does not fit its model", "greeting", id="type"),
        pytest.param({"service": {"timeout_ms": 9}}, {}, "a rule", "service.timeout_ms", id="rule"),
        pytest.param({"api_token": None}, {}, "name of a secret", "api_token", id="no name"),
        pytest.param({"mirrors": [{}]}, {}, "does not fit", "mirrors[0].url", id="nested"),
        pytest.param({"vault": "none"}, {}, "is not declared", "key", id="another store"),
        pytest.param({"api_token": ""}, {}, "cannot be the name", "api_token", id="empty name"),
        pytest.param({}, {"one": None}, "is not set", "tokens[0]", id="no secret"),
        pytest.param({}, {"api_token": "short"}, "breaks a rule", "api_token", id="secret's rule"),
        pytest.param({}, {"key": "no"}, "breaks a rule", "key", id="secret's validator"),
    ],
)
def test_what_does_not_fit_is_out_of_date(
    changes: Mapping[str, Any],
    secrets: Mapping[str, str | None],
    message: str,
    place: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """503, to be tried again, with the place and never a value."""  # ERR-8, BLB-6, SEC-12
    given = {name: value for name, value in {**SECRETS, **secrets}.items() if value is not None}
    with client({**DATA, **changes}, given) as asked:
        answer = asked.get("/")
    error = answer.json()["error"]
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert (error["kind"], error["field_path"]) == ("config_out_of_date", place)
    assert message in error["message"]
    said = answer.text + capfd.readouterr().err
    assert not [value for value in given.values() if len(value) > 3 and value in said]
    assert "short" not in said


def test_nothing_pushed_is_out_of_date() -> None:
    """Unless the handler can do without."""
    with TestClient(app) as asked:
        answer = asked.get("/")
        assert answer.status == 503 and "field_path" not in answer.json()["error"]
        assert "edgezero config push" in answer.json()["error"]["message"]
        assert asked.get("/optional").json() is False


def test_a_damaged_entry_is_our_own_fault() -> None:
    """500, not a configuration that nobody pushed."""  # BLB-2
    with client() as asked:
        entry = asked.config["app_config"]["app_config"]
        asked.config["app_config"]["app_config"] = entry.replace(b'"hi"', b'"ho"')
        answer = asked.get("/")
        assert answer.status == 500 and "sha256 mismatch" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("declared", "said"),
    [({"secrets": ["default"]}, r"App\(config="), ({"config": ["c"]}, r"App\(secrets=")],
)
def test_an_app_declares_what_its_configuration_needs(declared: Any, said: str) -> None:
    """Refused when the app is compiled, with what to write."""
    lacking = App(**declared)
    lacking.get("/")(show)
    with pytest.raises(TypeError, match=said):
        lacking.compile()


def test_a_model_is_an_attrs_class() -> None:
    """Refused when the app is compiled."""
    wrong = App(config=["c"])

    @wrong.get("/")
    def handler(config: AppConfig[dict[str, str]]) -> None: ...

    with pytest.raises(TypeError, match="not an attrs class"):
        wrong.compile()
