"""An app with a typed configuration and a description of itself."""

import attrs

from edgezero_spin import App, AppConfig, config_model, introspection, run_app, secret

__all__ = ["IncomingHandler"]


@attrs.frozen(kw_only=True)
class Mirror:
    """A table in a list."""

    url: str
    token: str = secret()


@config_model
@attrs.frozen(kw_only=True)
class Settings:
    """The configuration."""

    greeting: str
    mirrors: list[Mirror] = attrs.Factory(list)


app = App("settings", config=["app_config"], secrets=["default"])
app.get("/_settings/routes")(introspection.routes)
app.get("/_settings/config")(introspection.config)


@app.get("/")
async def show(settings: AppConfig[Settings]) -> Settings:
    """Show the configuration."""
    return settings


app.openapi()

IncomingHandler = run_app(app)
