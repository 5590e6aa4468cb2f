"""Links: a URL shortener with a page for people and an API for programs."""

from pathlib import Path

from api import api
from pages import pages

from edgezero_spin import App, cors, run_app
from edgezero_spin.core.openapi import ApiKey

app = App.from_manifest(Path(__file__).with_name("edgezero.toml"))
app.middleware(cors(["https://admin.example.com"], headers=["content-type", "x-api-key"]))
app.include(api)
app.include(pages)
app.openapi(
    version="1.0.0",
    tags={"api": "Links for programs."},
    security_schemes={"key": ApiKey("x-api-key")},
)

IncomingHandler = run_app(app)
