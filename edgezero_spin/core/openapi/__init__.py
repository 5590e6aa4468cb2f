"""OpenAPI: the description of an app's HTTP interface, made of its routes and types.

``app.openapi()`` answers with it under ``/openapi.json``, and with a page for people under
``/docs``; both are made while a component is built. ``openapi_document(app)`` returns it, and
``edgezero openapi app:app`` prints it. An app that asks for none does not carry this package.
"""

from edgezero_spin.core.openapi.declarations import (
    Answer,
    ApiDescription,
    ApiKey,
    Basic,
    Bearer,
    Description,
    Example,
    SecurityScheme,
    operation,
)
from edgezero_spin.core.openapi.document import openapi_document
from edgezero_spin.core.openapi.page import documentation_page
from edgezero_spin.core.openapi.schemas import register_schema

__all__ = [
    "Answer",
    "ApiDescription",
    "ApiKey",
    "Basic",
    "Bearer",
    "Description",
    "Example",
    "SecurityScheme",
    "documentation_page",
    "openapi_document",
    "operation",
    "register_schema",
]
